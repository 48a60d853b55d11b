// SPDX-License-Identifier: GPL-2.0
/*
 * Is there room for more copies?
 *
 * Copies cannot be taken back, and who needs memory next is killed for it where there is none
 * left. So those of one fork leave as much as they take, and those of all forks an eighth of all
 * memory, of that of the node they are on, since some may have no other's, and of what each cgroup
 * may have, up to memory.high, since its processes are slowed down beyond that.
 */
#include <linux/cgroup.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/page_counter.h>

#include "fork_room.h"

/* What others are left of so much memory, as one part of it in so many. */
#define LEFT_TO_OTHERS	8

/* How much must be free before so many pages more are taken. */
static u64 margin(u64 most, u64 took, u32 count)
{
	return max(took + 2ULL * count, most / LEFT_TO_OTHERS + count);
}

/* Of one node, as si_mem_available() has it of all of them, but for slab; @most: all it has. */
static u64 available_on(int node, u64 *most)
{
	u64 files = 0, low = 0, free = 0, kept = 0;
	struct zone *zone;
	int i;

	*most = 0;
	for (i = 0; i < MAX_NR_ZONES; i++) {
		zone = &NODE_DATA(node)->node_zones[i];
		if (!populated_zone(zone))
			continue;
		*most += zone_managed_pages(zone);
		free += zone_page_state(zone, NR_FREE_PAGES);
		files += zone_page_state(zone, NR_ZONE_ACTIVE_FILE) +
			 zone_page_state(zone, NR_ZONE_INACTIVE_FILE);
		low += low_wmark_pages(zone);
		kept += high_wmark_pages(zone);
	}
	free += files - min(files / 2, low);
	return free > kept ? free - kept : 0;
}

/* May who has the memory have no other node's? */
static bool is_bound(struct mm_struct *mm)
{
	struct task_struct *owner;
	bool bound;

	rcu_read_lock();
	owner = rcu_dereference(mm->owner);
	bound = owner && nodes_weight(owner->mems_allowed) == 1;
	rcu_read_unlock();
	return bound;
}

/* Where there is one only, it has what is available of all. */
static bool node_has_margin(struct mm_struct *mm, int node, u64 took, u32 count)
{
	u64 most, available;

	if (num_online_nodes() == 1)
		return true;
	available = available_on(node, &most);
	/* Who has others, took some of these. */
	return available >= margin(most, is_bound(mm) ? took : 0, count);
}

static bool has_margin(struct page_counter *counter, u64 took, u32 count)
{
	const unsigned long most = min(READ_ONCE(counter->max), READ_ONCE(counter->high));
	const unsigned long used = page_counter_read(counter);

	/* Of one that has no limit no part is asked. */
	if (most >= totalram_pages())
		return true;
	return most > used && most - used >= margin(most, took, count);
}

/* Version 1 of cgroups has a limit of memory and swap together, too. */
static bool memcg_has_margin(struct mem_cgroup *memcg, u64 took, u32 count)
{
	if (!cgroup_subsys_on_dfl(memory_cgrp_subsys) && !has_margin(&memcg->memsw, took, count))
		return false;
	return has_margin(&memcg->memory, took, count);
}

static bool may_charge(struct mm_struct *mm, u64 took, u32 count)
{
	struct mem_cgroup *memcg;
	bool may = true;

	if (mem_cgroup_disabled())
		return true;
	rcu_read_lock();
	memcg = mem_cgroup_from_task(rcu_dereference(mm->owner));
	for (; memcg && may; memcg = parent_mem_cgroup(memcg))
		may = memcg_has_margin(memcg, took, count);
	rcu_read_unlock();
	return may;
}

/**
 * pvx_fork_has_room() - is there room for more copies?
 * @mm: who is to have them
 * @node: on which node, about
 * @took: how many pages it got so far after this fork
 * @count: how many more it is to get
 *
 * Context: process context.
 */
bool pvx_fork_has_room(struct mm_struct *mm, int node, u64 took, u32 count)
{
	return si_mem_available() >= (long)margin(totalram_pages(), took, count) &&
	       node_has_margin(mm, node, took, count) && may_charge(mm, took, count);
}
