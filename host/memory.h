/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which of a VM's memory guests may name in hypercalls
 */
#ifndef PVX_HOST_MEMORY_H
#define PVX_HOST_MEMORY_H

#include <linux/kvm_host.h>

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

int pvx_memory_bring(unsigned long hva, bool write, struct page **page);
s64 pvx_memory_read(struct kvm *kvm, u64 gpa, void *to, size_t bytes);

#endif /* PVX_HOST_MEMORY_H */
