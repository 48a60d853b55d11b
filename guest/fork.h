/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVX_GUEST_FORK_H
#define PVX_GUEST_FORK_H

#include <linux/atomic.h>
#include <linux/types.h>

#include <linux/kvm_pvx.h>

struct task_struct;

/**
 * struct pvx_fork_setting - what a process wants to happen when it forks
 * @mode: enum pvx_fork_mode, not PVX_FORK_OFF
 * @side: enum pvx_fork_side
 * @least_pages: of a process with fewer anonymous pages nothing is copied
 */
struct pvx_fork_setting {
	u32	mode;
	u32	side;
	u64	least_pages;
};

/**
 * struct pvx_fork_stats - counters
 * @forks: forks after which something was done
 * @privatised: pages that one of two processes got
 * @owned: pages that the other one may write to since
 * @by_host: pages that the host copied
 * @by_guest: pages that the guest copied
 * @calls: hypercalls
 * @no_memory: times that it was ended for want of memory
 */
struct pvx_fork_stats {
	atomic64_t	forks;
	atomic64_t	privatised;
	atomic64_t	owned;
	atomic64_t	by_host;
	atomic64_t	by_guest;
	atomic64_t	calls;
	atomic64_t	no_memory;
};

/* fork_dev.c: who asked for it */
int pvx_fork_dev_init(void);
void pvx_fork_dev_exit(void);
bool pvx_fork_is_set(struct task_struct *task);
bool pvx_fork_inherit(struct task_struct *child, struct pvx_fork_setting *setting);

#endif /* PVX_GUEST_FORK_H */
