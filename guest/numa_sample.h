/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVX_GUEST_NUMA_SAMPLE_H
#define PVX_GUEST_NUMA_SAMPLE_H

#include <linux/types.h>

struct pvx_numa_map;
struct task_struct;

u32 pvx_numa_sample(struct pvx_numa_map *map, u32 block_shift, struct task_struct *before);

#endif /* PVX_GUEST_NUMA_SAMPLE_H */
