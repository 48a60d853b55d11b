// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/pvx_fork: which processes want their memory told apart when they fork
 *
 * A setting belongs to a process, passes to its children, and outlives exec; but unless root
 * made it, not with another effective user or group. One that is taken back is kept, as one of
 * nothing. Those of processes that have ended go by and by.
 */
#include <linux/compat.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "fault.h"
#include "fork.h"

static unsigned int least_kib = 4096;
module_param(least_kib, uint, 0644);
MODULE_PARM_DESC(least_kib,
	"KiB of anonymous memory that a process must have where it does not say (default 4096)");

/* All of the table is gone over in 256 of these, and for each setting that is made. */
#define SWEEP_TICKS	HZ

static DEFINE_HASHTABLE(processes, 8);
static DEFINE_SPINLOCK(processes_lock);

/* --- the table ------------------------------------------------------------- */

/* With the table's lock or RCU held. */
static struct pvx_fork_process *find(struct pid *pid)
{
	struct pvx_fork_process *process;

	hash_for_each_possible_rcu(processes, process, node, (unsigned long)pid,
				   lockdep_is_held(&processes_lock))
		if (process->pid == pid)
			return process;
	return NULL;
}

/**
 * pvx_fork_is_set() - has a task's process a setting?
 * @task: the task
 *
 * Context: any but NMI.
 */
bool pvx_fork_is_set(struct task_struct *task)
{
	const struct pvx_fork_process *process;
	bool is_set;

	rcu_read_lock();
	process = find(task_tgid(task));
	is_set = process && READ_ONCE(process->setting.mode) != PVX_FORK_OFF;
	rcu_read_unlock();
	return is_set;
}

/**
 * pvx_fork_process_get() - find a task's process
 * @task: the task
 *
 * Context: any but NMI.
 * Return: what is to be given to pvx_fork_process_put(), or NULL if it has no setting.
 */
struct pvx_fork_process *pvx_fork_process_get(struct task_struct *task)
{
	struct pvx_fork_process *process;

	rcu_read_lock();
	process = find(task_tgid(task));
	if (process && !refcount_inc_not_zero(&process->refs))
		process = NULL;
	rcu_read_unlock();
	return process;
}

/* Any context but NMI. */
void pvx_fork_process_put(struct pvx_fork_process *process)
{
	if (!refcount_dec_and_test(&process->refs))
		return;
	put_pid(process->pid);
	kfree_rcu(process, rcu);
}

static void remove(struct pvx_fork_process *process)
{
	hash_del_rcu(&process->node);
	pvx_fork_process_put(process);
}

/* Those of processes that have ended, of one place after the other. With the lock held. */
static void sweep(void)
{
	static unsigned int bucket;
	struct pvx_fork_process *process;
	struct hlist_node *next;

	rcu_read_lock();	/* for pid_task() */
	hlist_for_each_entry_safe(process, next, &processes[bucket], node)
		if (!pid_task(process->pid, PIDTYPE_TGID))
			remove(process);
	rcu_read_unlock();
	bucket = (bucket + 1) % HASH_SIZE(processes);
}

static void sweep_by_and_by(struct work_struct *work);
static DECLARE_DEFERRABLE_WORK(sweeping, sweep_by_and_by);

/* As long as there is something. */
static void sweep_by_and_by(struct work_struct *work)
{
	bool empty;

	spin_lock(&processes_lock);
	sweep();
	empty = hash_empty(processes);
	spin_unlock(&processes_lock);
	if (!empty)
		schedule_delayed_work(&sweeping, SWEEP_TICKS);
}

static struct pvx_fork_process *alloc_process(struct pid *pid)
{
	/* A fork that passes a setting on is not to have anybody killed for it. */
	struct pvx_fork_process *process = kzalloc(sizeof(*process), GFP_KERNEL_ACCOUNT |
						   __GFP_NORETRY | __GFP_NOWARN);

	if (!process)
		return NULL;
	process->pid = get_pid(pid);
	refcount_set(&process->refs, 1);
	return process;
}

static int set(struct pid *pid, const struct pvx_fork_setting *setting)
{
	struct pvx_fork_process *new = alloc_process(pid), *process;

	if (!new)
		return -ENOMEM;
	spin_lock(&processes_lock);
	sweep();
	process = find(pid);
	/* Its counters go on. */
	if (process) {
		process->setting = *setting;
	} else {
		new->setting = *setting;
		hash_add_rcu(processes, &new->node, (unsigned long)pid);
	}
	spin_unlock(&processes_lock);
	if (process)
		pvx_fork_process_put(new);
	else
		schedule_delayed_work(&sweeping, SWEEP_TICKS);
	return 0;
}

/* Its counters, and its jobs that go on, stay known. */
static void unset(struct pid *pid)
{
	struct pvx_fork_process *process;

	spin_lock(&processes_lock);
	sweep();
	process = find(pid);
	if (process)
		WRITE_ONCE(process->setting.mode, PVX_FORK_OFF);
	spin_unlock(&processes_lock);
}

/**
 * pvx_fork_setting_of() - what a process wants now
 * @process: the process
 *
 * Context: process context.
 */
