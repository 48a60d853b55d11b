/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All that differs between the kernels the host modules are built for
 *
 * Supported: 6.1 to 6.12. What a header or Module.symvers can tell is probed
 * (PVX_HAVE_*, set by the Makefile); the rest compares versions, here only.
 */
#ifndef PVX_HOST_COMPAT_H
#define PVX_HOST_COMPAT_H

#include <linux/ftrace.h>
#include <linux/hrtimer.h>
#include <linux/kvm_host.h>

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

/* Memory that the VMM cannot see came with 6.8. */
#ifdef KVM_MEM_GUEST_MEMFD
#define PVX_MEM_PRIVATE	KVM_MEM_GUEST_MEMFD
#else
#define PVX_MEM_PRIVATE	0
#endif

#endif /* PVX_HOST_COMPAT_H */
