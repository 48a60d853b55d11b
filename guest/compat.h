/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All that differs between the kernels the guest modules are built for
 *
 * Supported: 6.1 to 6.12.
 */
#ifndef PVX_GUEST_COMPAT_H
#define PVX_GUEST_COMPAT_H

#include <linux/ftrace.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/version.h>
#include <asm/current.h>

/* Where a traced function's caller goes on; opaque from 6.13 on. */
#ifdef arch_ftrace_regs
#define pvx_set_ip(fregs, to)	(arch_ftrace_regs(fregs)->regs.ip = (to))
#else
#define pvx_set_ip(fregs, to)	((fregs)->regs.ip = (to))
#endif

/* Another CPU's preempt_count() and current, as of some moment ago. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#define pvx_raw_preempt_count(cpu)	READ_ONCE(per_cpu(pcpu_hot.preempt_count, cpu))
#define pvx_current_of(cpu)	READ_ONCE(per_cpu(pcpu_hot.current_task, cpu))
#else
#define pvx_raw_preempt_count(cpu)	READ_ONCE(per_cpu(__preempt_count, cpu))
#define pvx_current_of(cpu)	READ_ONCE(per_cpu(current_task, cpu))
#endif

static inline int pvx_preempt_count_of(int cpu)
{
	return pvx_raw_preempt_count(cpu) & ~PREEMPT_NEED_RESCHED;
}

/*
 * The tracepoints that perf lock listens to are exported from 6.2 on; before
 * that a replaced slow path cannot report contention to them.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#include <trace/events/lock.h>
#define pvx_contention_begin(lock)	trace_contention_begin(lock, LCB_F_SPIN)
#define pvx_contention_end(lock)	trace_contention_end(lock, 0)
#else
#define pvx_contention_begin(lock)	do { } while (0)
#define pvx_contention_end(lock)	do { } while (0)
#endif

#endif /* PVX_GUEST_COMPAT_H */
