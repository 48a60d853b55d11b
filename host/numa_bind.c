// SPDX-License-Identifier: GPL-2.0
/*
 * Keeping a vCPU's thread on a node's CPUs
 *
 * Always inside of what the thread is allowed by its operator, a cpuset or libvirt, which
 * is noted first and given back at the end. Where that changes meanwhile, the new one is
 * theirs, and what we had set is over. When the kernel has taken a thread's CPUs away
 * because they went offline, it is not the operator who widened the mask, and the old one
 * holds on.
 */
#include <linux/atomic.h>
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/topology.h>

#include "compat.h"
#include "numa_bind.h"

/* How many CPUs have gone since we were loaded. */
static atomic_t breaks = ATOMIC_INIT(0);
static enum cpuhp_state hotplug_state;

static int cpu_goes(unsigned int cpu)
{
	atomic_inc(&breaks);
	return 0;
}

int pvx_numa_bind_init(void)
{
	int state = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "pvx/numa:online", NULL,
					      cpu_goes);

	if (state < 0)
		return state;
	hotplug_state = state;
	return 0;
}

void pvx_numa_bind_exit(void)
{
	cpuhp_remove_state_nocalls(hotplug_state);
}

/* False if there is no memory for it; to be freed all the same. */
bool pvx_numa_bind_alloc(struct pvx_numa_bind *bind)
{
	return zalloc_cpumask_var(&bind->theirs, GFP_KERNEL_ACCOUNT) &&
	       zalloc_cpumask_var(&bind->ours, GFP_KERNEL_ACCOUNT);
}

void pvx_numa_bind_free(struct pvx_numa_bind *bind)
{
	free_cpumask_var(bind->theirs);
	free_cpumask_var(bind->ours);
}

static void let_go(struct pvx_numa_bind *bind)
{
	put_task_struct(bind->task);
	bind->task = NULL;
}

static bool is_as_we_set_it(const struct pvx_numa_bind *bind)
{
	return cpumask_equal(bind->task->cpus_ptr, bind->ours) &&
	       pvx_affinity_token(bind->task) == bind->token;
}

/**
 * pvx_numa_bind_look() - has somebody else changed a thread's affinity?
 * @bind: the thread
 *
 * If so, what we set is over.
 *
 * Context: process context, may sleep.
 * Return: true if it was.
 */
bool pvx_numa_bind_look(struct pvx_numa_bind *bind)
{
	if (!bind->task || is_as_we_set_it(bind))
		return false;
	if (atomic_read(&breaks) != bind->breaks && pvx_affinity_token(bind->task) == bind->token)
		set_cpus_allowed_ptr(bind->task, bind->theirs);
	let_go(bind);
	return true;
}

/**
 * pvx_numa_allowed() - where a thread may be, by all but us
 * @bind: its state
 * @task: the thread
 *
 * Context: any.
 */
const struct cpumask *pvx_numa_allowed(struct pvx_numa_bind *bind, struct task_struct *task)
{
	return bind->task == task ? bind->theirs : task->cpus_ptr;
}

/**
 * pvx_numa_bind() - keep a thread on a node's CPUs
 * @bind: its state; pvx_numa_bind_look() was called
 * @task: the thread
 * @node: the node
 *
 * Context: process context, may sleep.
 * Return: false if it may not be there.
 */
bool pvx_numa_bind(struct pvx_numa_bind *bind, struct task_struct *task, int node)
{
	if (bind->task && bind->task != task)
		pvx_numa_unbind(bind);
	if (!bind->task)
		cpumask_copy(bind->theirs, task->cpus_ptr);
	bind->breaks = atomic_read(&breaks);
	if (!cpumask_and(bind->ours, bind->theirs, cpumask_of_node(node)) ||
	    set_cpus_allowed_ptr(task, bind->ours)) {
		pvx_numa_unbind(bind);
		return false;
	}
	if (!bind->task)
		bind->task = get_task_struct(task);
	/* A cpuset may have left fewer of them. */
	cpumask_copy(bind->ours, task->cpus_ptr);
	bind->token = pvx_affinity_token(task);
	return true;
}

/**
 * pvx_numa_unbind() - give a thread back what it was allowed
 * @bind: the thread
 *
 * Context: process context, may sleep.
 */
void pvx_numa_unbind(struct pvx_numa_bind *bind)
{
	if (!bind->task || pvx_numa_bind_look(bind))
		return;
	set_cpus_allowed_ptr(bind->task, bind->theirs);
	let_go(bind);
}
