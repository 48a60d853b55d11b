/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How long a waiter spins
 */
#ifndef PVX_GUEST_POLICY_H
#define PVX_GUEST_POLICY_H

#include <linux/kvm_pvx_tune.h>

#include "trace.h"

u32 pvx_policy_ask(struct pvx_choose_spin *choice);

/**
 * pvx_policy_has() - is there anybody to ask?
 *
 * A nop as long as no BPF program is attached.
 *
 * Context: any, NMI included.
 */
static __always_inline bool pvx_policy_has(void)
{
	return trace_pvx_choose_spin_enabled();
}

#endif /* PVX_GUEST_POLICY_H */
