// SPDX-License-Identifier: GPL-2.0
/*
 * Unit test of host/ksm_index.h and host/ksm_runs.h: who has a peer, and which ranges
 * become mergeable
 *
 * Usage: index [SEED]: the seed of the randomised runs, printed by each run.
 */
#include <time.h>

#include "../lib/tap.h"
#include "shim.h"

#include "../../host/ksm_index.h"
#include "../../host/ksm_runs.h"

static struct pvx_ksm_owner peers[PVX_KSM_KEPT], left;

/* As the host makes them, but for a secret. */
static u64 key_of(u32 group, u64 hash)
{
	u64 key = hash ^ ((u64)group << 48 | group);

	key = (key ^ (key >> 31)) * 0x9e3779b97f4a7c15ULL;
	key = (key ^ (key >> 29)) * 0xbf58476d1ce4e5b9ULL;
	key ^= key >> 32;
	return key ? key : 1;
}

static struct pvx_ksm_index *new_index(u32 buckets)
{
	struct pvx_ksm_index *index = calloc(1, sizeof(*index));

	index->buckets = buckets;
	index->share = buckets * PVX_KSM_WAYS;
	index->owners = calloc((size_t)buckets * PVX_KSM_WAYS, sizeof(*index->owners));
	index->of = calloc(PVX_KSM_VMS, sizeof(*index->of));
	return index;
}

static void free_index(struct pvx_ksm_index *index)
{
	free(index->owners);
	free(index->of);
	free(index);
}

static void test_peers(void)
{
	struct pvx_ksm_index *index = new_index(1024);
	u64 key = key_of(1, 77);

	tap_ok(pvx_ksm_announce(index, key, 1, 100, peers) == 0, "the first has no peer");
	tap_ok(pvx_ksm_announce(index, key, 1, 100, peers) == 0, "nor when it repeats that");
	tap_ok(pvx_ksm_announce(index, key, 2, 200, peers) == 1 && peers[0].vm == 1 &&
	       peers[0].gfn == 100, "the second has the first");
	tap_ok(pvx_ksm_announce(index, key, 1, 100, peers) == 1 && peers[0].vm == 2 &&
	       peers[0].gfn == 200, "and the first the second");
	tap_ok(pvx_ksm_announce(index, key, 1, 101, peers) == 2,
	       "another page of the same VM is a peer, too");
	tap_ok(index->used == 3, "each is kept once");
	tap_ok(pvx_ksm_announce(index, key_of(2, 77), 3, 300, peers) == 0,
	       "another group has nothing to do with it");
	tap_ok(!pvx_ksm_withdraw(index, key, 1, 101, &left), "of three, two remain");
	tap_ok(!pvx_ksm_withdraw(index, key, 1, 101, &left), "which is so the second time");
	tap_ok(pvx_ksm_withdraw(index, key, 1, 100, &left) && left.vm == 2 &&
	       left.gfn == 200, "of two, one remains");
	tap_ok(!pvx_ksm_withdraw(index, key, 9, 900, &left), "who is not known changes nothing");
	tap_ok(!pvx_ksm_withdraw(index, key, 2, 200, &left) && index->used == 1,
	       "of one, none");
	free_index(index);
}

static void test_popular(void)
{
	struct pvx_ksm_index *index = new_index(1);
	u64 key = key_of(1, 0);
	bool found = true;
	int gfn;

	pvx_ksm_announce(index, key, 1, 0, peers);
	for (gfn = 1; gfn < 1000; gfn++)
		found &= pvx_ksm_announce(index, key, 1, gfn, peers) > 0;
	tap_ok(found, "all of a thousand find a peer");
	tap_ok(index->used == PVX_KSM_KEPT && !index->forgotten,
	       "and take %llu places", (unsigned long long)index->used);
	tap_ok(pvx_ksm_announce(index, key_of(1, 5), 1, 2000, peers) == 0 &&
	       pvx_ksm_announce(index, key_of(1, 5), 2, 2000, peers) == 1,
	       "others have room beside");
	free_index(index);
}

