// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's locality map: shares, news, groups, and what the host is told
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#include "../../guest/numa_map.h"
#include "../lib/random.h"
#include "../lib/tap.h"

#define CPUS	4
#define BLOCKS	4096

static struct pvx_numa_map map;
static struct pvx_numa_row rows[CPUS];
static struct pvx_numa_use uses[PVX_NUMA_USES_MAX];
/* As the host has it. */
static u32 host[CPUS][BLOCKS], host_group[CPUS];

static u64 state = 1;

static u32 random_below(u32 n)
{
	return next_random(&state) % n;
}

static void begin(void)
{
	u32 cpu;

	map = (struct pvx_numa_map){ .cpus = CPUS, .blocks = BLOCKS, .rows = rows };
	for (cpu = 0; cpu < CPUS; cpu++) {
		free(rows[cpu].use);
		free(rows[cpu].told);
		rows[cpu] = (struct pvx_numa_row){
			.use = calloc(BLOCKS, sizeof(u32)), .told = calloc(BLOCKS, sizeof(u16)),
		};
	}
	memset(host, 0, sizeof(host));
	memset(host_group, 0, sizeof(host_group));
}

/* The CPU's process uses so many blocks from @first on, at random. */
static void look(u32 cpu, u32 first, u32 count)
{
	u32 i;

	pvx_numa_decay(&map, cpu);
	for (i = 0; i < 8; i++)
		pvx_numa_add(&map, cpu, first + random_below(count), 512);
}

static void looks(u32 n, u32 cpu, u32 first, u32 count)
{
	while (n--)
		look(cpu, first, count);
}

/* In calls of @most entries. */
static u32 tell_in(u32 cpu, u32 most)
{
	u32 i, n, all = 0, from;

	for (from = 0; from <= map.blocks;) {
		n = pvx_numa_tell(&map, cpu, cpu, &from, uses, most);
		for (i = 0; i < n; i++) {
			pvx_numa_told(&map, cpu, &uses[i]);
			if (uses[i].block == PVX_NUMA_GROUP)
				host_group[uses[i].vcpu] = uses[i].weight;
			else
				host[uses[i].vcpu][uses[i].block] = uses[i].weight;
		}
		all += n;
	}
	pvx_numa_told_all(&map, cpu);
	return all;
}

static u32 tell(u32 cpu)
{
	return tell_in(cpu, PVX_NUMA_USES_MAX);
}

static u32 sum(u32 cpu, u32 first, u32 count)
{
	u32 i, n = 0;

	for (i = first; i < first + count; i++)
		n += host[cpu][i];
	return n;
}

static void shares(void)
{
	begin();
	tap_ok(!pvx_numa_news(&map, 0), "nothing is no news");
	looks(50, 0, 8, 4);
	tap_ok(pvx_numa_news(&map, 0) >= PVX_NUMA_MUCH, "the first use is");
	tell(0);
	tap_ok(sum(0, 8, 4) > 9 * PVX_NUMA_WHOLE / 10 && !sum(0, 0, 8) &&
	       !sum(0, 12, BLOCKS - 12),
	       "the host knows who uses what");
	tap_ok(!pvx_numa_news(&map, 0), "which is no news then");
	tap_ok(!tell(0), "and not told again");
}

/* However many blocks it uses, what chance makes of it is no news. */
static void settled(u32 blocks)
{
	u32 i, much = 0, some = 0;

	begin();
	looks(300, 0, 0, blocks);
	tell(0);
	for (i = 0; i < 1000; i++) {
		look(0, 0, blocks);
		much += pvx_numa_news(&map, 0) >= PVX_NUMA_MUCH;
		some += pvx_numa_news(&map, 0) >= PVX_NUMA_SOME;
	}
	tap_ok(!much && !some, "a process that uses %u blocks is no news for 1000 looks (%u, %u)",
	       blocks, much, some);
}

static void moved(void)
{
	u32 i;

	begin();
	looks(100, 0, 0, 8);
	tell(0);
	for (i = 0; i < 100 && pvx_numa_news(&map, 0) < PVX_NUMA_MUCH; i++)
		look(0, 2000, 8);
	tap_ok(i < 24, "other memory is news after %u looks", i);
	looks(200, 0, 2000, 8);
	tell(0);
	tap_ok(sum(0, 2000, 8) > 9 * PVX_NUMA_WHOLE / 10 && sum(0, 0, 8) < PVX_NUMA_WHOLE / 50,
	       "and the host forgets what was used before");
}

