/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVX_GUEST_NUMA_SYSFS_H
#define PVX_GUEST_NUMA_SYSFS_H

struct pvx_numa_nodes;

int pvx_numa_sysfs_init(const struct pvx_numa_nodes *nodes);
void pvx_numa_sysfs_look(void);
void pvx_numa_sysfs_exit(void);

#endif /* PVX_GUEST_NUMA_SYSFS_H */
