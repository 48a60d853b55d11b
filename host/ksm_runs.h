/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which ranges of a VM's memory become mergeable
 *
 * A range costs the VMM a VMA, and ksmd the pages in it that have no peer. So
 * pages that are near each other share a range, and the more ranges there would
 * be, the wider the gaps that they bridge. Compiles in user space, where it is
 * tested.
 */
#ifndef PVX_HOST_KSM_RUNS_H
#define PVX_HOST_KSM_RUNS_H

#ifdef __KERNEL__
#include <linux/bitmap.h>
#include <linux/types.h>
#endif

/* Gaps of so many pages are bridged in any case. */
#define PVX_KSM_GAP_MIN		4
/* Small pages in a huge one. */
#define PVX_KSM_HUGE		512

/**
 * pvx_ksm_choose() - leave out what is not worth a huge page
 * @chosen: set to those of @wanted that remain
 * @wanted: a bit for each page: whether it has a peer
 * @pages: how many bits
 * @first: which page of its huge page the first one is
 * @least: how many pages with a peer a huge page must have to be broken for them
 */
static inline void pvx_ksm_choose(unsigned long *chosen, const unsigned long *wanted,
				  unsigned long pages, unsigned long first, u32 least)
{
	unsigned long start = 0, end, bit;
	u32 n;

	bitmap_copy(chosen, wanted, pages);
	for (; start < pages; start = end) {
		end = start + PVX_KSM_HUGE - (start + first) % PVX_KSM_HUGE;
		if (end > pages)
			end = pages;
		n = 0;
		for (bit = find_next_bit(wanted, end, start); bit < end && n < least;
		     bit = find_next_bit(wanted, end, bit + 1))
			n++;
		if (n < least)
			bitmap_clear(chosen, start, end - start);
	}
}

/**
 * pvx_ksm_next_run() - the next range
 * @wanted: a bit for each page: whether it has a peer
 * @pages: how many bits
 * @gap: how many pages without a peer are bridged
 * @start: set to its first page
 * @end: in: where the last range ended, 0 at first; set to the page behind it
 *
 * Return: false if there is none.
 */
static inline bool pvx_ksm_next_run(const unsigned long *wanted, unsigned long pages,
				    unsigned long gap, unsigned long *start,
				    unsigned long *end)
{
	unsigned long next = find_next_bit(wanted, pages, *end);

	if (next >= pages)
		return false;
	*start = next;
	do {
		*end = find_next_zero_bit(wanted, pages, next);
		next = find_next_bit(wanted, pages, *end);
	} while (next < pages && next - *end <= gap);
	return true;
}

/* How many ranges there are, counted no further than @most and one. */
static inline u32 pvx_ksm_count_runs(const unsigned long *wanted,
				     unsigned long pages, unsigned long gap, u32 most)
{
	unsigned long start, end = 0;
	u32 n = 0;

	while (n <= most && pvx_ksm_next_run(wanted, pages, gap, &start, &end))
		n++;
	return n;
}

/**
 * pvx_ksm_gap() - how wide gaps must be bridged
 * @wanted: as for pvx_ksm_next_run()
 * @pages: as there
 * @most: how many ranges there may be, at least 1
 *
 * Return: the least power of two, from PVX_KSM_GAP_MIN on, with which there are
 * no more.
 */
static inline unsigned long pvx_ksm_gap(const unsigned long *wanted,
					unsigned long pages, u32 most)
{
	unsigned long gap = PVX_KSM_GAP_MIN;

	while (gap < pages && pvx_ksm_count_runs(wanted, pages, gap, most) > most)
		gap *= 2;
	return gap;
}

#endif /* PVX_HOST_KSM_RUNS_H */
