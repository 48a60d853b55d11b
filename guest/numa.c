// SPDX-License-Identifier: GPL-2.0
/*
 * NUMA locality hints: telling the host which CPUs use which memory
 *
 * A thread looks once in a while at what running processes use, and keeps a map of it.
 * The host is told when the map has changed; a guest that does the same all the time, or
 * nothing, makes no calls. Where nothing runs it is looked ever more seldom.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/freezer.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/timer.h>

#include "fault.h"
#include "numa_map.h"
#include "numa_sample.h"
#include "numa_sysfs.h"
#include "pvx_guest.h"
#include "table.h"
#include "trace.h"

static unsigned int permille = 5;
module_param(permille, uint, 0644);
MODULE_PARM_DESC(permille,
	"Share of one CPU's time in permille that looking may take, at most 1000 (default 5; 0: none)");

static unsigned int block_mib = 16;
module_param(block_mib, uint, 0444);
MODULE_PARM_DESC(block_mib,
	"MiB of a block of memory, a power of two from 2 to 1024 (default 16)");

/* Looks are so far apart at least, whatever they may cost. */
#define LOOK_MS		200ULL
/* As long as none finds anybody who runs, each is twice as far from the last one, up to so far. */
#define IDLE_MS		10000ULL
/* Who is not to look, or has nobody to tell, sees so soon whether that has changed. */
#define UNWANTED_MS	1000ULL
/* What has changed is told so soon after it was told before; if again, in twice that time. */
#define TELL_MIN_S	1U
#define TELL_MAX_S	60U
/* After so long without a call there is one, to find out whether the host has forgotten all. */
#define ASK_S		60U

/* So often, and so far apart, it is tried to withdraw all. */
#define WITHDRAW_TRIES	20
#define WITHDRAW_MS	100
/* A host that writes to our page is through after that. */
#define PAGE_MS		200

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
/* The first block that the host says it does not know. */
static u32 unknown = U32_MAX;
static struct pvx_numa_use *uses;
static struct pvx_numa_nodes *nodes;
static struct task_struct *thread;
/* The CPU of each entry that is sent. */
static u16 cpu_of[PVX_NUMA_USES_MAX];

/*
 * told - when the host was told
 * @at: of what was new, in jiffies
 * @next_s: when it may be told of that next, in seconds after it
 * @called_at: of anything, in jiffies
 * @busy_s: for how long it was left alone since it was busy, in seconds; 0: it was not
 * @unfinished: it does not know all that it was to be told
 * @granted: whether it was to be told at all when we looked last
 * @active: whether something was seen to be used since
 * @known: whether the host has shown since in our page that it knows something
 */
static struct {
	unsigned long	at;
	u32		next_s;
	unsigned long	called_at;
	u32		busy_s;
	bool		unfinished;
	bool		granted;
	bool		active;
	bool		known;
} told;

/*
 * alarm - what wakes the thread
 * @timer: when
 * @sleeper: the thread
 * @interrupted: the process that ran then, held; NULL if none did. While the thread looks,
 *	nobody else runs on its CPU, and a guest may have only that one
 */
static struct {
	struct timer_list	timer;
	struct task_struct	*sleeper;
	struct task_struct	*interrupted;
} alarm;

/* Held while it is looked and told. */
static DEFINE_MUTEX(look_lock);
/* The kernel ends, and nothing is to be told any more. */
static bool ends;

static void count(enum numa_stat stat, u64 n)
{
	WRITE_ONCE(stats[stat], stats[stat] + n);
}

/* --- the map's memory ------------------------------------------------------- */

static void free_rows(struct pvx_numa_row *rows)
{
	u32 cpu;

	for (cpu = 0; rows && cpu < map.cpus; cpu++) {
		kvfree(rows[cpu].use);
		kvfree(rows[cpu].told);
	}
	kvfree(rows);
}

static struct pvx_numa_row *alloc_rows(u32 blocks)
{
	const gfp_t gfp = GFP_KERNEL | __GFP_NOWARN;
	struct pvx_numa_row *rows = kvcalloc(map.cpus, sizeof(*rows), gfp);
	u32 cpu;

	for (cpu = 0; rows && cpu < map.cpus; cpu++) {
		rows[cpu].use = kvcalloc(blocks, sizeof(*rows[cpu].use), gfp);
		rows[cpu].told = kvcalloc(blocks, sizeof(*rows[cpu].told), gfp);
		if (!rows[cpu].use || !rows[cpu].told) {
			free_rows(rows);
			return NULL;
		}
	}
	return rows;
}

