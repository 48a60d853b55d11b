// SPDX-License-Identifier: GPL-2.0
/*
 * NUMA locality hints: telling the host which CPUs use which memory
 *
 * A thread looks once in a while at what running processes use, and keeps a map of it.
 * The host is told when the map has changed; a guest that does the same all the time, or
 * nothing, makes no calls.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/freezer.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/memory.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include "numa_map.h"
#include "numa_sample.h"
#include "numa_sysfs.h"
#include "pvx_guest.h"
#include "trace.h"

static unsigned int permille = 5;
module_param(permille, uint, 0644);
MODULE_PARM_DESC(permille,
	"Share of one CPU's time in permille that looking may take, at most 1000 (default 5; 0: none)");

static unsigned int block_mib = 16;
module_param(block_mib, uint, 0444);
MODULE_PARM_DESC(block_mib,
	"MiB of a block of memory, a power of two from 2 to 1024 (default 16)");

/* Looks are so far apart at least, whatever they may cost, and so far at most. */
#define LOOK_MS		200U
#define LOOK_MAX_MS	5000U
/* What has changed a bit only is told so seldom. */
#define SOME_JIFFIES	(60 * HZ)

enum numa_stat {
	NUMA_STAT_LOOKS,
	NUMA_STAT_CALLS,
	NUMA_STAT_ENTRIES,
	NUMA_STAT_BUSY,
	NUMA_STAT_FAILED,
	NR_NUMA_STATS,
};

static u64 stats[NR_NUMA_STATS];

static struct pvx_numa_map map;
static u32 block_shift;
static struct pvx_numa_use *uses;
static struct pvx_numa_nodes *nodes;
static struct task_struct *thread;
static unsigned long told_some;

static void count(enum numa_stat stat, u64 n)
{
	WRITE_ONCE(stats[stat], stats[stat] + n);
}

/* --- the map's memory ------------------------------------------------------- */

static void free_map(void)
{
	u32 cpu;

	for (cpu = 0; map.rows && cpu < map.cpus; cpu++) {
		kvfree(map.rows[cpu].use);
		kvfree(map.rows[cpu].told);
	}
	kvfree(map.rows);
	map.rows = NULL;
}

static int alloc_map(void)
{
	struct pvx_numa_row *row;
	u32 cpu;

	map.cpus = nr_cpu_ids;
	/* With room for what may be plugged in. */
	map.blocks = ((u64)max_possible_pfn << PAGE_SHIFT >> block_shift) + 1;
	map.rows = kvcalloc(map.cpus, sizeof(*map.rows), GFP_KERNEL);
	if (!map.rows)
		return -ENOMEM;
	for (cpu = 0; cpu < map.cpus; cpu++) {
		row = &map.rows[cpu];
		row->use = kvcalloc(map.blocks, sizeof(*row->use), GFP_KERNEL);
		row->told = kvcalloc(map.blocks, sizeof(*row->told), GFP_KERNEL);
		if (!row->use || !row->told) {
			free_map();
			return -ENOMEM;
		}
	}
	return 0;
}

/* --- telling ------------------------------------------------------------------ */

/* False if the host has no room for it now. */
static bool send(u32 n)
{
	s64 ret = pvx_guest_call(PVX_F_NUMA, PVX_HC_NUMA, virt_to_phys(uses), n, block_shift,
				 virt_to_phys(nodes));

	count(NUMA_STAT_CALLS, 1);
	count(NUMA_STAT_ENTRIES, n);
	trace_numa_sent(n, ret);
	if (ret == -PVX_E_BUSY)
		count(NUMA_STAT_BUSY, 1);
	else if (ret < 0)
		count(NUMA_STAT_FAILED, 1);
	/* All but this is forgotten: what was told before is told again, in the next look. */
	if (ret)
		pvx_numa_untold(&map);
	return ret >= 0;
}

static bool is_news(u32 cpu, bool some)
{
	return pvx_numa_news(&map, cpu) >= (some ? PVX_NUMA_SOME : PVX_NUMA_MUCH);
}

static bool has_news(void)
{
	const bool some = time_after(jiffies, told_some + SOME_JIFFIES);
	u32 cpu;

	for (cpu = 0; cpu < map.cpus; cpu++)
		if (is_news(cpu, some))
			return true;
	return false;
}

