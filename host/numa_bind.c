// SPDX-License-Identifier: GPL-2.0
/*
 * Keeping a vCPU's thread on a node's CPUs
 *
 * Always inside of what the thread is allowed by its operator or libvirt, which is noted
 * first and given back at the end, and of its cpuset. Where that changes meanwhile, the new
 * one is theirs, and what we had set is over. When the kernel has widened a mask because
 * all of its CPUs went offline, it is not the operator who did so, and the old one holds.
 */
#include <linux/atomic.h>
#include <linux/cpuhotplug.h>
#include <linux/cpuset.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/static_call.h>
#include <linux/topology.h>

#include "compat.h"
#include "fault.h"
#include "numa_bind.h"
#include "pvx_host.h"

static void allowed_anywhere(struct task_struct *task, struct cpumask *mask)
{
	cpumask_copy(mask, cpu_possible_mask);
}

/* cpuset_cpus_allowed(), which is not exported. */
DEFINE_STATIC_CALL(pvx_cpuset_allowed, allowed_anywhere);

static long set_nothing(pid_t pid, const struct cpumask *mask)
{
	return -ENOSYS;
}

/* sched_setaffinity(), neither. */
DEFINE_STATIC_CALL(pvx_setaffinity, set_nothing);

/* Grows with each CPU that comes, before it is in use, or goes. */
static atomic_t hotplugs;
static int hotplug_state;

static int note_hotplug(unsigned int cpu)
{
	atomic_inc(&hotplugs);
	return 0;
}

/**
 * pvx_numa_bind_init() - begin to watch CPUs come and go
 *
 * Context: process context, may sleep.
 * Return: 0 or a negative errno.
 */
int pvx_numa_bind_init(void)
{
	const unsigned long cpuset = pvx_host_find("cpuset_cpus_allowed");
	const unsigned long set = pvx_host_find("sched_setaffinity");

	if (!cpuset || !set)
		return -ENOENT;
	static_call_update(pvx_cpuset_allowed, (typeof(&allowed_anywhere))cpuset);
	static_call_update(pvx_setaffinity, (typeof(&set_nothing))set);
	hotplug_state = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "kvm_pvx/numa:online",
						  note_hotplug, note_hotplug);
	return min(hotplug_state, 0);
}

/**
 * pvx_numa_bind_exit() - watch no longer
 *
 * Context: process context, may sleep; nothing is bound any more.
 */
void pvx_numa_bind_exit(void)
{
	cpuhp_remove_state_nocalls(hotplug_state);
}

/**
 * pvx_numa_bind_alloc() - make room for a thread's state
 * @bind: the state, all 0
 *
 * Context: process context, may sleep.
 * Return: false if there is no memory for it; to be freed all the same.
 */
bool pvx_numa_bind_alloc(struct pvx_numa_bind *bind)
{
	return zalloc_cpumask_var(&bind->theirs, GFP_KERNEL_ACCOUNT) &&
	       zalloc_cpumask_var(&bind->ours, GFP_KERNEL_ACCOUNT) &&
	       zalloc_cpumask_var(&bind->mask, GFP_KERNEL_ACCOUNT);
}

/**
 * pvx_numa_bind_free() - free a thread's state
 * @bind: the state, of no thread any more
 *
 * Context: process context.
 */
void pvx_numa_bind_free(struct pvx_numa_bind *bind)
{
	free_cpumask_var(bind->theirs);
	free_cpumask_var(bind->ours);
	free_cpumask_var(bind->mask);
}

/* What the thread is allowed now. */
static void read_mask(struct task_struct *task, struct cpumask *mask)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&task->pi_lock, flags);
	cpumask_copy(mask, &task->cpus_mask);
	raw_spin_unlock_irqrestore(&task->pi_lock, flags);
}

static void let_go(struct pvx_numa_bind *bind)
{
	put_task_struct(bind->task);
	bind->task = NULL;
}

/*
 * The kernel lets it run anywhere, and has dropped what user space had set. So that it holds
 * again, also when its cpuset changes, it is set as by user space. False if that is refused.
 */
static bool set_again(const struct pvx_numa_bind *bind)
{
	const pid_t pid = task_pid_vnr(bind->task);

	/* 0 would be ourselves. */
	return pid && !static_call(pvx_setaffinity)(pid, bind->theirs);
}

/* As far as its cpuset lets us; before 6.2 that tells only of CPUs that are online. */
static void find_theirs(struct pvx_numa_bind *bind)
{
	int cpu;

	static_call(pvx_cpuset_allowed)(bind->task, bind->mask);
	for_each_cpu(cpu, bind->theirs)
		if (!PVX_AFFINITY_IS_KEPT && !cpu_online(cpu))
			cpumask_set_cpu(cpu, bind->mask);
	cpumask_and(bind->mask, bind->mask, bind->theirs);
}

/* Kernels that keep what user space sets cut what is asked for to that, even if it is new. */
static void set_as_kept(struct pvx_numa_bind *bind)
{
	static_call(pvx_cpuset_allowed)(bind->task, bind->mask);
	set_cpus_allowed_ptr(bind->task, bind->mask);
}

static bool is_kept(const struct pvx_numa_bind *bind)
{
	return PVX_AFFINITY_IS_KEPT && pvx_affinity_token(bind->task);
}

static void restore(struct pvx_numa_bind *bind)
{
	if (pvx_affinity_was_dropped(bind->task, bind->token) && set_again(bind))
		return;
	if (is_kept(bind)) {
		set_as_kept(bind);
		return;
	}
	find_theirs(bind);
	if (!cpumask_empty(bind->mask))
		set_cpus_allowed_ptr(bind->task, bind->mask);
	/* Somebody has set it just now. */
	if (is_kept(bind))
		set_as_kept(bind);
}