static u32 blocks_of_memory(void)
{
	return min(((u64)pvx_guest_end_of_memory() << PAGE_SHIFT >> block_shift) + 1, (u64)unknown);
}

static int alloc_map(void)
{
	map.cpus = nr_cpu_ids;
	map.blocks = blocks_of_memory();
	map.rows = alloc_rows(map.blocks);
	return map.rows ? 0 : -ENOMEM;
}

static void copy_row(struct pvx_numa_row *to, const struct pvx_numa_row *from)
{
	to->all = from->all;
	to->told_all = from->told_all;
	to->group = from->group;
	to->told_group = from->told_group;
	memcpy(to->use, from->use, map.blocks * sizeof(*from->use));
	memcpy(to->told, from->told, map.blocks * sizeof(*from->told));
}

/* Memory may have been plugged in. As long as there is none for a larger map, that stays. */
static void grow_map(void)
{
	const u32 blocks = blocks_of_memory();
	struct pvx_numa_row *rows;
	u32 cpu;

	if (blocks <= map.blocks)
		return;
	rows = alloc_rows(blocks);
	if (!rows)
		return;
	for (cpu = 0; cpu < map.cpus; cpu++)
		copy_row(&rows[cpu], &map.rows[cpu]);
	free_rows(map.rows);
	map.rows = rows;
	map.blocks = blocks;
}

/* --- telling ------------------------------------------------------------------ */

static void tell_again_in(u32 seconds)
{
	told.at = jiffies;
	told.next_s = seconds;
	told.unfinished = true;
}

/* The host has no room for so many blocks. */
static void enlarge_blocks(void)
{
	if (block_shift == PVX_NUMA_SHIFT_MAX) {
		pr_warn_once("the host has no room for what this guest has to tell\n");
		told.next_s = TELL_MAX_S;
		return;
	}
	block_shift++;
	unknown = U32_MAX;
	pvx_numa_fold(&map);
	pr_info("the host wants larger blocks, of %u MiB now\n", 1U << (block_shift - 20));
	tell_again_in(TELL_MIN_S);
}

/* The host knows nothing of what it was told. */
static void tell_all_again(void)
{
	unknown = U32_MAX;
	pvx_numa_untold(&map);
	tell_again_in(TELL_MIN_S);
}

/* Each time that nothing is taken, twice as late. */
static void tell_again_later(void)
{
	told.busy_s = clamp(2 * told.busy_s, TELL_MIN_S, TELL_MAX_S);
	tell_again_in(told.busy_s);
}

/* The host knows no such block any more, and has forgotten what it knew of others. */
static void note_gone(u32 block)
{
	pvx_numa_cut(&map, block);
	unknown = min(unknown, block);
	map.blocks = min(map.blocks, block);
	pvx_numa_untold(&map);
	tell_again_later();
}

/* When is the host to be told next? */
static void note_answer(s64 ret)
{
	switch (ret) {
	case 0:
		break;
	case PVX_NUMA_AGAIN:
		tell_all_again();
		break;
	case -PVX_E_BUSY:
		tell_again_later();
		break;
	case -PVX_E_ARG(2):
		enlarge_blocks();
		break;
	default:
		told.next_s = TELL_MAX_S;
		/* Without the grant: when that is back, however soon, all is told anew. */
		told.granted = pvx_guest_has(PVX_F_NUMA);
	}
}

/* False if the host did not take it; then the map may have other blocks. */
static bool send(u32 n)
{
	s64 ret = pvx_guest_call(PVX_F_NUMA, PVX_HC_NUMA, virt_to_phys(uses), n, block_shift,
				 virt_to_phys(nodes));
	u32 i;

	told.called_at = jiffies;
	count(NUMA_STAT_CALLS, 1);
	count(NUMA_STAT_ENTRIES, n);
	trace_numa_sent(n, ret);
	if (ret == -PVX_E_BUSY)
		count(NUMA_STAT_BUSY, 1);
	else if (ret < 0)
		count(NUMA_STAT_FAILED, 1);
	if (ret <= -PVX_E_ENTRY(0) && ret > -PVX_E_ENTRY(n))
		note_gone(uses[-ret - PVX_E_ENTRY(0)].block);
	else
		note_answer(ret);
	if (ret < 0)
		return false;
	for (i = 0; i < n; i++)
		pvx_numa_told(&map, cpu_of[i], &uses[i]);
	return true;
}

/* Of which CPU the host has not been told, in order of their APIC ids; -1: of none. */
static int next_cpu(int id)
{
	int cpu, next = -1;

	for_each_present_cpu(cpu) {
		if ((int)cpu_physical_id(cpu) <= id ||
		    (next >= 0 && cpu_physical_id(cpu) > cpu_physical_id(next)))
			continue;
		next = cpu;
	}
	return next;
}

