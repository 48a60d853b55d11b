// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of host/ksm_runs.h: ranges cover what is wanted, and are as many and as far apart as
 * they may be; huge pages are taken as a whole or not at all
 */
#include "input.h"
#include "../ksm/shim.h"
#include "../../host/ksm_runs.h"

#define PAGES_MAX	3000

/* Single pages and stretches, as long as there is input. */
static void want(struct input *in, unsigned long *wanted, unsigned long pages)
{
	unsigned long at, n;

	while (has_more(in)) {
		at = take(in, 2) % pages;
		n = take(in, 1);
		n = n < 128 ? 1 : n % 16 * 16;
		for (; n && at < pages; n--, at++)
			assign_bit(at, wanted, true);
	}
}

static u32 count(const unsigned long *bits, unsigned long from, unsigned long to)
{
	u32 n = 0;

	for (; from < to; from++)
		n += test_bit(from, bits);
	return n;
}

/* Returns how many there are. */
static u32 check_runs(const unsigned long *wanted, unsigned long pages, unsigned long gap)
{
	unsigned long start, end = 0, last = 0, i, empty;
	u32 n = 0;

	while (pvx_ksm_next_run(wanted, pages, gap, &start, &end)) {
		must(start < end && end <= pages);
		must(test_bit(start, wanted) && test_bit(end - 1, wanted));
		must(!count(wanted, last, start));
		must(!n || start - last > gap);
		for (i = start, empty = 0; i < end; i++) {
			empty = test_bit(i, wanted) ? 0 : empty + 1;
			must(empty <= gap);
		}
		last = end;
		n++;
	}
	must(!count(wanted, last, pages));
	return n;
}

static void check_gap(const unsigned long *wanted, unsigned long pages, u32 most)
{
	const unsigned long gap = pvx_ksm_gap(wanted, pages, most);
	const u32 n = check_runs(wanted, pages, gap);

	must(n <= most);
	must(gap == PVX_KSM_GAP_MIN || check_runs(wanted, pages, gap / 2) > most);
	must(pvx_ksm_count_runs(wanted, pages, gap, most) == n);
	must(!n || pvx_ksm_count_runs(wanted, pages, gap, n - 1) == n);
	/* It counts one more than it may, and no further. */
	must(n < 3 || pvx_ksm_count_runs(wanted, pages, gap, n - 3) == n - 2);
}

static void check_choice(const unsigned long *wanted, unsigned long *chosen, unsigned long pages,
			 unsigned long first, u32 least)
{
	unsigned long from, to;
	u32 n;

	pvx_ksm_choose(chosen, wanted, pages, first, least);
	for (from = 0; from < pages; from = to) {
		to = from + 1;
		while (to < pages && (to + first) % PVX_KSM_HUGE)
			to++;
		n = count(wanted, from, to);
		must(count(chosen, from, to) == (n >= least ? n : 0));
		for (; from < to; from++)
			must(!test_bit(from, chosen) || test_bit(from, wanted));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { .at = data, .left = size };
	const unsigned long pages = 1 + take_below(&in, PAGES_MAX);
	const u32 most = 1 + take(&in, 1), least = take(&in, 1) % 16;
	const unsigned long first = take(&in, 2), gap = take(&in, 1);
	unsigned long *wanted = calloc(BITS_TO_LONGS(pages), sizeof(long));
	unsigned long *chosen = calloc(BITS_TO_LONGS(pages), sizeof(long));

	must(wanted && chosen);
	want(&in, wanted, pages);
	check_runs(wanted, pages, gap);
	check_gap(wanted, pages, most);
	check_choice(wanted, chosen, pages, first, least);
	free(chosen);
	free(wanted);
	return 0;
}
