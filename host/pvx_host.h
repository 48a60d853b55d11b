/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The contract between pvx_host.ko and the host's feature modules
 */
#ifndef PVX_HOST_H
#define PVX_HOST_H

#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include <linux/kvm_pvx.h>

/** PVX_HOST_API - version of this contract, checked at registration */
#define PVX_HOST_API	2

/**
 * struct pvx_host_feature - one feature and its hypercall
 * @api_version: PVX_HOST_API
 * @size: sizeof(struct pvx_host_feature)
 * @owner: THIS_MODULE
 * @feature: the feature's one bit, PVX_F_*
 * @nr: the feature's hypercall, PVX_HC_*
 * @vm_size: bytes of its own that the feature keeps per VM, zeroed when the
 *	VM first calls; freed with the VM or with the feature, after @gone
 * @call: the handler. Process context on the vCPU's thread with IRQs on,
 *	kvm->srcu and vcpu->mutex held; may sleep, but not for long. @vm_data
 *	are the feature's @vm_size bytes. It must check that the arguments it
 *	does not use are 0. Returns the hypercall's result: a status, or a
 *	negative PVX_E_*.
 * @show: print the VM's counters, a "key=value" per line, each key with the
 *	feature's name in front. Process context; @call may run at the same time.
 * @changed: whether the VM may use the feature, or its group, is another now, and
 *	calls made before that are over. Process context, may sleep; @call may run at the same
 *	time. Returns 0 or a negative errno for the operator. NULL: no matter
 * @gone: the VM has ended, or the feature is being withdrawn; there are no calls
 *	any more. Process context, may sleep. NULL: no matter
 */
struct pvx_host_feature {
	u32		api_version;
	u32		size;
	struct module	*owner;
	u64		feature;
	u32		nr;
	size_t		vm_size;
	s64 (*call)(struct kvm_vcpu *vcpu, void *vm_data, const u64 a[4]);
	void (*show)(struct seq_file *m, void *vm_data);
	int (*changed)(struct kvm *kvm, void *vm_data);
	void (*gone)(void *vm_data);
};

/**
 * pvx_unused_args() - check that the arguments a hypercall does not use are 0
 * @a: the arguments
 * @first: the first that it does not use, 0 to 3; nor does it those behind it
 *
 * Return: 0, or the -PVX_E_ARG() of the first that is set.
 */
static inline s64 pvx_unused_args(const u64 a[4], int first)
{
	int i;

	for (i = first; i < 4; i++)
		if (a[i])
			return -PVX_E_ARG(i);
	return 0;
}

int pvx_host_register(struct pvx_host_feature *feature);
void pvx_host_unregister(struct pvx_host_feature *feature);
bool pvx_host_get_vm(struct kvm *kvm, u64 feature, const void *vm_data);
void pvx_host_group(struct kvm *kvm, u64 feature, char name[PVX_GROUP_NAME]);
unsigned long pvx_host_find(const char *name);

#endif /* PVX_HOST_H */
