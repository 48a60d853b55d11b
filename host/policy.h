/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whom a directed yield is for
 */
#ifndef PVX_HOST_POLICY_H
#define PVX_HOST_POLICY_H

#include <linux/kvm_host.h>

#include "yield_trace.h"

struct kvm_vcpu *pvx_policy_ask(struct kvm_vcpu *vcpu, struct kvm_vcpu *asked);

/**
 * pvx_policy_target() - choose whom to run for a vCPU that asks for another one
 * @vcpu: the one that asks
 * @asked: the one that it asks for, of the same VM
 *
 * Costs a nop as long as no BPF program is attached.
 *
 * Context: process context on the vCPU's thread.
 * Return: a vCPU of that VM; @vcpu itself if nobody is to be run.
 */
static inline struct kvm_vcpu *pvx_policy_target(struct kvm_vcpu *vcpu,
						 struct kvm_vcpu *asked)
{
	if (!trace_pvx_choose_target_enabled())
		return asked;
	return pvx_policy_ask(vcpu, asked);
}

#endif /* PVX_HOST_POLICY_H */