static void test_full(void)
{
	struct pvx_ksm_index *index = new_index(1);
	u64 hash;
	bool empty = true;

	pvx_ksm_announce(index, key_of(1, 1), 1, 1, peers);
	pvx_ksm_announce(index, key_of(1, 1), 2, 1, peers);
	for (hash = 2; hash < 100; hash++)
		empty &= pvx_ksm_announce(index, key_of(1, hash), 1, hash, peers) == 0;
	tap_ok(empty, "a full bucket gives nobody a wrong peer");
	tap_ok(index->used == PVX_KSM_WAYS && index->forgotten == 98 - (PVX_KSM_WAYS - 2),
	       "it forgets: %llu", (unsigned long long)index->forgotten);
	tap_ok(pvx_ksm_announce(index, key_of(1, 1), 1, 1, peers) == 1,
	       "but none that has a peer");
	for (hash = 0; hash < PVX_KSM_WAYS / 2; hash++) {
		pvx_ksm_announce(index, key_of(3, hash), 1, hash, peers);
		pvx_ksm_announce(index, key_of(3, hash), 2, hash, peers);
	}
	tap_ok(index->used == PVX_KSM_WAYS, "and takes none when all have");
	free_index(index);
}

static bool announce_pair(struct pvx_ksm_index *index, u16 vm, u64 hash)
{
	pvx_ksm_announce(index, key_of(1, hash), vm, 2 * hash, peers);
	return pvx_ksm_announce(index, key_of(1, hash), vm, 2 * hash + 1, peers) > 0;
}

/* A VM that announces all it can, each content twice. */
static void test_share(void)
{
	struct pvx_ksm_index *index = new_index(64);
	const u32 all = 64 * PVX_KSM_WAYS;
	u32 found = 0;
	u64 hash;

	index->share = all / 2;
	for (hash = 0; hash < 4 * all; hash++)
		announce_pair(index, 1, hash);
	tap_ok(index->of[1] > all * 9 / 10, "a VM alone may have all: %u of %u", index->of[1], all);
	for (hash = 10 * all; hash < 10 * all + all / 8; hash++)
		found += announce_pair(index, 2, hash);
	tap_ok(found > all / 8 * 9 / 10, "another one finds room: %u of %u", found, all / 8);
	for (hash = 0; hash < 4 * all; hash++)
		announce_pair(index, 1, hash);
	tap_ok(index->of[2] > all / 8, "which it keeps, though the first announces ever more: %u",
	       index->of[2]);
	index->share = all / 8;
	for (hash = 20 * all; hash < 22 * all; hash++)
		announce_pair(index, 3, hash);
	tap_ok(index->of[3] >= all / 8 - 8, "who has more than the share now has to give: %u",
	       index->of[3]);
	tap_ok(index->used == index->of[1] + index->of[2] + index->of[3], "all are counted");
	free_index(index);
}

static void test_forget(void)
{
	struct pvx_ksm_index *index = new_index(256);
	u64 hash;

	for (hash = 0; hash < 300; hash++) {
		pvx_ksm_announce(index, key_of(1, hash), 1, hash, peers);
		pvx_ksm_announce(index, key_of(1, hash), 2, hash, peers);
	}
	hash = index->used;
	pvx_ksm_forget(index, 1, 0, 128);
	pvx_ksm_forget(index, 1, 128, 256);
	tap_ok(index->used * 2 >= hash - 8 && index->used * 2 <= hash + 8,
	       "a VM is forgotten: %llu of %llu remain", (unsigned long long)index->used,
	       (unsigned long long)hash);
	pvx_ksm_forget(index, 2, 0, 256);
	tap_ok(!index->used, "and the other one, too");
	free_index(index);
}

/* Spread over a table with room, keys that differ do not crowd each other out. */
static void test_spread(void)
{
	struct pvx_ksm_index *index = new_index(4096);
	u64 hash;

	for (hash = 0; hash < 4096 * PVX_KSM_WAYS / 2; hash++)
		pvx_ksm_announce(index, key_of(1, hash << 20), 1, hash, peers);
	tap_ok(index->forgotten * 50 < hash, "half full, it forgets %llu of %llu",
	       (unsigned long long)index->forgotten, (unsigned long long)hash);
	free_index(index);
}

#define PAGES	2048
static unsigned long wanted[BITS_TO_LONGS(PAGES)], chosen[BITS_TO_LONGS(PAGES)];

