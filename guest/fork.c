// SPDX-License-Identifier: GPL-2.0
/*
 * Batched fork-copy: after a fork, one of the two processes gets its own memory
 *
 * Parent and child share their pages after a fork, and each first write to one traps,
 * gets a page and copies. Here one of them is given copies of all at once, in
 * batches which the host copies in one exit, and the other may write to what it has
 * alone then. Only for processes that asked for it, see fork_dev.c.
 *
 * A hook before wake_up_new_task() knows both, and the child does not run yet. Modes:
 * eager, in which the child waits until all is done; and background, in which a
 * worker does it while both run, see fork_job.c.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cred.h>
#include <linux/debugfs.h>
#include <linux/ftrace.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/static_call.h>

#include "compat.h"
#include "fork.h"
#include "fork_job.h"
#include "fork_mm.h"
#include "ksym.h"
#include "pvx_guest.h"
#include "trace.h"

/* Replacements of wake_up_new_task() that are under way. */
static atomic_t under_way;

/* --- the hook -------------------------------------------------------------- */

static void wake_nothing(struct task_struct *task)
{
}

DEFINE_STATIC_CALL(pvx_wake_up_new_task, wake_nothing);

/*
 * Who executes a set-uid or set-gid program does not say what becomes of its memory, nor of its
 * children.
 */
static bool is_entitled(const struct pvx_fork_setting *setting)
{
	return uid_eq(setting->euid, GLOBAL_ROOT_UID) ||
	       (uid_eq(setting->euid, current_euid()) && gid_eq(setting->egid, current_egid()));
}

static void tell_apart_as(struct pvx_fork_process *process, struct pvx_fork_setting setting,
			  struct task_struct *child)
{
	u64 pages;

	if (setting.mode == PVX_FORK_OFF || !is_entitled(&setting))
		return;
	pvx_fork_inherit(&setting, child);
	if (!child->mm || child->mm == current->mm)
		return;
	pages = get_mm_counter(child->mm, MM_ANONPAGES);
	if (pages >= setting.least_pages)
		pvx_fork_privatise(process, &setting, child, pages);
	else
		trace_fork_begun(task_tgid_nr(current), setting.mode, setting.side, pages, 0,
				 -ERANGE);
}

static void tell_apart(struct task_struct *child)
{
	struct pvx_fork_process *process = pvx_fork_process_get(current);

	if (!process)
		return;
	tell_apart_as(process, pvx_fork_setting_of(process), child);
	pvx_fork_process_put(process);
}

/* Runs instead of wake_up_new_task(), in kernel_clone(). */
static noinline void tell_apart_and_wake(struct task_struct *child)
{
	tell_apart(child);
	static_call(pvx_wake_up_new_task)(child);
	/* Not the last thing done here: that would be a jump, see on_new_task(). */
	atomic_dec(&under_way);
}

/* A process, and no thread, whose parent asked for it. */
static bool is_wanted(const struct task_struct *task)
{
	return current->mm && task->tgid != current->tgid && pvx_fork_is_set(current);
}

static void on_new_task(unsigned long ip, unsigned long parent_ip,
			struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct task_struct *task = (struct task_struct *)pvx_fregs(fregs)->di;

	if (within_module(parent_ip, THIS_MODULE) || !is_wanted(task))
		return;
	atomic_inc(&under_way);
	pvx_set_ip(fregs, (unsigned long)tell_apart_and_wake);
}

static struct pvx_hook hooks[] = {
	PVX_HOOK("wake_up_new_task", on_new_task, FTRACE_OPS_FL_IPMODIFY,
		 "cannot see forks"),
};

static int find_wake(void)
{
	unsigned long address = pvx_ksym_find("wake_up_new_task");

	if (!address)
		return -ENOENT;
	static_call_update(pvx_wake_up_new_task, (typeof(&wake_nothing))address);
	return 0;
}

/* Nobody enters any more; who is inside comes out soon. */
static void wait_for_all(void)
{
	while (atomic_read(&under_way))
		schedule_timeout_uninterruptible(1);
	/* The last instructions behind that. */
	synchronize_rcu_tasks();
}

/* --- the module ------------------------------------------------------------ */

static int fork_show(struct seq_file *m, void *unused)
{
	static const char * const names[PVX_FORK_COUNTERS] = {
		[PVX_FORK_FORKS] = "forks",
		[PVX_FORK_PRIVATISED] = "privatised",
		[PVX_FORK_OWNED] = "owned",
		[PVX_FORK_BY_HOST] = "by_host",
		[PVX_FORK_BY_GUEST] = "by_guest",
		[PVX_FORK_CALLS] = "calls",
		[PVX_FORK_CHANGED] = "changed",
		[PVX_FORK_NO_MEMORY] = "no_memory",
		[PVX_FORK_COPY_NS] = "copy_ns",
		[PVX_FORK_NS] = "ns",
		[PVX_FORK_THREADS] = "threads",
	};
	int i;

	for (i = 0; i < PVX_FORK_COUNTERS; i++)
		seq_printf(m, "%s=%llu\n", names[i], pvx_fork_job_count(i));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(fork);

static struct dentry *file;

static int __init pvx_guest_fork_init(void)
{
	int err;

	err = pvx_fork_mm_init() ?: find_wake() ?: pvx_fork_job_init();
	if (err)
		return err;
	err = pvx_hooks_install(hooks, ARRAY_SIZE(hooks));
	if (err)
		goto job;
	/* Last, since who opens it holds us. */
	err = pvx_fork_dev_init();
	if (err)
		goto hooks;
	file = debugfs_create_file("fork", 0444, pvx_guest_debugfs, NULL, &fork_fops);
	return 0;

hooks:
	pvx_hooks_remove(hooks, ARRAY_SIZE(hooks));
	wait_for_all();
job:
	pvx_fork_job_exit();
	return err;
}

static void __exit pvx_guest_fork_exit(void)
{
	debugfs_remove(file);
	pvx_fork_job_stop();
	pvx_hooks_remove(hooks, ARRAY_SIZE(hooks));
	wait_for_all();
	pvx_fork_job_exit();
	pvx_fork_dev_exit();
}

module_init(pvx_guest_fork_init);
module_exit(pvx_guest_fork_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("KVM guest side of kvm-pvx: batched fork-copy");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
