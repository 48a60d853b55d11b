// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest has said of its vCPUs and memory: as much room as it needs, within bounds
 */
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "fault.h"
#include "numa_trace.h"
#include "numa_vm.h"

static unsigned int weights_max = 1 << 20;
module_param(weights_max, uint, 0644);
MODULE_PARM_DESC(weights_max,
	"How many weights of a VM are known at most, vCPUs times blocks, 2 bytes each (default 1048576)");

/* So that sums of all weights, times 1000 for their permille, fit into 64 bits. */
#define WEIGHTS_MOST	(1U << 30)
/* And so that no way to place vCPUs costs as much as PVX_NUMA_TOO_MANY. */
#define BLOCKS_MOST	(1U << 19)
static_assert(2000ULL * PVX_NUMA_NODES_MAX * PVX_NUMA_WEIGHT_MAX * PVX_NUMA_ALL * BLOCKS_MOST <
	      PVX_NUMA_TOO_MANY);
/* More than that, so too many whoever asks. */
#define BLOCKS_MAX	(1U << 24)

/**
 * pvx_numa_blocks_of() - how many blocks has a VM's memory?
 * @kvm: the VM
 * @shift: log2 of the size of a block in bytes
 *
 * Holes count, as between memory below 4 GiB and above; a device's memory far above all
 * else does not.
 *
 * Context: process context with kvm->srcu held.
 * Return: their number, at most BLOCKS_MAX.
 */
u32 pvx_numa_blocks_of(struct kvm *kvm, u32 shift)
{
	const u64 hole = 1ULL << (32 - PAGE_SHIFT), tib = 1ULL << (40 - PAGE_SHIFT);
	struct kvm_memslots *slots = kvm_memslots(kvm);
	struct kvm_memory_slot *slot;
	u64 pages = 0, end = 0;
	int bucket;

	kvm_for_each_memslot(slot, bucket, slots)
		pages += slot->npages;
	kvm_for_each_memslot(slot, bucket, slots)
		/* QEMU has what is above 4 GiB at 1 TiB where AMD's HyperTransport is in its way. */
		if (slot->base_gfn < pages + hole || slot->base_gfn - tib < pages)
			end = max_t(u64, end, slot->base_gfn + slot->npages);
	return min_t(u64, DIV_ROUND_UP_ULL(end << PAGE_SHIFT, 1ULL << shift), BLOCKS_MAX);
}

static u32 vcpus_of(struct kvm *kvm)
{
	return atomic_read(&kvm->online_vcpus);
}

/**
 * pvx_numa_is_set_up() - is there room for what the guest says now?
 * @vm: the VM
 * @kvm: the same
 * @shift: log2 of the size of a block in bytes
 *
 * Context: process context with the VM's lock and kvm->srcu held.
 * Return: true if so; false if its block size, its memory or its vCPUs are others than before.
 */
bool pvx_numa_is_set_up(const struct pvx_numa_vm *vm, struct kvm *kvm, u32 shift)
{
	return vm->shift == shift && vm->vcpus == vcpus_of(kvm) &&
	       vm->blocks == pvx_numa_blocks_of(kvm, shift);
}

static bool has_too_many(const struct pvx_numa_vm *vm)
{
	return vm->blocks > BLOCKS_MOST ||
	       (u64)vm->vcpus * vm->blocks > min(READ_ONCE(weights_max), WEIGHTS_MOST);
}

static bool alloc_vcpus(struct pvx_numa_vm *vm, struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	u32 i;

	for (i = 0; i < vm->vcpus; i++) {
		vcpu = kvm_get_vcpu(kvm, i);
		vm->vcpu[i].id = vcpu->vcpu_id;
		vm->vcpu[i].told = PVX_NUMA_NODES_MAX;
		if (!pvx_numa_bind_alloc(&vm->vcpu[i].bind))
			return false;
	}
	return true;
}

/* vCPUs that there were before keep theirs. */
static bool alloc_past(struct pvx_numa_vm *vm)
{
	struct pvx_numa_past *past;

	if (vm->past && vm->pasts == vm->vcpus)
		return true;
	past = kvcalloc(vm->vcpus, sizeof(*past), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!past)
		return false;
	if (vm->past)
		memcpy(past, vm->past, min(vm->pasts, vm->vcpus) * sizeof(*past));
	pvx_numa_forget_past(vm);
	vm->past = past;
	vm->pasts = vm->vcpus;
	return true;
}