struct pvx_fork_setting pvx_fork_setting_of(struct pvx_fork_process *process)
{
	struct pvx_fork_setting setting;

	spin_lock(&processes_lock);
	setting = process->setting;
	spin_unlock(&processes_lock);
	return setting;
}

/**
 * pvx_fork_inherit() - give a child its parent's setting
 * @setting: the parent's
 * @child: the child, which does not run yet
 *
 * Without memory for it the child's own forks are stock's.
 *
 * Context: process context, may sleep.
 */
void pvx_fork_inherit(const struct pvx_fork_setting *setting, struct task_struct *child)
{
	set(task_tgid(child), setting);
}

/* --- the device ------------------------------------------------------------ */

static int is_right(const struct pvx_fork_control *control)
{
	return control->mode <= PVX_FORK_BACKGROUND && control->side <= PVX_FORK_PARENT &&
	       !control->reserved;
}

/* What user space gives, of which the first @size bytes are known here. */
static int get(void __user *user, void *structure, size_t known)
{
	u32 size;

	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < known)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(structure, known, user, size);
}

static int do_set(void __user *user)
{
	struct pvx_fork_control control;
	struct pvx_fork_setting setting;
	int err = get(user, &control, sizeof(control));

	if (err)
		return err;
	if (!is_right(&control))
		return -EINVAL;
	if (control.mode == PVX_FORK_OFF) {
		unset(task_tgid(current));
		return 0;
	}
	setting = (struct pvx_fork_setting){
		.mode = control.mode,
		.side = control.side,
		.euid = current_euid(),
		.egid = current_egid(),
		.least_pages = control.least_bytes ? control.least_bytes >> PAGE_SHIFT :
						     READ_ONCE(least_kib) >> (PAGE_SHIFT - 10),
	};
	return set(task_tgid(current), &setting);
}

static void fill_control(struct pvx_fork_control *control, struct pvx_fork_setting setting)
{
	if (setting.mode == PVX_FORK_OFF)
		return;
	control->mode = setting.mode;
	control->side = setting.side;
	control->least_bytes = setting.least_pages << PAGE_SHIFT;
}

static int do_get(void __user *user)
{
	struct pvx_fork_process *process;
	struct pvx_fork_control control;
	int err = get(user, &control, sizeof(control));

	if (err)
		return err;
	control = (struct pvx_fork_control){ .size = control.size };
	process = pvx_fork_process_get(current);
	if (process) {
		fill_control(&control, pvx_fork_setting_of(process));
		pvx_fork_process_put(process);
	}
	return copy_to_user(user, &control, sizeof(control)) ? -EFAULT : 0;
}

static void fill(struct pvx_fork_status *status, const struct pvx_fork_process *process)
{
	const atomic64_t *counters = process->counters;

	status->running = atomic_read(&process->running);
	status->forks = atomic64_read(&counters[PVX_FORK_FORKS]);
	status->privatised = atomic64_read(&counters[PVX_FORK_PRIVATISED]);
	status->owned = atomic64_read(&counters[PVX_FORK_OWNED]);
	status->by_host = atomic64_read(&counters[PVX_FORK_BY_HOST]);
	status->by_guest = atomic64_read(&counters[PVX_FORK_BY_GUEST]);
	status->calls = atomic64_read(&counters[PVX_FORK_CALLS]);
	status->changed = atomic64_read(&counters[PVX_FORK_CHANGED]);
	status->no_memory = atomic64_read(&counters[PVX_FORK_NO_MEMORY]);
	status->copy_ns = atomic64_read(&counters[PVX_FORK_COPY_NS]);
	status->ns = atomic64_read(&counters[PVX_FORK_NS]);
	status->threads = atomic64_read(&counters[PVX_FORK_THREADS]);
}

static int do_status(void __user *user)
{
	struct pvx_fork_process *process;
	struct pvx_fork_status status;
	int err = get(user, &status, sizeof(status));

	if (err)
		return err;
	status = (struct pvx_fork_status){ .size = status.size };
	process = pvx_fork_process_get(current);
	if (process) {
		fill(&status, process);
		pvx_fork_process_put(process);
	}
	return copy_to_user(user, &status, sizeof(status)) ? -EFAULT : 0;
}

static long fork_ioctl(struct file *file, unsigned int command, unsigned long arg)
{
	switch (command) {
	case PVX_IOC_FORK_SET:
		return do_set((void __user *)arg);
	case PVX_IOC_FORK_GET:
		return do_get((void __user *)arg);
	case PVX_IOC_FORK_STATUS:
		return do_status((void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations fork_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= fork_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static struct miscdevice fork_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "pvx_fork",
	.fops	= &fork_fops,
	.mode	= 0666,
};

int pvx_fork_dev_init(void)
{
	return misc_register(&fork_device);
}

/* When nobody forks through us any more. */
void pvx_fork_dev_exit(void)
{
	struct pvx_fork_process *process;
	struct hlist_node *next;
	int bucket;

	misc_deregister(&fork_device);
	cancel_delayed_work_sync(&sweeping);
	spin_lock(&processes_lock);
	hash_for_each_safe(processes, bucket, next, process, node)
		remove(process);
	spin_unlock(&processes_lock);
}