/* APIC ids ascend with the CPUs' numbers, or the host says that they do not. */
static void tell_all(void)
{
	u32 cpu, n = 0, more;

	pvx_numa_group(&map);
	told_some = jiffies;
	for (cpu = 0; cpu < map.cpus; cpu++) {
		if (!cpu_possible(cpu) || map.rows[cpu].all < PVX_NUMA_LEAST)
			continue;
		more = pvx_numa_tell(&map, cpu, cpu_physical_id(cpu), uses + n,
				     PVX_NUMA_USES_MAX - n);
		/* A CPU alone may have more than fit in a call: these are left out. */
		if (more > PVX_NUMA_USES_MAX - n) {
			if (n && !send(n))
				return;
			n = 0;
			more = pvx_numa_tell(&map, cpu, cpu_physical_id(cpu), uses,
					     PVX_NUMA_USES_MAX);
			if (more > PVX_NUMA_USES_MAX)
				continue;
		}
		n += more;
	}
	if (n)
		send(n);
}

/* --- the thread --------------------------------------------------------------- */

static u64 own_ns(void)
{
	return READ_ONCE(current->se.sum_exec_runtime);
}

static void pause(u64 used_ns)
{
	const u32 share = clamp(READ_ONCE(permille), 1U, 1000U);
	u64 ms = div_u64(used_ns, NSEC_PER_MSEC) * 1000 / share;

	schedule_timeout_interruptible(msecs_to_jiffies(clamp_t(u64, ms, LOOK_MS, LOOK_MAX_MS)));
}

static void look(void)
{
	pvx_numa_sample(&map, block_shift);
	count(NUMA_STAT_LOOKS, 1);
	if (has_news())
		tell_all();
	pvx_numa_sysfs_look();
}

static int look_again_and_again(void *unused)
{
	u64 before;

	set_freezable();
	sched_set_normal(current, 19);
	while (!kthread_should_stop()) {
		before = own_ns();
		if (READ_ONCE(permille) && pvx_guest_has(PVX_F_NUMA))
			look();
		pause(own_ns() - before);
		try_to_freeze();
	}
	return 0;
}

/* --- the module --------------------------------------------------------------- */

static int numa_show(struct seq_file *m, void *unused)
{
	static const char * const names[NR_NUMA_STATS] = {
		[NUMA_STAT_LOOKS] = "looks",
		[NUMA_STAT_CALLS] = "calls",
		[NUMA_STAT_ENTRIES] = "entries",
		[NUMA_STAT_BUSY] = "busy",
		[NUMA_STAT_FAILED] = "failed",
	};
	int i;

	for (i = 0; i < NR_NUMA_STATS; i++)
		seq_printf(m, "%s=%llu\n", names[i], READ_ONCE(stats[i]));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(numa);

static struct dentry *file;

static int alloc_all(void)
{
	int err = alloc_map();

	if (err)
		return err;
	uses = alloc_pages_exact(PVX_NUMA_USES_MAX * sizeof(*uses), GFP_KERNEL);
	nodes = (void *)get_zeroed_page(GFP_KERNEL);
	if (!uses || !nodes)
		return -ENOMEM;
	memset(nodes->node, PVX_NUMA_NOWHERE, sizeof(nodes->node));
	nodes->cookie = get_random_u64() | 1;
	return 0;
}

static void free_all(void)
{
	free_page((unsigned long)nodes);
	if (uses)
		free_pages_exact(uses, PVX_NUMA_USES_MAX * sizeof(*uses));
	free_map();
}

static int start(void)
{
	int err = pvx_numa_sysfs_init(nodes);

	if (err)
		return err;
	told_some = jiffies - SOME_JIFFIES;
	thread = kthread_run(look_again_and_again, NULL, "pvx_numa");
	if (IS_ERR(thread)) {
		pvx_numa_sysfs_exit();
		return PTR_ERR(thread);
	}
	file = debugfs_create_file("numa", 0444, pvx_guest_debugfs, NULL, &numa_fops);
	return 0;
}

static int __init pvx_guest_numa_init(void)
{
	int err;

	if (!is_power_of_2(block_mib) || block_mib < 2 || block_mib > 1024) {
		pr_err("block_mib is a power of two from 2 to 1024, not %u\n", block_mib);
		return -EINVAL;
	}
	block_shift = 20 + ilog2(block_mib);
	err = pvx_numa_sample_init();
	if (!err)
		err = alloc_all() ?: start();
	if (err)
		free_all();
	return err;
}

/* The host writes to our page until it is told that it must not. */
static void withdraw(void)
{
	if (pvx_guest_has(PVX_F_NUMA))
		pvx_guest_call(PVX_F_NUMA, PVX_HC_NUMA, 0, 0, 0, 0);
}

static void __exit pvx_guest_numa_exit(void)
{
	debugfs_remove(file);
	kthread_stop(thread);
	withdraw();
	pvx_numa_sysfs_exit();
	free_all();
}

module_init(pvx_guest_numa_init);
module_exit(pvx_guest_numa_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("KVM guest side of kvm-pvx: NUMA locality hints");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
