// SPDX-License-Identifier: GPL-2.0
/*
 * Lockups, for the watchdogs to find
 *
 * A number of milliseconds written to debugfs pvx_hang/spin makes the CPU spin
 * for as long with preemption off, or until something is written to
 * debugfs pvx_hang/stop. Meanwhile debugfs pvx_hang/began is when that began, on the
 * CPU's clock of effective time in ns; it is 0 otherwise. As long as the module is loaded one grace
 * period of RCU follows another.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/rcupdate.h>

#include "clock.h"

static int grace_periods(void *unused)
{
	while (!kthread_should_stop()) {
		synchronize_rcu();
		schedule_timeout_interruptible(1);
	}
	return 0;
}

static bool stopped;
static u64 began;

static int spin(void *unused, u64 ms)
{
	u64 end = get_jiffies_64() + msecs_to_jiffies(min_t(u64, ms, 60000));

	WRITE_ONCE(stopped, false);
	preempt_disable();
	WRITE_ONCE(began, pvx_clock_read(smp_processor_id()));
	while (!READ_ONCE(stopped) && time_before64(get_jiffies_64(), end))
		cpu_relax();
	WRITE_ONCE(began, 0);
	preempt_enable();
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(spin_fops, NULL, spin, "%llu\n");

static int stop(void *unused, u64 value)
{
	WRITE_ONCE(stopped, true);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(stop_fops, NULL, stop, "%llu\n");

static struct dentry *dir;
static struct task_struct *task;

static int __init pvx_hang_init(void)
{
	task = kthread_run(grace_periods, NULL, "pvx_grace_periods");
	if (IS_ERR(task))
		return PTR_ERR(task);
	dir = debugfs_create_dir(KBUILD_MODNAME, NULL);
	debugfs_create_file_unsafe("spin", 0200, dir, NULL, &spin_fops);
	debugfs_create_file_unsafe("stop", 0200, dir, NULL, &stop_fops);
	debugfs_create_u64("began", 0400, dir, &began);
	return 0;
}

static void __exit pvx_hang_exit(void)
{
	debugfs_remove_recursive(dir);
	kthread_stop(task);
}

module_init(pvx_hang_init);
module_exit(pvx_hang_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("Lockups, for the watchdogs to find");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
