// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of guest/numa_map.h: whatever is seen and told, the sums are right, a host takes what
 * it is told, and it knows all within an eighth then
 */
#include "input.h"
#include "../../guest/numa_map.h"
#include "../../host/numa_use.h"

#define CPUS_MAX	4
#define BLOCKS_MAX	96
#define MOST_MAX	32

static u32 use[CPUS_MAX][BLOCKS_MAX];
static u16 told[CPUS_MAX][BLOCKS_MAX];
static struct pvx_numa_row rows[CPUS_MAX];
static struct pvx_numa_map map;
static struct pvx_numa_use uses[MOST_MAX];

static void begin(struct input *in)
{
	u32 cpu;

	memset(use, 0, sizeof(use));
	memset(told, 0, sizeof(told));
	memset(rows, 0, sizeof(rows));
	for (cpu = 0; cpu < CPUS_MAX; cpu++) {
		rows[cpu].use = use[cpu];
		rows[cpu].told = told[cpu];
	}
	map.rows = rows;
	map.cpus = 1 + take_below(in, CPUS_MAX);
	map.blocks = 1 + take_below(in, BLOCKS_MAX);
}

static u64 sum_of(u32 cpu)
{
	u64 sum = 0;
	u32 block;

	for (block = 0; block < map.blocks; block++)
		sum += use[cpu][block];
	return sum;
}

static void check_sums(void)
{
	u32 cpu, block, shares;

	for (cpu = 0; cpu < map.cpus; cpu++) {
		must(rows[cpu].all == sum_of(cpu));
		for (shares = 0, block = 0; block < map.blocks; block++)
			shares += pvx_numa_share(&rows[cpu], block);
		must(shares <= PVX_NUMA_WHOLE);
		must(!rows[cpu].all || shares + map.blocks > PVX_NUMA_WHOLE);
		must(pvx_numa_news(&map, cpu) <= PVX_NUMA_WHOLE);
	}
}

static void look(struct input *in, u32 cpu)
{
	const u64 before = rows[cpu].all;
	u32 n = take(in, 1) % 8, block;

	pvx_numa_decay(&map, cpu);
	must(rows[cpu].all <= before);
	while (n--) {
		block = take_below(in, BLOCKS_MAX);
		pvx_numa_add(&map, cpu, block, take(in, 2) % 513);
	}
}

/* In calls of @most entries, as its host would have them. */
static void tell(u32 cpu, u32 most)
{
	u32 from = 0, n, i, block;
	u64 last = 0;

	while (from <= map.blocks) {
		n = pvx_numa_tell(&map, cpu, cpu + 1, &from, uses, most);
		must(n <= most);
		must(pvx_numa_first_wrong(uses, n, map.blocks) == n);
		for (i = 0; i < n; i++) {
			must(uses[i].vcpu == cpu + 1 && (u64)uses[i].block + 1 > last);
			last = (u64)uses[i].block + 1;
			pvx_numa_told(&map, cpu, &uses[i]);
		}
	}
	for (block = 0; block < map.blocks; block++)
		must(!pvx_numa_is_other(&rows[cpu], block));
	must(rows[cpu].told_group == rows[cpu].group);
}

/* Numbers of groups are in the order of their first CPUs, and who has one uses something. */
static void check_groups(void)
{
	u32 cpu, groups = 0;

	pvx_numa_group(&map);
	for (cpu = 0; cpu < map.cpus; cpu++) {
		must(rows[cpu].group <= groups + 1);
		must((rows[cpu].group == 0) == (rows[cpu].all < PVX_NUMA_LEAST));
		if (rows[cpu].group > groups)
			groups = rows[cpu].group;
	}
}

static void fold(void)
{
	const u32 blocks = map.blocks;
	u32 cpu, block;

	pvx_numa_fold(&map);
	must(map.blocks == (blocks + 1) / 2);
	for (cpu = 0; cpu < map.cpus; cpu++) {
		must(!rows[cpu].told_group);
		for (block = 0; block < map.blocks; block++)
			must(!told[cpu][block]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { .at = data, .left = size };
	u32 what, cpu;

	begin(&in);
	while (has_more(&in)) {
		what = take(&in, 1);
		cpu = what / 16 % map.cpus;
		if (what % 16 < 10)
			look(&in, cpu);
		else if (what % 16 < 13)
			tell(cpu, 1 + take_below(&in, MOST_MAX));
		else if (what % 16 == 13)
			check_groups();
		else if (what % 16 == 14)
			pvx_numa_untold(&map);
		else if (what == 15)
			fold();
		check_sums();
	}
	return 0;
}