/*
 * May it run on all that its cpuset allows, and user space, where that is kept? What we had set is
 * over, so there is room in that.
 */
static bool is_all(struct pvx_numa_bind *bind)
{
	static_call(pvx_cpuset_allowed)(bind->task, bind->ours);
	cpumask_and(bind->ours, bind->ours, cpu_online_mask);
	if (is_kept(bind))
		cpumask_and(bind->ours, bind->ours, bind->theirs);
	return cpumask_subset(bind->ours, bind->mask);
}

/*
 * Its CPUs went offline, and the kernel lets it run on any then, whatever was set, and keeps
 * nothing of that. They may have come back since. In a cpuset it does so whichever CPU of that
 * comes or goes.
 */
static bool was_broken(struct pvx_numa_bind *bind)
{
	if (pvx_affinity_was_dropped(bind->task, bind->token))
		return true;
	if (pvx_affinity_was_set(bind->task, bind->token))
		return false;
	if (!cpumask_intersects(bind->ours, cpu_active_mask))
		return true;
	return atomic_read(&hotplugs) != bind->hotplugs && is_all(bind);
}

/**
 * pvx_numa_bind_look() - has somebody else changed a thread's affinity?
 * @bind: the thread
 *
 * If so, or if the kernel has, what we set is over.
 *
 * Context: process context, may sleep.
 * Return: true if somebody has.
 */
bool pvx_numa_bind_look(struct pvx_numa_bind *bind)
{
	/* Before the mask: what comes later than this may be why that is another one next time. */
	const int before = atomic_read(&hotplugs);
	u64 token;

	if (!bind->task)
		return false;
	token = pvx_affinity_token(bind->task);
	read_mask(bind->task, bind->mask);
	if (cpumask_equal(bind->mask, bind->ours) &&
	    !pvx_affinity_was_repeated(bind->task, bind->token)) {
		bind->hotplugs = before;
		/* A call that was refused is no reason for what comes later. */
		bind->token = token;
		return false;
	}
	if (was_broken(bind)) {
		restore(bind);
		let_go(bind);
		return false;
	}
	let_go(bind);
	return true;
}

/**
 * pvx_numa_allowed() - where a thread may be, by all but us
 * @bind: its state
 * @task: the thread
 * @allowed: set to that
 *
 * Context: process context.
 */
void pvx_numa_allowed(struct pvx_numa_bind *bind, struct task_struct *task,
		      struct cpumask *allowed)
{
	static_call(pvx_cpuset_allowed)(task, allowed);
	if (bind->task != task)
		read_mask(task, bind->mask);
	cpumask_and(allowed, allowed, bind->task == task ? bind->theirs : bind->mask);
}

/*
 * Whoever has set a thread's affinity between our look and our own setting has it narrowed by
 * that, or undone.
 */
static void give_to_others(struct pvx_numa_bind *bind)
{
	if (!pvx_affinity_was_set(bind->task, bind->token))
		return;
	read_mask(bind->task, bind->mask);
	/*
	 * Where it is not kept, and came before ours, it is lost; what was allowed before does not
	 * keep it on our node.
	 */
	if (PVX_AFFINITY_IS_KEPT || cpumask_equal(bind->mask, bind->ours))
		restore(bind);
}

/* Sets a thread's mask, which is @ours then, unless somebody else did so just now. */
static bool set_ours(struct pvx_numa_bind *bind, struct task_struct *task)
{
	if (set_cpus_allowed_ptr(task, bind->mask)) {
		restore(bind);
		return false;
	}
	cpumask_copy(bind->ours, bind->mask);
	/* A cpuset that was changed meanwhile holds. */
	static_call(pvx_cpuset_allowed)(task, bind->mask);
	if (!cpumask_subset(bind->ours, bind->mask)) {
		set_as_kept(bind);
		return false;
	}
	read_mask(task, bind->mask);
	return cpumask_equal(bind->mask, bind->ours) &&
	       !pvx_affinity_was_set(task, bind->token);
}

/**
 * pvx_numa_bind() - keep a thread on a node's CPUs
 * @bind: its state
 * @task: the thread
 * @node: the node
 *
 * Context: process context, may sleep.
 * Return: false if it may not be there, or somebody else has it now.
 */
bool pvx_numa_bind(struct pvx_numa_bind *bind, struct task_struct *task, int node)
{
	if (bind->task && bind->task != task)
		pvx_numa_unbind(bind);
	if (pvx_numa_bind_look(bind))
		return false;
	/* In this order: who sets it in between is seen. */
	if (!bind->task) {
		bind->hotplugs = atomic_read(&hotplugs);
		bind->token = pvx_affinity_token(task);
		read_mask(task, bind->theirs);
	}
	static_call(pvx_cpuset_allowed)(task, bind->mask);
	cpumask_and(bind->mask, bind->mask, bind->theirs);
	pvx_affinity_cut(task, bind->mask);
	if (!cpumask_and(bind->mask, bind->mask, cpumask_of_node(node))) {
		pvx_numa_unbind(bind);
		return false;
	}
	if (bind->task && cpumask_equal(bind->mask, bind->ours))
		return true;
	if (!bind->task)
		bind->task = get_task_struct(task);
	if (set_ours(bind, task))
		return true;
	give_to_others(bind);
	let_go(bind);
	return false;
}

/**
 * pvx_numa_unbind() - give a thread back what it was allowed
 * @bind: the thread
 *
 * Context: process context, may sleep.
 * Return: false if it was not held, or somebody else has set another affinity since.
 */
bool pvx_numa_unbind(struct pvx_numa_bind *bind)
{
	if (pvx_numa_bind_look(bind) || !bind->task)
		return false;
	restore(bind);
	let_go(bind);
	return true;
}
