/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The locality map: which CPUs use which blocks of memory, and what the host knows of it
 *
 * A number per CPU and block grows with each page of the block that the CPU's process was
 * seen to use, and all of a CPU's decay while it is seen to use others. What counts is
 * each block's share of a CPU's use. The host is told of a CPU again when its shares are
 * others: at once when most of them are, and seldom when a few; and as long as little had
 * been seen of it when it was told. Compiles in user space, where it is tested.
 */
#ifndef PVX_GUEST_NUMA_MAP_H
#define PVX_GUEST_NUMA_MAP_H

#ifdef __KERNEL__
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/types.h>
#define pvx_numa_map_pause()	cond_resched()
#else
#define pvx_numa_map_pause()	((void)0)
#endif

#include <linux/kvm_pvx.h>

/* What a CPU uses in all, as the host is told. */
#define PVX_NUMA_WHOLE		60000
/* Of that, how much must be others: told soon, and told when it may be told. */
#define PVX_NUMA_MUCH		24000
#define PVX_NUMA_SOME		15000
/* CPUs have this share in common, at least, with others of their group. */
#define PVX_NUMA_COMMON		30000
/* Decay of a look: 1/32. */
#define PVX_NUMA_DECAY		5
/*
 * News are counted by classes of blocks, since of many blocks each is seen to be used so
 * seldom that chance alone makes it others each time.
 */
#define PVX_NUMA_CLASSES	16
/* Nothing is said of a CPU that was seen to use fewer pages, weighted. */
#define PVX_NUMA_LEAST		256

/**
 * struct pvx_numa_row - one CPU
 * @all: sum of its numbers
 * @told_all: what that was when the host was told last
 * @group: number of its group, from 1 on; 0: it has none
 * @told_group: what the host knows of that
 * @use: how much it uses each block
 * @told: each block's share as the host knows it, of PVX_NUMA_WHOLE
 */
struct pvx_numa_row {
	u64	all;
	u64	told_all;
	u32	group;
	u32	told_group;
	u32	*use;
	u16	*told;
};

/**
 * struct pvx_numa_map - all CPUs
 * @cpus: how many
 * @blocks: how many blocks
 * @rows: a row for each CPU
 */
struct pvx_numa_map {
	u32			cpus;
	u32			blocks;
	struct pvx_numa_row	*rows;
};

/**
 * pvx_numa_decay() - have what was seen of a CPU before count less
 * @map: the map
 * @cpu: the CPU, whose process is looked at anew
 *
 * Context: any.
 */
static inline void pvx_numa_decay(struct pvx_numa_map *map, u32 cpu)
{
	struct pvx_numa_row *row = &map->rows[cpu];
	u32 block;

	row->all = 0;
	for (block = 0; block < map->blocks; block++) {
		row->use[block] -= (row->use[block] + (1 << PVX_NUMA_DECAY) - 1) >> PVX_NUMA_DECAY;
		row->all += row->use[block];
	}
}

/**
 * pvx_numa_add() - note that a CPU's process was seen to use pages
 * @map: the map
 * @cpu: the CPU
 * @block: the pages' block; one beyond the map is left out
 * @pages: how many
 *
 * Context: any.
 */
static inline void pvx_numa_add(struct pvx_numa_map *map, u32 cpu, u32 block, u32 pages)
{
	struct pvx_numa_row *row = &map->rows[cpu];

	if (block >= map->blocks)
		return;
	row->use[block] += pages;
	row->all += pages;
}

/**
 * pvx_numa_share() - how much of what a CPU uses is a block?
 * @row: the CPU
 * @block: the block
 *
 * Context: any.
 * Return: its share, of PVX_NUMA_WHOLE.
 */
static inline u32 pvx_numa_share(const struct pvx_numa_row *row, u32 block)
{
	return row->all ? (u64)row->use[block] * PVX_NUMA_WHOLE / row->all : 0;
}

/**
 * pvx_numa_class() - of which class is a block?
 * @map: the map
 * @block: the block
 *
 * Neighbours are in one class mostly, as they are used and lie together.
 *
 * Context: any.
 * Return: the class, less than PVX_NUMA_CLASSES.
 */