/* What a few looks did not find is told when there were more, and then no more. */
static void clearer(void)
{
	u32 i, told = 0;

	begin();
	looks(1, 0, 0, 16);
	tell(0);
	tap_ok(!pvx_numa_is_clearer(&map, 0), "after one look that is all that there is to tell");
	for (i = 0; i < 1000; i++) {
		look(0, 0, 16);
		if (!pvx_numa_is_clearer(&map, 0))
			continue;
		tell(0);
		told++;
	}
	tap_ok(told >= 3 && told <= 5, "in 1000 looks more it was clearer %u times", told);
	for (i = 0; i < 16 && host[0][i]; i++)
		;
	tap_ok(i == 16, "and the host knows all blocks then");
}

static void groups(void)
{
	u32 cpu;

	begin();
	looks(50, 0, 0, 8);
	looks(50, 1, 0, 8);
	looks(50, 2, 32, 8);
	looks(50, 3, 32, 8);
	pvx_numa_group(&map);
	for (cpu = 0; cpu < CPUS; cpu++)
		tell(cpu);
	tap_ok(host_group[0] && host_group[0] == host_group[1] &&
	       host_group[2] && host_group[2] == host_group[3] &&
	       host_group[0] != host_group[2], "CPUs that share memory are in a group");
}

/* 0 and 1 have half in common, and so have 1 and 2, but not 0 and 2. */
static void first_members(void)
{
	u32 cpu, i;

	begin();
	for (cpu = 0; cpu < 3; cpu++)
		for (i = 0; i < 4; i++)
			pvx_numa_add(&map, cpu, 2 * cpu + i, 512);
	pvx_numa_group(&map);
	tap_ok(rows[1].group == rows[0].group && rows[2].group != rows[0].group,
	       "what counts is the first member of a group");
}

static void folded(void)
{
	u32 i, before;

	begin();
	looks(50, 0, 9, 4);
	tell(0);
	before = rows[0].all;
	map.blocks--;
	pvx_numa_fold(&map);
	for (i = 5; i <= 6 && rows[0].use[i]; i++)
		;
	tap_ok(map.blocks == BLOCKS / 2 && i == 7 && rows[0].use[4] && rows[0].all == before,
	       "blocks twice as large have what both had");
	tap_ok(pvx_numa_news(&map, 0) >= PVX_NUMA_MUCH, "of which the host knows nothing");
	memset(host, 0, sizeof(host));
	tell(0);
	tap_ok(sum(0, 4, 3) > 9 * PVX_NUMA_WHOLE / 10, "and is told");
}

static void gone(void)
{
	begin();
	looks(50, 0, 0, 4);
	looks(50, 0, 8, 4);
	pvx_numa_cut(&map, 6);
	tap_ok(rows[0].all && !rows[0].use[8], "what is used of memory that has gone is forgotten");
	memset(host, 0, sizeof(host));
	pvx_numa_untold(&map);
	tell(0);
	tap_ok(sum(0, 0, 4) > 9 * PVX_NUMA_WHOLE / 10 && !sum(0, 6, 10),
	       "and the host is told of the rest");
	pvx_numa_cut(&map, PVX_NUMA_GROUP);
	tap_ok(rows[0].all, "of no memory nothing is");
}

static void too_many(void)
{
	begin();
	looks(50, 0, 0, 64);
	tell_in(0, 3);
	tap_ok(sum(0, 0, 64) > 9 * PVX_NUMA_WHOLE / 10 && !pvx_numa_news(&map, 0),
	       "what does not fit in one call is told in several");
	pvx_numa_untold(&map);
	tap_ok(pvx_numa_news(&map, 0) >= PVX_NUMA_MUCH, "when the host has forgotten, all is news");
}

int main(void)
{
	tap_begin();
	shares();
	settled(4);
	settled(32);
	settled(256);
	settled(4096);
	moved();
	clearer();
	groups();
	first_members();
	folded();
	gone();
	too_many();
	return tap_done();
}