static bool alloc(struct pvx_numa_vm *vm, struct kvm *kvm)
{
	const gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_NOWARN;
	const size_t weights = (size_t)vm->vcpus * vm->blocks;

	if (!pvx_numa_where_alloc(&vm->where, vm->shift, vm->blocks))
		return false;
	vm->weight = kvcalloc(weights, sizeof(*vm->weight), gfp);
	vm->vcpu = kvcalloc(vm->vcpus, sizeof(*vm->vcpu), gfp);
	vm->use = kvcalloc((size_t)vm->vcpus * vm->where.nodes, sizeof(*vm->use), gfp);
	vm->all = kvcalloc(vm->vcpus, sizeof(*vm->all), gfp);
	vm->now = kvcalloc(vm->vcpus, sizeof(*vm->now), gfp);
	vm->want = kvcalloc(vm->vcpus, sizeof(*vm->want), gfp);
	return vm->weight && vm->vcpu && vm->use && vm->all && vm->now &&
	       vm->want && alloc_past(vm) && alloc_vcpus(vm, kvm);
}

/**
 * pvx_numa_release() - give a vCPU's thread back what it was allowed, if we hold it
 * @vm: the VM
 * @i: which vCPU
 *
 * Context: process context with the VM's lock held; may sleep.
 */
void pvx_numa_release(struct pvx_numa_vm *vm, u32 i)
{
	if (pvx_numa_unbind(&vm->vcpu[i].bind))
		trace_numa_released(vm->vmm, vm->vcpu[i].id);
}

/**
 * pvx_numa_forget() - forget all, and give the threads back what they were allowed
 * @vm: the VM
 *
 * Context: process context with the VM's lock held; may sleep.
 */
void pvx_numa_forget(struct pvx_numa_vm *vm)
{
	u32 i;

	pvx_numa_leave(vm);
	for (i = 0; vm->vcpu && i < vm->vcpus; i++) {
		pvx_numa_release(vm, i);
		pvx_numa_bind_free(&vm->vcpu[i].bind);
	}
	pvx_numa_where_free(&vm->where);
	kvfree(vm->weight);
	kvfree(vm->vcpu);
	kvfree(vm->use);
	kvfree(vm->all);
	kvfree(vm->now);
	kvfree(vm->want);
	vm->weight = NULL;
	vm->vcpu = NULL;
	vm->use = vm->all = NULL;
	vm->now = vm->want = NULL;
	vm->shift = vm->vcpus = vm->blocks = vm->next = vm->advices = 0;
	vm->anew = true;
}

/**
 * pvx_numa_forget_past() - forget also what outlives pvx_numa_forget()
 * @vm: the VM, of which that is forgotten already
 *
 * Context: process context with the VM's lock held, or nobody else to use it.
 */
void pvx_numa_forget_past(struct pvx_numa_vm *vm)
{
	kvfree(vm->past);
	vm->past = NULL;
}

/**
 * pvx_numa_set_up() - forget what was known, and make room
 * @vm: the VM
 * @kvm: the same
 * @shift: log2 of the size of a block in bytes
 *
 * Context: process context with the VM's lock and kvm->srcu held; may sleep.
 * Return: 0, -E2BIG if the VM has too many vCPUs and blocks, or -ENOMEM.
 */
int pvx_numa_set_up(struct pvx_numa_vm *vm, struct kvm *kvm, u32 shift)
{
	pvx_numa_forget(vm);
	vm->vcpus = vcpus_of(kvm);
	vm->blocks = pvx_numa_blocks_of(kvm, shift);
	if (has_too_many(vm)) {
		pvx_numa_forget(vm);
		return -E2BIG;
	}
	vm->shift = shift;
	if (!alloc(vm, kvm)) {
		pvx_numa_forget(vm);
		return -ENOMEM;
	}
	vm->remote_first = vm->remote = -1;
	pvx_numa_compete(vm);
	return 0;
}
