/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All that differs between the kernels the host modules are built for
 *
 * Supported: 6.1 and 6.12. What a header or Module.symvers can tell is probed
 * (PVX_HAVE_*, set by the Makefile); the rest compares versions, here only.
 */
#ifndef PVX_HOST_COMPAT_H
#define PVX_HOST_COMPAT_H

#include <linux/atomic.h>
#include <linux/ftrace.h>
#include <linux/hash.h>
#include <linux/hrtimer.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
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

/*
 * A page of the current process, whose mmap lock is held for reading; held in @page, if that is
 * not NULL. It can be read from user space then, though NUMA balancing had taken it away, which
 * has to be asked for since 6.5. Returns 1, 0 or an error.
 */
static inline long pvx_get_page_nowait(unsigned long at, bool write, struct page **page)
{
	const unsigned int flags = FOLL_NOWAIT | (write ? FOLL_WRITE : 0);

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
	return get_user_pages(at, 1, flags, page, NULL);
#else
	return get_user_pages(at, 1, flags | FOLL_HONOR_NUMA_FAULT, page);
#endif
}

/* The arguments of a traced function; opaque from 6.13 on. */
#ifdef arch_ftrace_regs
#define pvx_fregs(fregs)	(&arch_ftrace_regs(fregs)->regs)
#else
#define pvx_fregs(fregs)	(&(fregs)->regs)
#endif

/*
 * By pvx_affinity_token() it can be told later whether user space has set a task's affinity,
 * even to what it was, and whether the kernel has dropped what was set. The kernel notes that
 * from 6.2 on. Before, hook.c notes whose was set last, of those whose numbers have the same
 * hash, and counts them. What is missed then is one that was set to what it was, with another
 * one's of the same hash behind it before anybody looks.
 */
#define PVX_AFFINITY_IS_KEPT	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0))
#if PVX_AFFINITY_IS_KEPT
static inline u64 pvx_affinity_token(const struct task_struct *task)
{
	return (unsigned long)READ_ONCE(task->user_cpus_ptr);
}

static inline bool pvx_affinity_was_set(const struct task_struct *task, u64 token)
{
	return pvx_affinity_token(task) != token;
}

static inline bool pvx_affinity_was_repeated(const struct task_struct *task, u64 token)
{
	return pvx_affinity_was_set(task, token);
}

static inline bool pvx_affinity_was_dropped(const struct task_struct *task, u64 token)
{
	return token && !pvx_affinity_token(task);
}

/*
 * Leaves of a mask what user space has set, where the kernel keeps that. A token is where that is
 * kept, and a new one may be where the old one was.
 */
static inline void pvx_affinity_cut(struct task_struct *task, struct cpumask *mask)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&task->pi_lock, flags);
	if (task->user_cpus_ptr)
		cpumask_and(mask, mask, task->user_cpus_ptr);
	raw_spin_unlock_irqrestore(&task->pi_lock, flags);
}
#else
#define PVX_AFFINITY_BITS	12
/*
 * The task's number in the upper half of each; below, a count, and whether what was asked for
 * had all that it was allowed then: else a call that left it as it was has failed.
 */
extern atomic64_t pvx_affinity_sets[1 << PVX_AFFINITY_BITS];

static inline atomic64_t *pvx_affinity_of(const struct task_struct *task)
{
	return &pvx_affinity_sets[hash_32(task->pid, PVX_AFFINITY_BITS)];
}

static inline u64 pvx_affinity_token(const struct task_struct *task)
{
	return atomic64_read(pvx_affinity_of(task));
}

static inline bool pvx_affinity_was_set(const struct task_struct *task, u64 token)
{
	const u64 now = pvx_affinity_token(task);

	return now != token && now >> 32 == task->pid;
}

/* To what it was, by a call that may have done so. */
static inline bool pvx_affinity_was_repeated(const struct task_struct *task, u64 token)
{
	return pvx_affinity_was_set(task, token) && (pvx_affinity_token(task) & 1);
}

static inline bool pvx_affinity_was_dropped(const struct task_struct *task, u64 token)
{
	return false;
}

static inline void pvx_affinity_cut(struct task_struct *task, struct cpumask *mask)
{
}
#endif

/* Memory that the VMM cannot see came with 6.8. */
#ifdef KVM_MEM_GUEST_MEMFD
#define PVX_MEM_PRIVATE	KVM_MEM_GUEST_MEMFD
#else
#define PVX_MEM_PRIVATE	0
#endif

#endif /* PVX_HOST_COMPAT_H */
