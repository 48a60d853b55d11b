// SPDX-License-Identifier: GPL-2.0
/*
 * The fastest way to copy a page on this machine
 *
 * The kernel's copy_page() is a string instruction on most, which processors are good at and
 * hypervisors that emulate them are not: where this host is itself a guest of one, it is
 * several times slower than words one by one. So both are tried once, as RAID's and
 * xor's are.
 */
#include <linux/gfp.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/preempt.h>

#include "fork_copy.h"

static char *copy_with = "";
module_param(copy_with, charp, 0444);
MODULE_PARM_DESC(copy_with,
	"How pages are copied: string or words (default: what is faster when loaded)");

/* Tries of each; the best one counts, since the others were interrupted. */
#define TRIES	20

/* Eight at a time, so that loads need not wait for stores. */
void pvx_copy_words(void *to, void *from)
{
	const u64 *s = from, *end = from + PAGE_SIZE;
	u64 *t = to, a, b, c, d, e, f, g, h;

	for (; s < end; s += 8, t += 8) {
		a = s[0]; b = s[1]; c = s[2]; d = s[3];
		e = s[4]; f = s[5]; g = s[6]; h = s[7];
		t[0] = a; t[1] = b; t[2] = c; t[3] = d;
		t[4] = e; t[5] = f; t[6] = g; t[7] = h;
	}
}

DEFINE_STATIC_CALL(pvx_copy_page, pvx_copy_words);

static u64 best_ns(void (*copy)(void *to, void *from), void *pages)
{
	u64 begin, took, best = U64_MAX;
	int i;

	for (i = 0; i < TRIES; i++) {
		preempt_disable();
		begin = ktime_get_ns();
		copy(pages, pages + PAGE_SIZE);
		took = ktime_get_ns() - begin;
		preempt_enable();
		best = min(best, took);
	}
	return best;
}

static bool are_words_faster(void)
{
	void *pages = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, 1);
	bool faster;

	if (!pages)
		return false;
	faster = best_ns(pvx_copy_words, pages) < best_ns(copy_page, pages);
	free_pages((unsigned long)pages, 1);
	return faster;
}

/**
 * pvx_fork_copy_init() - choose how pages are copied
 *
 * Context: process context, before the first copy; may sleep.
 */
void pvx_fork_copy_init(void)
{
	if (strcmp(copy_with, "string") && strcmp(copy_with, "words"))
		copy_with = are_words_faster() ? "words" : "string";
	if (!strcmp(copy_with, "string"))
		static_call_update(pvx_copy_page, copy_page);
}
