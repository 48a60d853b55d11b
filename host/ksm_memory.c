// SPDX-License-Identifier: GPL-2.0
/*
 * What is known of each page of a VM's memory
 *
 * Memslots come and go; where memory is somewhere else afterwards, or there is more
 * or less of it, what was known is forgotten.
 */
#include <linux/bitmap.h>
#include <linux/slab.h>

#include "compat.h"
#include "fault.h"
#include "ksm_memory.h"
#include "ksym.h"

/* What is smaller is firmware and frame buffers. */
#define PAGES_MIN	256
#define AREAS_MAX	32

u64 pvx_ksm_generation(struct kvm *kvm)
{
	return kvm_memslots(kvm)->generation;
}

static bool is_ram(const struct kvm_memory_slot *slot)
{
	return slot->npages >= PAGES_MIN &&
	       !(slot->flags & (KVM_MEM_READONLY | PVX_MEM_PRIVATE));
}

static unsigned long *alloc_bits(unsigned long pages)
{
	return kvcalloc(BITS_TO_LONGS(pages), sizeof(long),
			GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
}

static bool set_up_area(struct pvx_ksm_area *area, const struct kvm_memory_slot *slot)
{
	area->gfn = slot->base_gfn;
	area->hva = slot->userspace_addr;
	area->pages = slot->npages;
	area->known = alloc_bits(area->pages);
	area->wanted = alloc_bits(area->pages);
	area->marked = alloc_bits(area->pages);
	return area->known && area->wanted && area->marked;
}

/**
 * pvx_ksm_memory_alloc() - look at a VM's memslots
 * @kvm: the VM
 *
 * Context: process context with kvm->srcu held; may sleep.
 * Return: its memory, of which nothing is known yet; NULL if there is none for it.
 */
struct pvx_ksm_memory *pvx_ksm_memory_alloc(struct kvm *kvm)
{
	struct kvm_memslots *slots = kvm_memslots(kvm);
	struct pvx_ksm_memory *memory;
	struct kvm_memory_slot *slot;
	int bucket;

	memory = kzalloc(struct_size(memory, areas, AREAS_MAX), GFP_KERNEL_ACCOUNT);
	if (!memory)
		return NULL;
	memory->generation = slots->generation;
	kvm_for_each_memslot(slot, bucket, slots) {
		if (!is_ram(slot) || memory->count == AREAS_MAX)
			continue;
		if (!set_up_area(&memory->areas[memory->count++], slot)) {
			pvx_ksm_memory_free(memory);
			return NULL;
		}
	}
	return memory;
}

void pvx_ksm_memory_free(struct pvx_ksm_memory *memory)
{
	int i;

	if (!memory)
		return;
	for (i = 0; i < memory->count; i++) {
		kvfree(memory->areas[i].known);
		kvfree(memory->areas[i].wanted);
		kvfree(memory->areas[i].marked);
	}
	kfree(memory);
}

/* Is it where it was? Memslots change for other causes, too: dirty logging is one. */
bool pvx_ksm_memory_same(const struct pvx_ksm_memory *a, const struct pvx_ksm_memory *b)
{
	int i;

	if (!a || a->count != b->count)
		return false;
	for (i = 0; i < a->count; i++)
		if (a->areas[i].gfn != b->areas[i].gfn ||
		    a->areas[i].hva != b->areas[i].hva ||
		    a->areas[i].pages != b->areas[i].pages)
			return false;
	return true;
}

/**
 * pvx_ksm_memory_is_current() - is a VM's memory where it was?
 * @memory: where it was
 * @kvm: the VM
 *
 * Context: process context with kvm->srcu held.
 */
bool pvx_ksm_memory_is_current(const struct pvx_ksm_memory *memory, struct kvm *kvm)
{
	const struct pvx_ksm_area *area;
	struct kvm_memory_slot *slot;

	if (memory->generation == pvx_ksm_generation(kvm))
		return true;
	for (area = memory->areas; area < memory->areas + memory->count; area++) {
		slot = ksym(gfn_to_memslot)(kvm, area->gfn);
		if (!slot || slot->base_gfn != area->gfn || slot->npages != area->pages ||
		    slot->userspace_addr != area->hva)
			return false;
	}
	return true;
}

/* Nothing is known of it, nor wanted; what is marked still is so. */
void pvx_ksm_memory_clear(struct pvx_ksm_memory *memory)
{
	struct pvx_ksm_area *area;

	for (area = memory->areas; area < memory->areas + memory->count; area++) {
		bitmap_zero(area->known, area->pages);
		bitmap_zero(area->wanted, area->pages);
	}
}

struct pvx_ksm_area *pvx_ksm_area_of(struct pvx_ksm_memory *memory, u64 gfn)
{
	int i;

	for (i = 0; memory && i < memory->count; i++)
		if (gfn - memory->areas[i].gfn < memory->areas[i].pages)
			return &memory->areas[i];
	return NULL;
}
