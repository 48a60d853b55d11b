// SPDX-License-Identifier: GPL-2.0
/*
 * On which nodes the blocks of a VM's memory are
 *
 * A few pages of a block are looked at each time, others each time, and what they tell is
 * averaged with what was known, unless that is quite another place. So a block that was moved
 * as a whole is seen at once, and one of which some was moved after two or three looks; and
 * it costs little however large a block is.
 */
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/random.h>

#include "fault.h"
#include "ksym.h"
#include "numa_where.h"

/* Pages that are looked at; divides PVX_NUMA_ALL. */
#define SAMPLES	16
/* By chance of which pages are looked at not so much of a block is elsewhere than before. */
#define MOVED	(3 * PVX_NUMA_ALL / 4)

/**
 * pvx_numa_where_alloc() - make room for what is known of blocks
 * @where: set up; nothing is known
 * @shift: log2 of a block's size in bytes
 * @blocks: how many there are
 *
 * Context: process context, may sleep.
 * Return: false if there is no memory for it; to be freed all the same.
 */
bool pvx_numa_where_alloc(struct pvx_numa_where *where, u32 shift, u32 blocks)
{
	where->nodes = min_t(u32, nr_node_ids, PVX_NUMA_NODES_MAX);
	where->shift = shift - PAGE_SHIFT;
	where->blocks = blocks;
	where->share = kvcalloc(blocks, where->nodes, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	return where->share;
}

/**
 * pvx_numa_where_free() - forget what is known of blocks
 * @where: what is known
 *
 * Context: process context.
 */
void pvx_numa_where_free(struct pvx_numa_where *where)
{
	kvfree(where->share);
	where->share = NULL;
}

/* -1 where the host has no page, or more nodes than we know. */
static int node_of(const struct pvx_numa_where *where, struct kvm *kvm, u64 gfn)
{
	unsigned long hva = ksym(gfn_to_hva)(kvm, gfn);
	struct page *page;
	int node;

	if (kvm_is_error_hva(hva) || get_user_pages_fast_only(hva, 1, 0, &page) != 1)
		return -1;
	/* All VMs have the same page of zeroes. */
	node = is_zero_pfn(page_to_pfn(page)) ? -1 : page_to_nid(page);
	put_page(page);
	return node < (int)where->nodes ? node : -1;
}

static u32 count_samples(const struct pvx_numa_where *where, struct kvm *kvm, u32 block,
			 u32 *found)
{
	const u64 pages = 1ULL << where->shift, begin = (u64)block << where->shift;
	/* One in each sixteenth of the block. */
	const u64 apart = pages / SAMPLES;
	u32 i, n = 0;
	int node;

	for (i = 0; i < SAMPLES; i++) {
		node = node_of(where, kvm, begin + i * apart + get_random_u32() % apart);
		if (node < 0)
			continue;
		found[node]++;
		n++;
	}
	return n;
}

/* Is a block, as so many samples tell, quite elsewhere than was known? Or was nothing known? */
static bool has_moved(const struct pvx_numa_where *where, const u8 *share, const u32 *found,
		      u32 samples)
{
	u32 node, known = 0, elsewhere = 0;

	for (node = 0; node < where->nodes; node++) {
		known += share[node];
		if (found[node] > share[node])
			elsewhere += found[node] - share[node];
	}
	return !known || (samples >= SAMPLES / 2 && elsewhere >= MOVED);
}

/**
 * pvx_numa_where_look() - look where a block is
 * @where: what is known
 * @kvm: the VM
 * @block: the block
 *
 * Context: process context with the VM's address space and kvm->srcu; may sleep.
 */
void pvx_numa_where_look(struct pvx_numa_where *where, struct kvm *kvm, u32 block)
{
	u8 *share = where->share + (size_t)block * where->nodes;
	u32 found[PVX_NUMA_NODES_MAX] = { 0 }, n, node;
	bool anew;

	n = count_samples(where, kvm, block, found);
	if (!n)
		return;
	for (node = 0; node < where->nodes; node++)
		found[node] = found[node] * PVX_NUMA_ALL / n;
	anew = has_moved(where, share, found, n);
	for (node = 0; node < where->nodes; node++)
		share[node] = anew ? found[node] : (share[node] + found[node]) / 2;
}