static void want(unsigned long from, unsigned long to)
{
	while (from < to)
		assign_bit(from++, wanted, true);
}

static void test_runs(void)
{
	unsigned long start, end = 0;

	memset(wanted, 0, sizeof(wanted));
	tap_ok(!pvx_ksm_next_run(wanted, PAGES, 4, &start, &end), "nothing wanted, no range");
	want(10, 20);
	want(24, 30);
	want(35, 36);
	want(PAGES - 1, PAGES);
	tap_ok(pvx_ksm_next_run(wanted, PAGES, 4, &start, &end) && start == 10 && end == 30,
	       "a gap of four is bridged");
	tap_ok(pvx_ksm_next_run(wanted, PAGES, 4, &start, &end) && start == 35 && end == 36,
	       "one of five is not");
	tap_ok(pvx_ksm_next_run(wanted, PAGES, 4, &start, &end) && start == PAGES - 1 &&
	       end == PAGES, "the last page is one");
	tap_ok(!pvx_ksm_next_run(wanted, PAGES, 4, &start, &end), "and then there is none");
	tap_ok(pvx_ksm_count_runs(wanted, PAGES, 4, 100) == 3 &&
	       pvx_ksm_count_runs(wanted, PAGES, 4, 1) == 2, "they are counted, no further than asked");
	tap_ok(pvx_ksm_gap(wanted, PAGES, 3) == 4 && pvx_ksm_gap(wanted, PAGES, 2) == 8,
	       "fewer ranges bridge wider gaps");
	tap_ok(pvx_ksm_count_runs(wanted, PAGES, pvx_ksm_gap(wanted, PAGES, 1), 9) == 1,
	       "up to one for all");
}

static void test_choose(void)
{
	memset(wanted, 0, sizeof(wanted));
	want(0, 7);
	want(512, 520);
	want(1100, 1103);
	want(1532, 1540);
	pvx_ksm_choose(chosen, wanted, PAGES, 0, 8);
	tap_ok(find_next_bit(chosen, PAGES, 0) == 512 &&
	       find_next_bit(chosen, PAGES, 520) == PAGES,
	       "a huge page needs eight that have a peer");
	pvx_ksm_choose(chosen, wanted, PAGES, 256, 8);
	tap_ok(find_next_bit(chosen, PAGES, 0) == 512 &&
	       find_next_bit(chosen, PAGES, 520) == 1532 &&
	       find_next_bit(chosen, PAGES, 1540) == PAGES,
	       "where it begins is told");
	pvx_ksm_choose(chosen, wanted, PAGES, 0, 0);
	tap_ok(!memcmp(chosen, wanted, sizeof(wanted)), "none, then all is chosen");
}

static void test_random(unsigned int seed)
{
	unsigned long i, start, end, gap;
	bool covered = true, apart = true, few = true;
	u32 round, n, most;

	srand(seed);
	for (round = 0; round < 300; round++) {
		unsigned long last = 0;

		memset(wanted, 0, sizeof(wanted));
		for (i = 0; i < (unsigned long)(rand() % 500); i++)
			assign_bit(rand() % PAGES, wanted, true);
		most = 1 + rand() % 50;
		gap = pvx_ksm_gap(wanted, PAGES, most);
		for (n = 0, end = 0; pvx_ksm_next_run(wanted, PAGES, gap, &start, &end); n++) {
			covered &= find_next_bit(wanted, PAGES, last) == start;
			apart &= !n || start - last > gap;
			last = end;
		}
		covered &= find_next_bit(wanted, PAGES, last) == PAGES;
		few &= n <= most;
	}
	printf("# seed %u\n", seed);
	tap_ok(covered, "no wanted page is left out, and no range begins with another");
	tap_ok(apart, "ranges are further apart than the gap");
	tap_ok(few, "there are never more than allowed");
}

int main(int argc, char **argv)
{
	tap_begin();
	test_peers();
	test_popular();
	test_full();
	test_share();
	test_forget();
	test_spread();
	test_runs();
	test_choose();
	test_random(argc > 1 ? strtoul(argv[1], NULL, 0) : (unsigned int)time(NULL));
	return tap_done();
}
