/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVX_HOST_KSM_MEMORY_H
#define PVX_HOST_KSM_MEMORY_H

#include <linux/kvm_host.h>
#include <linux/types.h>

/**
 * struct pvx_ksm_area - a part of a VM's memory that is contiguous for VM and VMM
 * @gfn: its first page
 * @hva: where that is in the VMM
 * @pages: how many there are
 * @known: which ones the guest announced
 * @wanted: which of these have a peer
 * @marked: which pages are mergeable
 */
struct pvx_ksm_area {
	u64		gfn;
	unsigned long	hva;
	unsigned long	pages;
	unsigned long	*known;
	unsigned long	*wanted;
	unsigned long	*marked;
};

/**
 * struct pvx_ksm_memory - a VM's memory as it was at one generation of memslots
 * @generation: which
 * @count: how many areas there are
 * @areas: the areas
 */
struct pvx_ksm_memory {
	u64			generation;
	int			count;
	struct pvx_ksm_area	areas[];
};

u64 pvx_ksm_generation(struct kvm *kvm);
struct pvx_ksm_memory *pvx_ksm_memory_alloc(struct kvm *kvm);
bool pvx_ksm_memory_same(const struct pvx_ksm_memory *a, const struct pvx_ksm_memory *b);
bool pvx_ksm_memory_is_current(const struct pvx_ksm_memory *memory, struct kvm *kvm);
void pvx_ksm_memory_clear(struct pvx_ksm_memory *memory);
void pvx_ksm_memory_free(struct pvx_ksm_memory *memory);
struct pvx_ksm_area *pvx_ksm_area_of(struct pvx_ksm_memory *memory, u64 gfn);

#endif /* PVX_HOST_KSM_MEMORY_H */