/* In as many calls as it takes, up to one that the host does not take. */
static void tell_all(void)
{
	u32 n = 0, from, more;
	int cpu, id = -1;

	pvx_numa_group(&map);
	while ((cpu = next_cpu(id)) >= 0) {
		id = cpu_physical_id(cpu);
		if (map.rows[cpu].all < PVX_NUMA_LEAST)
			continue;
		for (from = 0; from <= map.blocks;) {
			more = pvx_numa_tell(&map, cpu, id, &from, uses + n,
					     PVX_NUMA_USES_MAX - n);
			while (more--)
				cpu_of[n++] = cpu;
			if (n < PVX_NUMA_USES_MAX)
				continue;
			if (!send(n))
				return;
			told.busy_s = 0;
			n = 0;
		}
		pvx_numa_told_all(&map, cpu);
		cond_resched();
	}
	if (!n || send(n))
		told.busy_s = 0;
}

/* Any entry, of a CPU that has some. */
static void ask(void)
{
	u32 cpu;

	for_each_present_cpu(cpu) {
		if (!map.rows[cpu].told_group)
			continue;
		uses[0] = (struct pvx_numa_use){
			.vcpu = cpu_physical_id(cpu), .block = PVX_NUMA_GROUP,
			.weight = map.rows[cpu].told_group,
		};
		cpu_of[0] = cpu;
		send(1);
		return;
	}
}

static u32 most_news(void)
{
	u32 cpu, most = 0;

	for_each_present_cpu(cpu) {
		most = max(most, pvx_numa_news(&map, cpu));
		cond_resched();
	}
	return most;
}

/* Is there a CPU of which the host was told by too few looks? */
static bool is_clearer(void)
{
	u32 cpu;

	for_each_present_cpu(cpu)
		if (pvx_numa_is_clearer(&map, cpu))
			return true;
	return false;
}

/*
 * As the host writes to our page when memory or vCPUs came or went. A guest that does nothing
 * need not tell it anew.
 */
static void note_forgotten(void)
{
	if (READ_ONCE(nodes->nodes)) {
		told.known = true;
		return;
	}
	if (!told.known || !told.active)
		return;
	told.known = false;
	tell_all_again();
}

static bool is_past(unsigned long since, u32 seconds)
{
	return time_after(jiffies, since + seconds * HZ);
}

/* Much is told soon, and some once in a while. */
static bool has_changed(void)
{
	u32 news;

	if (told.unfinished)
		return true;
	news = most_news();
	return news >= PVX_NUMA_MUCH || (is_past(told.at, TELL_MAX_S) && news >= PVX_NUMA_SOME);
}

static void tell_now(void)
{
	told.at = jiffies;
	told.active = told.unfinished = false;
	tell_all();
}

/*
 * What has changed is told soon at first, and seldom where the host is told again and again,
 * or takes nothing. What is only clearer than it was puts nothing off.
 */
static void tell(void)
{
	const bool may = is_past(told.at, told.next_s), changed = may && has_changed();

	if (changed)
		told.next_s = clamp(2 * told.next_s, TELL_MIN_S, TELL_MAX_S);
	if (changed || (may && is_clearer())) {
		tell_now();
		return;
	}
	if (is_past(told.at, 2 * TELL_MAX_S))
		told.next_s = TELL_MIN_S;
	if (!is_past(told.called_at, ASK_S) || !told.active)
		return;
	told.active = false;
	ask();
}

/*
 * The host writes to our page until it is told that it must not; or an earlier kernel's. It
 * may be busy for a moment. False if it has not heard of that.
 */
static bool withdraw(void)
{
	u32 tries;
	s64 ret;

	for (tries = 0; tries < WITHDRAW_TRIES && pvx_guest_has(PVX_F_NUMA); tries++) {
		ret = pvx_guest_call(PVX_F_NUMA, PVX_HC_NUMA, 0, 0, 0, 0);
		if (ret != -PVX_E_BUSY)
			return !ret;
		msleep(WITHDRAW_MS);
	}
	return false;
}

/*
 * A host that has not heard of that finds that the page is not ours any more, but not if it is
 * at it just now. Then it is false, since nobody knows for how long its thread may be stopped.
 */
static bool take_page_back(void)
{
	if (withdraw())
		return true;
	WRITE_ONCE(nodes->cookie, 0);
	msleep(PAGE_MS);
	return !stats[NUMA_STAT_CALLS];
}

