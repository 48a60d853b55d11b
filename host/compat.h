/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All that differs between the kernels the host modules are built for
 *
 * Supported: 6.1 to 6.12. What a header or Module.symvers can tell is probed
 * (PVX_HAVE_*, set by the Makefile); the rest compares versions, here only.
 */
#ifndef PVX_HOST_COMPAT_H
#define PVX_HOST_COMPAT_H

#include <linux/atomic.h>
#include <linux/ftrace.h>
#include <linux/hash.h>
#include <linux/hrtimer.h>
#include <linux/kvm_host.h>
#include <linux/sched.h>
#include <linux/version.h>

/* From 6.13 on an hrtimer and its function are set up in one call. */
static inline void
pvx_hrtimer_setup_on_stack(struct hrtimer *timer,
			   enum hrtimer_restart (*function)(struct hrtimer *timer),
			   enum hrtimer_mode mode)
{
#ifdef PVX_HAVE_hrtimer_setup
	hrtimer_setup_on_stack(timer, function, CLOCK_MONOTONIC, mode);
#else
	hrtimer_init_on_stack(timer, CLOCK_MONOTONIC, mode);
	timer->function = function;
#endif
}

/* The arguments of a traced function; opaque from 6.13 on. */
#ifdef arch_ftrace_regs
#define pvx_fregs(fregs)	(&arch_ftrace_regs(fregs)->regs)
#else
#define pvx_fregs(fregs)	(&(fregs)->regs)
#endif

/*
 * Another one when user space has set a task's affinity, even to what it was. The kernel
 * notes that from 6.2 on. Before, hook.c counts how often that was done: to tasks whose
 * numbers have the same hash together, since a wrong alarm only lets one go for a moment.
 */
#define PVX_AFFINITY_IS_KEPT	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0))
#if PVX_AFFINITY_IS_KEPT
static inline unsigned long pvx_affinity_token(const struct task_struct *task)
{
	return (unsigned long)READ_ONCE(task->user_cpus_ptr);
}
#else
#define PVX_AFFINITY_BITS	12
extern atomic_t pvx_affinity_sets[1 << PVX_AFFINITY_BITS];
static inline unsigned long pvx_affinity_token(const struct task_struct *task)
{
	return atomic_read(&pvx_affinity_sets[hash_32(task->pid, PVX_AFFINITY_BITS)]);
}
#endif

/* Memory that the VMM cannot see came with 6.8. */
#ifdef KVM_MEM_GUEST_MEMFD
#define PVX_MEM_PRIVATE	KVM_MEM_GUEST_MEMFD
#else
#define PVX_MEM_PRIVATE	0
#endif

#endif /* PVX_HOST_COMPAT_H */
