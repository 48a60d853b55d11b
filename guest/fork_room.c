// SPDX-License-Identifier: GPL-2.0
/*
 * Is there room for more copies?
 *
 * Copies cannot be taken back, and who needs memory next is killed for it where there is none
 * left. So they leave as much as they take: of what is available in all, and of what each
 * cgroup may still have, up to memory.high, since its processes are slowed down beyond that.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/page_counter.h>

#include "fork_room.h"

static bool has_margin(struct page_counter *counter, u64 pages)
{
	const unsigned long most = min(READ_ONCE(counter->max), READ_ONCE(counter->high));
	const unsigned long used = page_counter_read(counter);

	return most > used && most - used >= pages;
}

static bool may_charge(struct mm_struct *mm, u64 pages)
{
	struct mem_cgroup *memcg;
	bool may = true;

	if (mem_cgroup_disabled())
		return true;
	rcu_read_lock();
	memcg = mem_cgroup_from_task(rcu_dereference(mm->owner));
	for (; memcg && may; memcg = parent_mem_cgroup(memcg))
		may = has_margin(&memcg->memory, pages);
	rcu_read_unlock();
	return may;
}

/**
 * pvx_fork_has_room() - is there room for more copies?
 * @mm: who is to have them
 * @took: how many pages it got so far
 * @count: how many more it is to get
 *
 * Context: process context.
 */
bool pvx_fork_has_room(struct mm_struct *mm, u64 took, u32 count)
{
	const u64 pages = took + 2ULL * count;

	return si_mem_available() >= (long)pages && may_charge(mm, pages);
}
