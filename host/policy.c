// SPDX-License-Identifier: GPL-2.0
/*
 * Whom a directed yield is for, if a BPF program is to say so
 *
 * The guest's choice holds as long as none is attached to the writable tracepoint
 * pvx_choose_target. One that is may write whatever it likes: it gets a copy, and of that a number
 * is read and looked for among the vCPUs of the caller's VM.
 */
#include "policy.h"
#include "pvx_host.h"

#define CREATE_TRACE_POINTS
#include "yield_trace.h"

/* vCPUs that had to leave their CPU, by their ids. */
static u64 waiting(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;
	u64 mask = 0;

	kvm_for_each_vcpu(i, vcpu, kvm)
		if (vcpu->vcpu_id < BITS_PER_LONG_LONG && READ_ONCE(vcpu->preempted))
			mask |= BIT_ULL(vcpu->vcpu_id);
	return mask;
}

struct kvm_vcpu *pvx_policy_ask(struct kvm_vcpu *vcpu, struct kvm_vcpu *asked)
{
	struct pvx_choose_target choice = {
		.target = asked->vcpu_id,
		.asked = asked->vcpu_id,
		.caller = vcpu->vcpu_id,
		.vcpus = atomic_read(&vcpu->kvm->online_vcpus),
		.waiting = waiting(vcpu->kvm),
	};
	struct kvm_vcpu *target;

	trace_pvx_choose_target(&choice);
	if (choice.target == asked->vcpu_id)
		return asked;
	target = kvm_get_vcpu_by_id(vcpu->kvm, choice.target);
	trace_target_chosen(current->tgid, vcpu->vcpu_id, asked->vcpu_id, choice.target, target);
	return target ?: asked;
}
