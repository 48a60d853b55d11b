/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVX_GUEST_FORK_H
#define PVX_GUEST_FORK_H

#include <linux/atomic.h>
#include <linux/refcount.h>
#include <linux/rcupdate.h>
#include <linux/types.h>
#include <linux/uidgid.h>

#include <linux/kvm_pvx.h>

struct task_struct;

/**
 * struct pvx_fork_setting - what a process wants to happen when it forks
 * @mode: enum pvx_fork_mode; PVX_FORK_OFF: it had one
 * @side: enum pvx_fork_side
 * @euid: who wanted it, and
 * @egid: as a member of which group
 * @least_pages: of a process with fewer anonymous pages nothing is copied
 */
struct pvx_fork_setting {
	u32	mode;
	u32	side;
	kuid_t	euid;
	kgid_t	egid;
	u64	least_pages;
};

/** enum pvx_fork_counter - as in struct pvx_fork_status */
enum pvx_fork_counter {
	PVX_FORK_FORKS,
	PVX_FORK_PRIVATISED,
	PVX_FORK_OWNED,
	PVX_FORK_BY_HOST,
	PVX_FORK_BY_GUEST,
	PVX_FORK_CALLS,
	PVX_FORK_CHANGED,
	PVX_FORK_NO_MEMORY,
	PVX_FORK_COPY_NS,
	PVX_FORK_NS,
	PVX_FORK_THREADS,
	PVX_FORK_COUNTERS,
};

/**
 * struct pvx_fork_process - a process that has a setting
 * @node: in the table
 * @pid: of its thread group, held
 * @refs: the table's, and those of its jobs
 * @setting: the setting
 * @running: its forks after which pages are still being copied
 * @counters: by enum pvx_fork_counter, of its forks
 * @rcu: for freeing
 */
struct pvx_fork_process {
	struct hlist_node	node;
	struct pid		*pid;
	refcount_t		refs;
	struct pvx_fork_setting	setting;
	atomic_t		running;
	atomic64_t		counters[PVX_FORK_COUNTERS];
	struct rcu_head		rcu;
};

/* fork_dev.c: who asked for it */
int pvx_fork_dev_init(void);
void pvx_fork_dev_exit(void);
bool pvx_fork_is_set(struct task_struct *task);
struct pvx_fork_process *pvx_fork_process_get(struct task_struct *task);
void pvx_fork_process_put(struct pvx_fork_process *process);
struct pvx_fork_setting pvx_fork_setting_of(struct pvx_fork_process *process);
void pvx_fork_inherit(const struct pvx_fork_setting *setting, struct task_struct *child);

#endif /* PVX_GUEST_FORK_H */
