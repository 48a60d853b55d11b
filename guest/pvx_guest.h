/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The contract between pvx_guest.ko and the guest's feature modules
 */
#ifndef PVX_GUEST_H
#define PVX_GUEST_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/ftrace.h>
#include <linux/types.h>

#include <linux/kvm_pvx.h>

extern atomic64_t pvx_guest_features;

/**
 * pvx_guest_has() - may this guest use a feature just now?
 * @feature: PVX_F_*
 *
 * Context: any, NMI included.
 * Return: true if the host granted it when it was last asked, and has not
 * refused a call since.
 */
static __always_inline bool pvx_guest_has(u64 feature)
{
	return atomic64_read(&pvx_guest_features) & feature;
}

s64 pvx_guest_call(u64 feature, u32 nr, u64 a0, u64 a1, u64 a2, u64 a3);

unsigned long pvx_guest_end_of_memory(void);

extern struct dentry *pvx_guest_debugfs;

/**
 * struct pvx_hook - a kernel function to be intercepted
 * @function: its name
 * @missing: what does not work without it, for the message
 * @ops: callback and FTRACE_OPS_FL_*
 * @complained: whether it was said why the hook is not in place
 */
struct pvx_hook {
	const char		*function;
	const char		*missing;
	struct ftrace_ops	ops;
	bool			complained;
};

/**
 * PVX_HOOK() - a row of a table of hooks
 * @name: the kernel function
 * @callback: called before it, an ftrace_func_t
 * @more: FTRACE_OPS_FL_* besides FTRACE_OPS_FL_PERMANENT, with which
 *	kernel.ftrace_enabled=0 cannot drop it silently
 * @why: @missing of struct pvx_hook
 */
#define PVX_HOOK(name, callback, more, why)				\
	{								\
		.function = name,					\
		.missing = why,						\
		.ops = {						\
			.func = callback,				\
			.flags = FTRACE_OPS_FL_PERMANENT | (more),	\
		},							\
	}

int pvx_hooks_install(struct pvx_hook *hooks, size_t count);
void pvx_hooks_remove(struct pvx_hook *hooks, size_t count);

#endif /* PVX_GUEST_H */
