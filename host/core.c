// SPDX-License-Identifier: GPL-2.0
/*
 * The core of the host side: from a hypercall's number to its handler
 *
 * hook.c catches the guest's call and asks pvx_dispatch() for the answer,
 * which looks the VM up (vm.c), checks what it may do, and calls the feature.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "core.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/* Held around each intercepted call, so that a feature can be waited for. */
DEFINE_SRCU(pvx_calls);

/* The features by their bit, written under features_lock. */
static struct pvx_host_feature __rcu *features[PVX_FEATURES];
static DEFINE_MUTEX(features_lock);

static int feature_bit(const struct pvx_host_feature *feature)
{
	return __ffs64(feature->feature);
}

/* The feature that answers to @nr; caller is inside pvx_calls. */
static struct pvx_host_feature *feature_of(u32 nr)
{
	struct pvx_host_feature *feature;
	int bit;

	for (bit = 0; bit < PVX_FEATURES; bit++) {
		feature = srcu_dereference(features[bit], &pvx_calls);
		if (feature && feature->nr == nr)
			return feature;
	}
	return NULL;
}

u64 pvx_available(void)
{
	u64 mask = 0;
	int bit;

	for (bit = 0; bit < PVX_FEATURES; bit++)
		if (rcu_access_pointer(features[bit]))
			mask |= BIT_ULL(bit);
	return mask;
}

static s64 negotiate(struct pvx_vm *vm, const u64 a[4])
{
	s64 err;
	u64 got;

	if (a[0] != PVX_ABI_VERSION)
		return -PVX_E_VERSION;
	if (a[1] & PVX_F_RESERVED)
		return -PVX_E_ARG(1);
	err = pvx_unused_args(a, 2);
	if (err)
		return err;
	got = a[1] & READ_ONCE(vm->granted) & pvx_available();
	WRITE_ONCE(vm->negotiated, got);
	return got;
}

static s64 call_feature(struct pvx_vm *vm, struct kvm_vcpu *vcpu, u32 nr,
			const u64 a[4])
{
	struct pvx_host_feature *feature = feature_of(nr);
	void *data;

	if (!feature)
		return -KVM_ENOSYS;
	if (!(READ_ONCE(vm->granted) & READ_ONCE(vm->negotiated) &
	      feature->feature))
		return -KVM_ENOSYS;
	data = pvx_vm_data(vm, feature);
	if (!data)
		return -KVM_ENOSYS;
	return feature->call(vcpu, data, a);
}

static s64 answer(struct pvx_vm *vm, struct kvm_vcpu *vcpu, u32 nr,
		  const u64 a[4])
{
	if (vcpu->arch.guest_state_protected ||
	    (vcpu->arch.hflags & HF_GUEST_MASK))
		return -PVX_E_UNSUPPORTED;

	switch (nr) {
	case PVX_HC_NEGOTIATE:
		return negotiate(vm, a);
	case PVX_HC_NOP:
		return pvx_unused_args(a, 0);
	default:
		return call_feature(vm, vcpu, nr, a);
	}
}

/**
 * pvx_dispatch() - answer a hypercall of our block
 * @vcpu: the caller
 * @nr: its number, pvx_is_ours()
 * @a: its arguments
 *
 * To be called at CPL 0 in 64-bit mode only.
 *
 * Context: process context on the vCPU's thread, inside pvx_calls; may sleep.
 * Return: what the guest finds in RAX.
 */
s64 pvx_dispatch(struct kvm_vcpu *vcpu, u32 nr, const u64 a[4])
{
	const u64 begin = trace_hypercall_done_enabled() ? ktime_get_ns() : 0;
	struct pvx_vm *vm = pvx_vm_get(vcpu->kvm);
	s64 ret;

	/* A VM without any grant cannot tell that we are here. */
	if (!vm || !READ_ONCE(vm->granted))
		return -KVM_ENOSYS;

	ret = answer(vm, vcpu, nr, a);
	this_cpu_inc(vm->stats->calls);
	if (ret < 0)
		this_cpu_inc(vm->stats->refused);
	trace_hypercall_done(vm->id, vcpu->vcpu_id, nr, a[0], ret, begin);
	return ret;
}

/* A feature's file in a VM's debugfs folder; nothing where it is not loaded. */
void pvx_feature_show(struct seq_file *m, struct pvx_vm *vm, int bit)
{
	struct pvx_host_feature *feature;
	int idx = srcu_read_lock(&pvx_calls);
	struct pvx_vm_part *part = READ_ONCE(vm->parts[bit]);

	feature = srcu_dereference(features[bit], &pvx_calls);
	if (feature && part)
		feature->show(m, part->data);
	srcu_read_unlock(&pvx_calls, idx);
}

