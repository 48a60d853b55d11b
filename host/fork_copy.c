// SPDX-License-Identifier: GPL-2.0
/*
 * The best way to copy a page on this machine
 *
 * The kernel's copy_page() is a string instruction on most, which processors are good at and
 * hypervisors that emulate them are not: where this host is itself a guest of one, it is
 * slower than words one by one. copy_mc_to_kernel() survives a page whose memory has an error,
 * on CPUs that can, and so does the host then; it is preferred where that costs little. So each
 * is tried once, as RAID's and xor's are.
 */
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/uaccess.h>

#include "fault.h"
#include "fork_copy.h"

static char *copy_with = "";
module_param(copy_with, charp, 0444);
MODULE_PARM_DESC(copy_with,
	"How pages are copied: safe, string or words (default: what is best when loaded)");

/* Tries of each; the best one counts, since the others were interrupted. */
#define TRIES		20
/* To survive memory errors may take so much longer, as one part in so many. */
#define SAFE_COSTS	8

/* Eight at a time, so that loads need not wait for stores. */
unsigned long pvx_copy_words(void *to, void *from)
{
	const u64 *s = from, *end = from + PAGE_SIZE;
	u64 *t = to, a, b, c, d, e, f, g, h;

	for (; s < end; s += 8, t += 8) {
		a = s[0]; b = s[1]; c = s[2]; d = s[3];
		e = s[4]; f = s[5]; g = s[6]; h = s[7];
		t[0] = a; t[1] = b; t[2] = c; t[3] = d;
		t[4] = e; t[5] = f; t[6] = g; t[7] = h;
	}
	return 0;
}

static unsigned long copy_string(void *to, void *from)
{
	copy_page(to, from);
	return 0;
}

static unsigned long copy_safe(void *to, void *from)
{
	return copy_mc_to_kernel(to, from, PAGE_SIZE);
}

DEFINE_STATIC_CALL(pvx_copy_page, pvx_copy_words);

typedef unsigned long (*copy_fn)(void *to, void *from);

static u64 best_ns(copy_fn copy, void *pages)
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

static const char *best_way(void *pages)
{
	const u64 words = best_ns(pvx_copy_words, pages), string = best_ns(copy_string, pages);
	const u64 safe = best_ns(copy_safe, pages), best = min(words, string);

	if (safe <= best + best / SAFE_COSTS)
		return "safe";
	return words < string ? "words" : "string";
}

/* Without memory to try it, what works anywhere. */
static const char *find_way(void)
{
	void *pages = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, 1);
	const char *way;

	if (!pages)
		return "words";
	way = best_way(pages);
	free_pages((unsigned long)pages, 1);
	return way;
}

static bool is_way(const char *way)
{
	return !strcmp(copy_with, way);
}

/**
 * pvx_fork_copy_init() - choose how pages are copied
 *
 * Context: process context, before the first copy; may sleep.
 * Return: 0, or -EINVAL if the operator wants a way that there is not.
 */
int pvx_fork_copy_init(void)
{
	if (!*copy_with)
		copy_with = (char *)find_way();
	if (is_way("safe"))
		static_call_update(pvx_copy_page, copy_safe);
	else if (is_way("string"))
		static_call_update(pvx_copy_page, copy_string);
	else if (!is_way("words"))
		return -EINVAL;
	return 0;
}