/* Another host, or the same one after a while, knows nothing. */
static bool is_granted(void)
{
	const bool granted = pvx_guest_has(PVX_F_NUMA);

	if (granted && !told.granted) {
		unknown = U32_MAX;
		pvx_numa_untold(&map);
		told.next_s = TELL_MIN_S;
		told.busy_s = 0;
		told.known = false;
		told.at = jiffies - TELL_MIN_S * HZ - 1;
	}
	told.granted = granted;
	return granted;
}

/* --- the thread --------------------------------------------------------------- */

/* What this thread has used of its CPU by when it slept last. */
static u64 own_ns(void)
{
	return READ_ONCE(current->se.sum_exec_runtime);
}

static void ring(struct timer_list *unused)
{
	if (!(current->flags & PF_KTHREAD))
		alarm.interrupted = get_task_struct(current);
	wake_up_process(alarm.sleeper);
}

static void sleep_for(u64 ms)
{
	set_current_state(TASK_INTERRUPTIBLE);
	if (!kthread_should_stop()) {
		mod_timer(&alarm.timer, jiffies + msecs_to_jiffies(ms));
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	/* Somebody else may have been faster. */
	del_timer_sync(&alarm.timer);
}

static void put_interrupted(void)
{
	if (alarm.interrupted)
		put_task_struct(alarm.interrupted);
	alarm.interrupted = NULL;
}

static void pause(u64 used_ns, u64 least_ms)
{
	const u32 share = min(READ_ONCE(permille), 1000U);
	u64 ms = share ? div_u64(used_ns * (1000 / share), NSEC_PER_MSEC) : 0;

	sleep_for(max(ms, least_ms));
}

/* Returns whether somebody runs. */
static bool look(void)
{
	bool runs;

	grow_map();
	runs = pvx_numa_sample(&map, block_shift, alarm.interrupted);
	told.active |= runs;
	count(NUMA_STAT_LOOKS, 1);
	note_forgotten();
	tell();
	return runs;
}

/* Returns how long it is to wait at least for the next time, and is told how long it was. */
static u64 look_if_wanted(u64 ms)
{
	mutex_lock(&look_lock);
	if (ends || !READ_ONCE(permille) || !is_granted())
		ms = UNWANTED_MS;
	else
		ms = look() ? LOOK_MS : min(2 * ms, IDLE_MS);
	/* The host may have written there that it knows nothing any more. */
	pvx_numa_sysfs_look();
	mutex_unlock(&look_lock);
	put_interrupted();
	return ms;
}

static int look_again_and_again(void *unused)
{
	u64 before = own_ns(), used = 0, ms = LOOK_MS;

	set_freezable();
	alarm.sleeper = current;
	withdraw();
	while (!kthread_should_stop()) {
		ms = look_if_wanted(ms);
		/* For what the last one cost; what this one did is known behind the pause. */
		pause(used, ms);
		used = own_ns() - before;
		before += used;
		try_to_freeze();
	}
	put_interrupted();
	return 0;
}

/* What comes next, as after kexec, is not to have its memory written to. */
static int on_reboot(struct notifier_block *unused, unsigned long action, void *data)
{
	mutex_lock(&look_lock);
	ends = true;
	take_page_back();
	mutex_unlock(&look_lock);
	return NOTIFY_DONE;
}

static struct notifier_block reboot_notifier = {
	.notifier_call = on_reboot,
};

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
	free_rows(map.rows);
}

static int start(void)
{
	int err = pvx_numa_sysfs_init(nodes);

	if (err)
		return err;
	timer_setup(&alarm.timer, ring, 0);
	thread = kthread_run(look_again_and_again, NULL, "pvx_numa");
	if (IS_ERR(thread)) {
		pvx_numa_sysfs_exit();
		return PTR_ERR(thread);
	}
	register_reboot_notifier(&reboot_notifier);
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
	err = pvx_table_init();
	if (!err)
		err = alloc_all() ?: start();
	if (err)
		free_all();
	return err;
}

static void __exit pvx_guest_numa_exit(void)
{
	bool is_ours;

	debugfs_remove(file);
	unregister_reboot_notifier(&reboot_notifier);
	kthread_stop(thread);
	is_ours = take_page_back();
	pvx_numa_sysfs_exit();
	/* Rather lost than written to when it is another one's. */
	if (!is_ours)
		nodes = NULL;
	free_all();
}

module_init(pvx_guest_numa_init);
module_exit(pvx_guest_numa_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("KVM guest side of kvm-pvx: NUMA locality hints");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