static inline u32 pvx_numa_class(const struct pvx_numa_map *map, u32 block)
{
	return (u64)block * PVX_NUMA_CLASSES / map->blocks;
}

/**
 * pvx_numa_news() - how much of a CPU's use is other than the host knows?
 * @map: the map
 * @cpu: the CPU
 *
 * Context: any.
 * Return: how much, of PVX_NUMA_WHOLE; 0 if too little was seen of it.
 */
static inline u32 pvx_numa_news(const struct pvx_numa_map *map, u32 cpu)
{
	const struct pvx_numa_row *row = &map->rows[cpu];
	u32 is[PVX_NUMA_CLASSES] = { 0 }, told[PVX_NUMA_CLASSES] = { 0 };
	u32 block, i, news = 0;

	if (row->all < PVX_NUMA_LEAST)
		return 0;
	for (block = 0; block < map->blocks; block++) {
		i = pvx_numa_class(map, block);
		is[i] += pvx_numa_share(row, block);
		told[i] += row->told[block];
	}
	for (i = 0; i < PVX_NUMA_CLASSES; i++)
		if (is[i] > told[i])
			news += is[i] - told[i];
	return news;
}

/**
 * pvx_numa_is_clearer() - was twice as much seen of a CPU as when the host was told?
 * @map: the map
 * @cpu: the CPU
 *
 * The host takes blocks that a few looks missed by chance for unused, and each of these is too
 * little to be news. Since old looks decay, there is an end to that.
 *
 * Context: any.
 * Return: true if so.
 */
static inline bool pvx_numa_is_clearer(const struct pvx_numa_map *map, u32 cpu)
{
	const struct pvx_numa_row *row = &map->rows[cpu];

	return row->all >= PVX_NUMA_LEAST && row->all >= 2 * row->told_all;
}

/**
 * pvx_numa_common() - how much of what they use do two CPUs have in common?
 * @map: the map
 * @a: one
 * @b: the other one
 *
 * Context: any.
 * Return: how much, of PVX_NUMA_WHOLE; 0 if too little was seen of either.
 */
static inline u32 pvx_numa_common(const struct pvx_numa_map *map, u32 a, u32 b)
{
	const struct pvx_numa_row *x = &map->rows[a], *y = &map->rows[b];
	u32 block, i, j, common = 0;

	if (x->all < PVX_NUMA_LEAST || y->all < PVX_NUMA_LEAST)
		return 0;
	for (block = 0; block < map->blocks; block++) {
		if (!x->use[block] || !y->use[block])
			continue;
		i = pvx_numa_share(x, block);
		j = pvx_numa_share(y, block);
		common += i < j ? i : j;
	}
	return common;
}

/**
 * pvx_numa_group() - guess which CPUs share memory
 * @map: the map
 *
 * A CPU joins the first group of whose first member's memory it uses half.
 *
 * Context: process context, may sleep.
 */
static inline void pvx_numa_group(struct pvx_numa_map *map)
{
	u32 a, b, seen, groups = 0;

	for (a = 0; a < map->cpus; a++) {
		map->rows[a].group = 0;
		if (map->rows[a].all < PVX_NUMA_LEAST)
			continue;
		for (b = seen = 0; b < a && !map->rows[a].group; b++) {
			/* Numbers ascend with the first members. */
			if (map->rows[b].group <= seen)
				continue;
			seen = map->rows[b].group;
			if (pvx_numa_common(map, a, b) >= PVX_NUMA_COMMON)
				map->rows[a].group = seen;
			pvx_numa_map_pause();
		}
		if (!map->rows[a].group)
			map->rows[a].group = ++groups;
	}
}

/**
 * pvx_numa_is_other() - is a block's share another one than the host knows?
 * @row: the CPU
 * @block: the block
 *
 * Context: any.
 * Return: true if so, by more than an eighth.
 */
