/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of pvx_host.ko share among themselves
 */
#ifndef PVX_HOST_CORE_H
#define PVX_HOST_CORE_H

#include <linux/srcu.h>

#include "compat.h"
#include "ksym.h"
#include "pvx_host.h"

/* One slot for each bit that can be a feature. */
#define PVX_FEATURES	63

struct dentry;

/**
 * struct pvx_vm_stats - counters of one VM on one CPU
 * @calls: hypercalls of our block
 * @refused: of these, those that were answered with an error
 */
struct pvx_vm_stats {
	u64	calls;
	u64	refused;
};

/**
 * struct pvx_vm_part - what a feature keeps of one VM
 * @feature: the feature; does not go before all its parts have
 * @node: in the list of those to be freed
 * @data: its bytes
 */
struct pvx_vm_part {
	struct pvx_host_feature	*feature;
	struct llist_node	node;
	u64			data[];
};

/**
 * struct pvx_vm - what we know of one VM
 * @node: in the table of VMs, under vms_lock and RCU
 * @dead: in the list of those to be freed
 * @kvm: the VM; not a reference: the context goes when the VM does
 * @vmm: process of its VMM
 * @id: number of its folder in debugfs
 * @granted: what the operator allows; written under vms_lock
 * @group: with whom it may share, empty: with nobody; under vms_lock
 * @negotiated: what the guest asked for and got; written by the guest's calls
 * @stats: per CPU
 * @parts: of each feature, made at its first call
 * @dir: its folder in debugfs
 * @rcu: for freeing
 */
struct pvx_vm {
	struct hlist_node		node;
	struct llist_node		dead;
	struct kvm			*kvm;
	int				vmm;
	u32				id;
	u64				granted;
	char				group[PVX_GROUP_NAME];
	u64				negotiated;
	struct pvx_vm_stats __percpu	*stats;
	struct pvx_vm_part		*parts[PVX_FEATURES];
	struct dentry			*dir;
	struct rcu_head			rcu;
};

/* core.c: from the number to the handler */
extern struct srcu_struct pvx_calls;
s64 pvx_dispatch(struct kvm_vcpu *vcpu, u32 nr, const u64 a[4]);
u64 pvx_available(void);
void pvx_feature_show(struct seq_file *m, struct pvx_vm *vm, int bit);
int pvx_feature_changed(struct pvx_vm *vm, int bit);

static inline bool pvx_is_ours(unsigned long nr)
{
	return nr - PVX_HC_BASE < PVX_HC_COUNT;
}

/* vm.c: contexts */
extern u64 pvx_default_features;
int pvx_vm_init(void);
void pvx_vm_exit(void);
struct pvx_vm *pvx_vm_get(struct kvm *kvm);
struct pvx_vm *pvx_vm_find(struct kvm *kvm);
void *pvx_vm_data(struct pvx_vm *vm, struct pvx_host_feature *feature);
void pvx_vm_drop_data(int bit);
void pvx_vm_destroyed(struct kvm *kvm);
int pvx_vm_grant(struct kvm *kvm, u64 set, u64 clear, u64 *granted);
int pvx_vm_join(struct kvm *kvm, const char name[PVX_GROUP_NAME]);
void pvx_vm_query(struct kvm *kvm, struct pvx_query *query);
u32 pvx_vm_count(void);

/* hook.c: interception */
int pvx_hook_init(void);
void pvx_hook_exit(void);

/* ctl.c: the operator's device */
int pvx_ctl_init(void);
void pvx_ctl_exit(void);

#endif /* PVX_HOST_CORE_H */
