// SPDX-License-Identifier: GPL-2.0
/*
 * How long a waiter spins, if a BPF program is to say so
 *
 * As long as none is attached to the writable tracepoint pvx_choose_spin, lock.c adapts it. It
 * goes on to do so meanwhile, so that when the program is gone the next spin is again as long as
 * it would have been.
 */
#include <linux/minmax.h>

#include "policy.h"

/**
 * pvx_policy_ask() - have a BPF program choose how long a waiter spins
 * @choice: with all fields set, the choice to what it is by default
 *
 * Context: any with preemption off, NMI included.
 * Return: how long, in ns, from @min_ns to @max_ns as the caller has set them.
 */
u32 pvx_policy_ask(struct pvx_choose_spin *choice)
{
	const struct pvx_choose_spin before = *choice;
	u32 ns;

	trace_pvx_choose_spin(choice);
	ns = clamp(choice->spin_ns, before.min_ns, before.max_ns);
	if (ns != before.spin_ns)
		trace_spin_chosen((void *)before.lock, before.spin_ns, ns);
	return ns;
}