/* Tells a feature that the VM may do other things now; caller keeps the VM. */
int pvx_feature_changed(struct pvx_vm *vm, int bit)
{
	struct pvx_host_feature *feature;
	int err = 0, idx = srcu_read_lock(&pvx_calls);
	struct pvx_vm_part *part = READ_ONCE(vm->parts[bit]);

	feature = srcu_dereference(features[bit], &pvx_calls);
	if (feature && part && feature->changed)
		err = feature->changed(vm->kvm, part->data);
	srcu_read_unlock(&pvx_calls, idx);
	return err;
}

/**
 * pvx_host_register() - offer a feature to the VMs that are granted it
 * @feature: the feature; must stay until pvx_host_unregister()
 *
 * The owner needs no reference of its own: it is kept in place by its use of
 * this function, and pvx_host_unregister() waits for the calls under way.
 *
 * Context: process context, may sleep.
 * Return: 0; -EINVAL where a field is wrong or was built for another version
 * of the contract; -EBUSY where the bit or the hypercall is taken.
 */
int pvx_host_register(struct pvx_host_feature *feature)
{
	int bit, err = 0;

	if (feature->api_version != PVX_HOST_API ||
	    feature->size != sizeof(*feature)) {
		pr_err("feature built for version %u (%u bytes), not %u (%zu bytes)\n",
		       feature->api_version, feature->size, PVX_HOST_API,
		       sizeof(*feature));
		return -EINVAL;
	}
	if (!feature->owner || !feature->call ||
	    !feature->show || !feature->vm_size ||
	    hweight64(feature->feature) != 1 ||
	    (feature->feature & PVX_F_RESERVED) || !pvx_is_ours(feature->nr) ||
	    feature->nr == PVX_HC_NEGOTIATE || feature->nr == PVX_HC_NOP) {
		pr_err("feature refused: a field of its description is wrong\n");
		return -EINVAL;
	}

	mutex_lock(&features_lock);
	for (bit = 0; bit < PVX_FEATURES; bit++) {
		struct pvx_host_feature *other =
			rcu_dereference_protected(features[bit],
					lockdep_is_held(&features_lock));

		if (other && (other->feature == feature->feature ||
			      other->nr == feature->nr))
			err = -EBUSY;
	}
	if (!err)
		rcu_assign_pointer(features[feature_bit(feature)], feature);
	mutex_unlock(&features_lock);
	return err;
}
EXPORT_SYMBOL_GPL(pvx_host_register);

/**
 * pvx_host_unregister() - withdraw a feature
 * @feature: one that pvx_host_register() accepted
 *
 * When it returns, no handler of the feature runs or will run, and the data
 * it kept per VM are freed. Guests find -KVM_ENOSYS from then on.
 *
 * Context: process context, may sleep.
 */
void pvx_host_unregister(struct pvx_host_feature *feature)
{
	int bit = feature_bit(feature);

	mutex_lock(&features_lock);
	RCU_INIT_POINTER(features[bit], NULL);
	mutex_unlock(&features_lock);
	synchronize_srcu(&pvx_calls);
	pvx_vm_drop_data(bit);
}
EXPORT_SYMBOL_GPL(pvx_host_unregister);

static int __init pvx_host_init(void)
{
	int err;

	BUILD_BUG_ON(sizeof(struct pvx_info) != 32);
	BUILD_BUG_ON(sizeof(struct pvx_grant) != 32);
	BUILD_BUG_ON(sizeof(struct pvx_query) != 48);

	err = pvx_ksym_init();
	if (err)
		return err;
	err = pvx_vm_init();
	if (err)
		goto ksym;
	err = pvx_hook_init();
	if (err)
		goto vm;
	/* Last, since a VM that is granted something must be seen to end. */
	err = pvx_ctl_init();
	if (err)
		goto hook;
	pr_info("ABI version %u, default features 0x%llx\n", PVX_ABI_VERSION,
		pvx_default_features);
	return 0;

hook:
	pvx_hook_exit();
vm:
	pvx_vm_exit();
ksym:
	pvx_ksym_exit();
	return err;
}

static void __exit pvx_host_exit(void)
{
	pvx_ctl_exit();
	pvx_hook_exit();
	pvx_vm_exit();
	pvx_ksym_exit();
}

module_init(pvx_host_init);
module_exit(pvx_host_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("KVM host side of kvm-pvx: private hypercalls");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
