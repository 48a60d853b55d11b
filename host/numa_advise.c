// SPDX-License-Identifier: GPL-2.0
/*
 * Which memory would be better on another node, now that the vCPUs are where they are to be
 *
 * That is where a node has no room for all vCPUs that use its memory, or where their operator
 * keeps them. Moving memory is dear, and the VMM's affair: it is left to who reads this, as
 * pvx-numad does.
 */
#include <linux/kvm_host.h>
#include <linux/nodemask.h>

#include "ksym.h"
#include "numa_trace.h"
#include "numa_vm.h"

/*
 * Less of what a VM uses is not worth the copy, in a million. Of a VM that uses many blocks
 * each is less than that: then such a part of the average one is enough.
 */
#define LEAST_PPM	5000
#define LEAST_PART	4

/* Those that we hold are on their way otherwise. The others go where they like. */
static bool are_settled(const struct pvx_numa_vm *vm)
{
	u32 i;

	for (i = 0; i < vm->vcpus; i++)
		if (vm->vcpu[i].bind.task && vm->now[i] != vm->want[i])
			return false;
	return true;
}

/*
 * How much the vCPUs on each node use of a block. What counts is where they are to be: those
 * that had to make way for others are not held there as long as their memory is elsewhere,
 * and may run here and there.
 */
static void uses_of(const struct pvx_numa_vm *vm, u32 block, u64 *use)
{
	const u16 *weights = pvx_numa_weights(vm, block);
	u32 i;

	memset(use, 0, vm->where.nodes * sizeof(*use));
	for (i = 0; i < vm->vcpus; i++)
		if (vm->vcpu[i].is_known)
			use[vm->want[i]] += weights[i];
}

/* What becomes local if the block goes to *@node, where that is most, in PVX_NUMA_ALLths. */
static u64 gain_of(const struct pvx_numa_vm *vm, u32 block, u32 *node)
{
	const u8 *share = pvx_numa_shares(&vm->where, block);
	u64 use[PVX_NUMA_NODES_MAX], local = 0, known = 0;
	u32 n;

	uses_of(vm, block, use);
	for (*node = n = 0; n < vm->where.nodes; n++) {
		local += use[n] * share[n];
		known += share[n];
		if (use[n] > use[*node] && node_state(n, N_MEMORY))
			*node = n;
	}
	if (!node_state(*node, N_MEMORY) || use[*node] * known <= local)
		return 0;
	return use[*node] * known - local;
}

/* Where the VMM has it; 0 if not in one piece. */
static unsigned long hva_of(const struct pvx_numa_vm *vm, struct kvm *kvm, u32 block)
{
	const u64 gfn = (u64)block << vm->where.shift, pages = 1ULL << vm->where.shift;
	const unsigned long first = ksym(gfn_to_hva)(kvm, gfn);
	const unsigned long last = ksym(gfn_to_hva)(kvm, gfn + pages - 1);

	if (kvm_is_error_hva(first) || kvm_is_error_hva(last))
		return 0;
	return last - first == (pages - 1) << PAGE_SHIFT ? first : 0;
}

/* Those with the largest gain are kept. */
static void keep(struct pvx_numa_vm *vm, const struct pvx_numa_advice *advice)
{
	struct pvx_numa_advice *least = vm->advice;
	u32 i;

	if (vm->advices < PVX_NUMA_ADVICES) {
		vm->advice[vm->advices++] = *advice;
		return;
	}
	for (i = 1; i < PVX_NUMA_ADVICES; i++)
		if (vm->advice[i].ppm < least->ppm)
			least = &vm->advice[i];
	if (advice->ppm > least->ppm)
		*least = *advice;
}

static u32 least_ppm(const struct pvx_numa_vm *vm)
{
	u32 block, used = 0;

	for (block = 0; block < vm->blocks; block++) {
		used += pvx_numa_is_used(vm, block);
		cond_resched();
	}
	return clamp(1000000 / LEAST_PART / max(used, 1U), 1U, (u32)LEAST_PPM);
}

static void advise(struct pvx_numa_vm *vm, struct kvm *kvm, u64 all)
{
	const u32 least = least_ppm(vm);
	struct pvx_numa_advice advice;
	u32 block;

	for (block = 0; block < vm->blocks; block++) {
		cond_resched();
		advice.ppm = div64_u64(1000000 * gain_of(vm, block, &advice.node), all);
		if (advice.ppm < least)
			continue;
		advice.hva = hva_of(vm, kvm, block);
		if (advice.hva)
			keep(vm, &advice);
	}
}

/**
 * pvx_numa_advise() - find which memory would be better on another node
 * @vm: the VM; its @advice is made anew
 * @kvm: the same
 *
 * Context: process context with kvm->srcu and the VM's lock held; may sleep.
 */
void pvx_numa_advise(struct pvx_numa_vm *vm, struct kvm *kvm)
{
	u64 all = 0;
	u32 i;

	vm->advices = 0;
	for (i = 0; i < vm->vcpus; i++)
		all += vm->all[i];
	if (all && are_settled(vm))
		advise(vm, kvm, all);
	for (i = 0; i < vm->advices; i++)
		trace_numa_advised(vm->vmm, vm->advice[i].hva, vm->advice[i].node,
				   vm->advice[i].ppm);
}
