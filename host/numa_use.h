/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Is what a guest says of its vCPUs' use of memory well-formed?
 *
 * Compiles in user space, where it is tested.
 */
#ifndef PVX_HOST_NUMA_USE_H
#define PVX_HOST_NUMA_USE_H

#include <linux/kvm_pvx.h>

/**
 * pvx_numa_ascends() - do two entries stand in their order?
 * @a: one
 * @b: the one behind it
 *
 * Context: any.
 * Return: true if so.
 */
static inline bool pvx_numa_ascends(const struct pvx_numa_use *a, const struct pvx_numa_use *b)
{
	return a->vcpu < b->vcpu || (a->vcpu == b->vcpu && a->block < b->block);
}

/**
 * pvx_numa_first_wrong() - the first entry that breaks the rules
 * @uses: the array
 * @count: its length
 * @blocks: how many blocks the VM's memory has
 *
 * Whether there are such vCPUs is not known here.
 *
 * Context: any.
 * Return: its index, or @count if all are right.
 */
static inline u32 pvx_numa_first_wrong(const struct pvx_numa_use *uses, u32 count, u32 blocks)
{
	u32 i;

	for (i = 0; i < count; i++) {
		if (i && !pvx_numa_ascends(&uses[i - 1], &uses[i]))
			break;
		if (uses[i].reserved || uses[i].weight > PVX_NUMA_WEIGHT_MAX)
			break;
		if (uses[i].block >= blocks && uses[i].block != PVX_NUMA_GROUP)
			break;
	}
	return i;
}

#endif /* PVX_HOST_NUMA_USE_H */
