/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which of a VM's memory guests may name in hypercalls
 */
#ifndef PVX_HOST_MEMORY_H
#define PVX_HOST_MEMORY_H

#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/uaccess.h>
#include <linux/userfaultfd_k.h>

#include <linux/kvm_pvx.h>

#include "compat.h"
#include "ksym.h"

/**
 * pvx_memory_slot() - find the memslot of memory that the VMM gave the guest to write to
 * @kvm: the VM
 * @gfn: guest frame number of a page
 *
 * Neither is that what KVM itself has in the VM, firmware, nor what the VMM cannot see.
 *
 * Context: process context with kvm->srcu held, as long as the memslot is used.
 * Return: the memslot, or NULL if there is no such page.
 */
static inline struct kvm_memory_slot *pvx_memory_slot(struct kvm *kvm, u64 gfn)
{
	const u32 other = KVM_MEM_READONLY | KVM_MEMSLOT_INVALID | PVX_MEM_PRIVATE;
	struct kvm_memory_slot *slot = ksym(gfn_to_memslot)(kvm, gfn);

	return slot && slot->id < KVM_USER_MEM_SLOTS && !(slot->flags & other) ? slot : NULL;
}

/**
 * pvx_memory_is_watched() - may somebody keep us waiting for memory that is not there?
 * @hva: where the VMM has it
 *
 * Who watches its memory by userfaultfd may do so for ever, which is nothing to do in a call,
 * where others wait for us to come out. What is to wait is the guest's own access.
 *
 * Context: process context of the VMM, may sleep.
 * Return: true if so, or if that cannot be told since the VMM is being killed.
 */
static inline bool pvx_memory_is_watched(unsigned long hva)
{
	struct vm_area_struct *vma;
	bool watched;

	if (mmap_read_lock_killable(current->mm))
		return true;
	vma = vma_lookup(current->mm, hva);
	watched = vma && userfaultfd_armed(vma);
	mmap_read_unlock(current->mm);
	return watched;
}

/* The same for what a guest names; kvm->srcu is held. */
static inline bool pvx_memory_is_watched_from(struct kvm *kvm, u64 gpa, size_t bytes)
{
	struct kvm_memory_slot *slot;
	u64 gfn;

	for (gfn = gpa >> PAGE_SHIFT; gfn <= (gpa + bytes - 1) >> PAGE_SHIFT; gfn++) {
		slot = pvx_memory_slot(kvm, gfn);
		if (slot && pvx_memory_is_watched(__gfn_to_hva_memslot(slot, gfn)))
			return true;
	}
	return false;
}

/**
 * pvx_memory_read() - read what a call's argument 0 points to
 * @kvm: the VM
 * @gpa: the argument
 * @to: where it goes
 * @bytes: how much
 *
 * Context: process context of the VMM with kvm->srcu held, may sleep.
 * Return: 0; -PVX_E_ARG(0) if that is not the VM's memory; -PVX_E_BUSY if it is not there, and
 * pvx_memory_is_watched().
 */
static inline s64 pvx_memory_read(struct kvm *kvm, u64 gpa, void *to, size_t bytes)
{
	int err;

	pagefault_disable();
	err = ksym(kvm_read_guest)(kvm, gpa, to, bytes);
	pagefault_enable();
	if (!err)
		return 0;
	if (pvx_memory_is_watched_from(kvm, gpa, bytes))
		return -PVX_E_BUSY;
	return ksym(kvm_read_guest)(kvm, gpa, to, bytes) ? -PVX_E_ARG(0) : 0;
}

#endif /* PVX_HOST_MEMORY_H */