static inline bool pvx_numa_is_other(const struct pvx_numa_row *row, u32 block)
{
	const u32 share = pvx_numa_share(row, block), told = row->told[block];

	return (share > told ? share - told : told - share) * 8 > told;
}

/**
 * pvx_numa_tell() - what the host is to be told of a CPU
 * @map: the map
 * @cpu: the CPU
 * @id: its APIC id
 * @from: the first block to tell of; set to the one behind the last, or to the map's blocks
 *	and one when that was all
 * @uses: filled
 * @most: how many there may be, at least 1
 *
 * Context: any.
 * Return: how many entries there are.
 */
static inline u32 pvx_numa_tell(const struct pvx_numa_map *map, u32 cpu, u32 id, u32 *from,
				struct pvx_numa_use *uses, u32 most)
{
	const struct pvx_numa_row *row = &map->rows[cpu];
	u32 n = 0;

	for (; *from < map->blocks && n < most; ++*from)
		if (pvx_numa_is_other(row, *from))
			uses[n++] = (struct pvx_numa_use){
				.vcpu = id, .block = *from,
				.weight = pvx_numa_share(row, *from),
			};
	if (*from != map->blocks || n == most)
		return n;
	++*from;
	if (row->group != row->told_group)
		uses[n++] = (struct pvx_numa_use){
			.vcpu = id, .block = PVX_NUMA_GROUP, .weight = row->group,
		};
	return n;
}

/**
 * pvx_numa_told() - note that the host was told of a CPU
 * @map: the map
 * @cpu: the CPU
 * @use: what it was told, of pvx_numa_tell()
 *
 * Context: any.
 */
static inline void pvx_numa_told(struct pvx_numa_map *map, u32 cpu,
				 const struct pvx_numa_use *use)
{
	if (use->block == PVX_NUMA_GROUP)
		map->rows[cpu].told_group = use->weight;
	else
		map->rows[cpu].told[use->block] = use->weight;
}

/**
 * pvx_numa_told_all() - note that this is all that there is to tell of a CPU now
 * @map: the map
 * @cpu: the CPU
 *
 * Context: any.
 */
static inline void pvx_numa_told_all(struct pvx_numa_map *map, u32 cpu)
{
	map->rows[cpu].told_all = map->rows[cpu].all;
}

/**
 * pvx_numa_cut() - note that memory has gone
 * @map: the map
 * @from: of blocks from here on nothing is used any more; there need not be any
 *
 * Context: any.
 */
static inline void pvx_numa_cut(struct pvx_numa_map *map, u32 from)
{
	u32 cpu, block;

	for (cpu = 0; cpu < map->cpus; cpu++)
		for (block = from; block < map->blocks; block++) {
			map->rows[cpu].all -= map->rows[cpu].use[block];
			map->rows[cpu].use[block] = 0;
		}
}

/**
 * pvx_numa_untold() - note that the host knows nothing any more
 * @map: the map
 *
 * Context: any.
 */
static inline void pvx_numa_untold(struct pvx_numa_map *map)
{
	u32 cpu;

	for (cpu = 0; cpu < map->cpus; cpu++) {
		memset(map->rows[cpu].told, 0, map->blocks * sizeof(*map->rows[cpu].told));
		map->rows[cpu].told_group = 0;
		map->rows[cpu].told_all = 0;
	}
}

/**
 * pvx_numa_fold() - make blocks twice as large
 * @map: the map; has half as many then, and the host knows nothing of these
 *
 * Context: process context, may sleep.
 */
static inline void pvx_numa_fold(struct pvx_numa_map *map)
{
	u32 cpu, block, *use;

	for (cpu = 0; cpu < map->cpus; cpu++) {
		use = map->rows[cpu].use;
		for (block = 0; block < map->blocks; block += 2)
			use[block / 2] = use[block] +
				(block + 1 < map->blocks ? use[block + 1] : 0);
		pvx_numa_map_pause();
	}
	map->blocks = (map->blocks + 1) / 2;
	pvx_numa_untold(map);
}

#endif /* PVX_GUEST_NUMA_MAP_H */
