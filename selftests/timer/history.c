// SPDX-License-Identifier: GPL-2.0
/*
 * Unit test of guest/history.c
 *
 * Usage: history [SEED]: the seed of the randomised run, printed by each run.
 */
#include <time.h>

#include "../lib/tap.h"
#include "../../guest/history.c"

#define MS	((u64)NSEC_PER_MSEC)
#define TICK	(4 * MS)
#define START	(1000 * 1000 * MS)

static u64 at(const struct pvx_history *h, u64 time)
{
	u64 stolen = UINT64_MAX;

	return pvx_history_at(h, time, &stolen) ? stolen : UINT64_MAX;
}

static void test_calm(void)
{
	struct pvx_history *h = pvx_history_alloc(0, START);
	u64 t;

	tap_ok(at(h, START) == 0 && at(h, START + 1000 * MS) == 0,
	       "nothing was stolen at first");
	for (t = START; t < START + 1000 * 1000 * MS; t += TICK)
		pvx_history_note(h, t, 0);
	tap_ok(h->count == 1, "calm takes no place");
	tap_ok(at(h, 0) == 0, "a time before the history is its beginning");
	pvx_history_free(h);
}

static void test_burst(void)
{
	struct pvx_history *h = pvx_history_alloc(0, START);
	u64 end = START + 800 * MS;

	/* Stolen for half a second, and noted by the first tick after it. */
	pvx_history_note(h, START + 300 * MS, 0);
	pvx_history_note(h, end, 500 * MS);
	tap_ok(at(h, end - 1) == 0, "before the burst ended nothing was known of it");
	tap_ok(at(h, end) == 500 * MS, "then all of it");
	pvx_history_note(h, end + TICK, 500 * MS);
	pvx_history_note(h, end + 600 * MS, 900 * MS);
	tap_ok(at(h, end + TICK) == 500 * MS && at(h, end + 600 * MS) == 900 * MS,
	       "a second burst is kept apart");
	pvx_history_free(h);
}

/* What a reader must see while a vCPU is stolen in the middle of a note. */
static void test_torn(void)
{
	struct pvx_history *h = pvx_history_alloc(0, START);
	u64 stolen;

	pvx_history_note(h, START + MS, MS);
	raw_write_seqcount_begin(&h->seq);
	tap_ok(!pvx_history_at(h, START + MS, &stolen), "half a note is none");
	raw_write_seqcount_end(&h->seq);
	tap_ok(at(h, START + MS) == MS, "and a whole one is");
	pvx_history_free(h);
}

/* Half of each tick is stolen, for @ticks ticks. */
static void test_continuous(unsigned int ticks, const char *name)
{
	struct pvx_history *h = pvx_history_alloc(0, START);
	u64 reach = (u64)(MARKS - 2) * STEP_NS, now = START, t, error, most = 0;
	unsigned int i;

	for (i = 0; i < ticks; i++) {
		now += TICK;
		pvx_history_note(h, now, (i + 1) * TICK / 2);
	}
	for (t = now - START > reach ? now - reach : START; t <= now; t += MS) {
		error = (t - START) / 2 - at(h, t);
		if (error > most)
			most = error;
	}
	/* A step of the marks and a tick, of which half is stolen. */
	tap_ok(most <= (STEP_NS + 2 * TICK) / 2, "%s: off by %llu us at most", name,
	       (unsigned long long)most / 1000);
	pvx_history_free(h);
}

static void test_random(unsigned int seed)
{
	struct pvx_history *h = pvx_history_alloc(0, START);
	u64 now = START, stolen = 0, last = 0, t, got;
	bool sorted = true, never_more = true;
	int i;

	printf("# seed %u\n", seed);
	srand(seed);
	for (i = 0; i < 20000; i++) {
		now += TICK + (rand() % 8 ? 0 : rand() % 800 * MS);
		stolen += rand() % 3 ? 0 : rand() % 4000000;
		pvx_history_note(h, now, stolen);
	}
	for (t = now - 40 * 1000 * MS; t <= now; t += MS / 2) {
		got = at(h, t);
		sorted &= got >= last;
		never_more &= got <= stolen;
		last = got;
	}
	tap_ok(sorted, "what was stolen never gets less with time");
	tap_ok(never_more && last == stolen, "and ends with what is stolen now");
	pvx_history_free(h);
}

int main(int argc, char **argv)
{
	tap_begin();
	test_calm();
	test_burst();
	test_torn();
	test_continuous(100, "a short history");
	test_continuous(MARKS * 20, "one that is full");
	test_continuous(MARKS * 20 * 3, "one that has wrapped twice");
	test_random(argc > 1 ? atoi(argv[1]) : (int)time(NULL));
	return tap_done();
}
