// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/pvx_fork: which processes want their memory told apart when they fork
 *
 * A setting belongs to a process, passes to its children, and outlives exec. Settings
 * of processes that have ended go when another one comes to their place in the table.
 */
#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "fork.h"

/**
 * struct process - one that has a setting
 * @node: in the table
 * @pid: of its thread group, held
 * @setting: the setting
 * @rcu: for freeing
 */
struct process {
	struct hlist_node	node;
	struct pid		*pid;
	struct pvx_fork_setting	setting;
	struct rcu_head		rcu;
};

static DEFINE_HASHTABLE(processes, 8);
static DEFINE_SPINLOCK(processes_lock);

/* With the table's lock or RCU held. */
static struct process *find(struct pid *pid)
{
	struct process *process;

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
	bool found;

	rcu_read_lock();
	found = find(task_tgid(task));
	rcu_read_unlock();
	return found;
}

static bool setting_of(struct pid *pid, struct pvx_fork_setting *setting)
{
	struct process *process;

	rcu_read_lock();
	process = find(pid);
	if (process)
		*setting = process->setting;
	rcu_read_unlock();
	return process;
}

static void free_process(struct rcu_head *rcu)
{
	struct process *process = container_of(rcu, struct process, rcu);

	put_pid(process->pid);
	kfree(process);
}

/* Takes out @pid's, and those of processes that have ended, from its place. */
static void take_out(struct pid *pid)
{
	struct hlist_node *next;
	struct process *process;

	hash_for_each_possible_safe(processes, process, next, node, (unsigned long)pid) {
		if (process->pid != pid && pid_task(process->pid, PIDTYPE_TGID))
			continue;
		hash_del_rcu(&process->node);
		call_rcu(&process->rcu, free_process);
	}
}

static int set(struct pid *pid, const struct pvx_fork_setting *setting)
{
	struct process *process = kzalloc(sizeof(*process), GFP_KERNEL_ACCOUNT);

	if (!process)
		return -ENOMEM;
	process->pid = get_pid(pid);
	process->setting = *setting;
	spin_lock(&processes_lock);
	rcu_read_lock();	/* for pid_task() */
	take_out(pid);
	rcu_read_unlock();
	hash_add_rcu(processes, &process->node, (unsigned long)pid);
	spin_unlock(&processes_lock);
	return 0;
}

static void unset(struct pid *pid)
{
	spin_lock(&processes_lock);
	rcu_read_lock();
	take_out(pid);
	rcu_read_unlock();
	spin_unlock(&processes_lock);
}

/**
 * pvx_fork_inherit() - give a child its parent's setting
 * @child: a process that current has forked, and that does not run yet
 * @setting: set to the setting
 *
 * Context: process context, may sleep.
 * Return: false if there is none.
 */
bool pvx_fork_inherit(struct task_struct *child, struct pvx_fork_setting *setting)
{
	if (!setting_of(task_tgid(current), setting))
		return false;
	/* Without memory for it the child's own forks are stock's. */
	set(task_tgid(child), setting);
	return true;
}

/* --- the device ------------------------------------------------------------ */

static int is_right(const struct pvx_fork_control *control)
{
	return control->mode <= PVX_FORK_BACKGROUND && control->side <= PVX_FORK_PARENT &&
	       !control->reserved;
}

static int get(void __user *user, struct pvx_fork_control *control)
{
	u32 size;

	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < sizeof(*control))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(control, sizeof(*control), user, size);
}

static int do_set(void __user *user)
{
	struct pvx_fork_control control;
	struct pvx_fork_setting setting;
	int err = get(user, &control);

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
		.least_pages = control.least_bytes >> PAGE_SHIFT,
	};
	return set(task_tgid(current), &setting);
}

static int do_get(void __user *user)
{
	struct pvx_fork_control control;
	struct pvx_fork_setting setting;
	int err = get(user, &control);

	if (err)
		return err;
	control.mode = PVX_FORK_OFF;
	control.side = PVX_FORK_CHILD;
	control.least_bytes = 0;
	if (setting_of(task_tgid(current), &setting)) {
		control.mode = setting.mode;
		control.side = setting.side;
		control.least_bytes = setting.least_pages << PAGE_SHIFT;
	}
	return copy_to_user(user, &control, sizeof(control)) ? -EFAULT : 0;
}

static long fork_ioctl(struct file *file, unsigned int command, unsigned long arg)
{
	switch (command) {
	case PVX_IOC_FORK_SET:
		return do_set((void __user *)arg);
	case PVX_IOC_FORK_GET:
		return do_get((void __user *)arg);
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

void pvx_fork_dev_exit(void)
{
	struct hlist_node *next;
	struct process *process;
	int bucket;

	misc_deregister(&fork_device);
	hash_for_each_safe(processes, bucket, next, process, node) {
		hash_del_rcu(&process->node);
		call_rcu(&process->rcu, free_process);
	}
	rcu_barrier();
}
