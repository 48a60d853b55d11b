/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVX_HOST_NUMA_WHERE_H
#define PVX_HOST_NUMA_WHERE_H

#include <linux/types.h>

#include "numa_place.h"

struct kvm;

/** PVX_NUMA_ALL - all of a block, as a share */
#define PVX_NUMA_ALL	240

/**
 * struct pvx_numa_where - on which nodes a VM's blocks of memory are
 * @nodes: how many nodes
 * @shift: log2 of a block's size in pages
 * @blocks: how many blocks
 * @share: of each block, each node's share, of PVX_NUMA_ALL; all 0: not known
 */
struct pvx_numa_where {
	u32	nodes;
	u32	shift;
	u32	blocks;
	u8	*share;
};

bool pvx_numa_where_alloc(struct pvx_numa_where *where, u32 shift, u32 blocks);
void pvx_numa_where_free(struct pvx_numa_where *where);
void pvx_numa_where_look(struct pvx_numa_where *where, struct kvm *kvm, u32 block);

/**
 * pvx_numa_shares() - on which nodes a block is
 * @where: what is known
 * @block: the block
 *
 * Context: any.
 * Return: each node's share, of PVX_NUMA_ALL.
 */
static inline const u8 *pvx_numa_shares(const struct pvx_numa_where *where, u32 block)
{
	return where->share + (size_t)block * where->nodes;
}

#endif /* PVX_HOST_NUMA_WHERE_H */
