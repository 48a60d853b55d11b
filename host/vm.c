// SPDX-License-Identifier: GPL-2.0
/*
 * One context per VM that was granted something or asked for it
 *
 * A context holds no reference to its VM. It is found by the address of
 * struct kvm, made on demand while somebody else keeps the VM alive (a vCPU
 * in a hypercall, or a file descriptor in an ioctl), and goes when hook.c sees
 * KVM destroy the VM. So a VMM that dies at any point leaves nothing behind.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/hashtable.h>
#include <linux/workqueue.h>

#include "core.h"
#include "fault.h"
#include "trace.h"

u64 pvx_default_features;
module_param_named(default_features, pvx_default_features, ullong, 0644);
MODULE_PARM_DESC(default_features,
	"Mask of the features that each VM is granted unasked, read when the VM first calls (default 0: none)");

static DEFINE_HASHTABLE(vms, 8);
static DEFINE_SPINLOCK(vms_lock);
static u32 vms_count, last_id;

static struct dentry *debugfs_root;

static LLIST_HEAD(dead_vms);
static void free_dead(struct work_struct *work);
static DECLARE_WORK(free_work, free_dead);

u32 pvx_vm_count(void)
{
	return READ_ONCE(vms_count);
}

/* The context stays as long as the caller knows that the VM does. */
struct pvx_vm *pvx_vm_find(struct kvm *kvm)
{
	struct pvx_vm *vm, *found = NULL;

	rcu_read_lock();
	hash_for_each_possible_rcu(vms, vm, node, (unsigned long)kvm) {
		if (vm->kvm == kvm) {
			found = vm;
			break;
		}
	}
	rcu_read_unlock();
	return found;
}

static void sum_stats(struct pvx_vm *vm, u64 *calls, u64 *refused)
{
	int cpu;

	*calls = 0;
	*refused = 0;
	for_each_possible_cpu(cpu) {
		*calls += READ_ONCE(per_cpu_ptr(vm->stats, cpu)->calls);
		*refused += READ_ONCE(per_cpu_ptr(vm->stats, cpu)->refused);
	}
}

static int core_show(struct seq_file *m, void *unused)
{
	struct pvx_vm *vm = m->private;
	u64 calls, refused;

	sum_stats(vm, &calls, &refused);
	seq_printf(m, "vmm=%d\n", vm->vmm);
	seq_printf(m, "granted=0x%llx\n", READ_ONCE(vm->granted));
	seq_printf(m, "negotiated=0x%llx\n", READ_ONCE(vm->negotiated));
	seq_printf(m, "calls=%llu\n", calls);
	seq_printf(m, "refused=%llu\n", refused);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(core);

/* One file for all features: each prints what it has, under its own keys. */
static int features_show(struct seq_file *m, void *unused)
{
	int bit;

	for (bit = 0; bit < PVX_FEATURES; bit++)
		pvx_feature_show(m, m->private, bit);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(features);

static void free_part(struct pvx_vm_part *part)
{
	if (!part)
		return;
	if (part->feature->gone)
		part->feature->gone(part->data);
	kfree(part);
}

static void free_vm(struct pvx_vm *vm)
{
	int bit;

	debugfs_remove_recursive(vm->dir);
	for (bit = 0; bit < PVX_FEATURES; bit++)
		free_part(vm->parts[bit]);
	free_percpu(vm->stats);
	kfree_rcu(vm, rcu);
}

static void free_dead(struct work_struct *work)
{
	struct pvx_vm *vm, *next;

	llist_for_each_entry_safe(vm, next, llist_del_all(&dead_vms), dead)
		free_vm(vm);
}

static struct pvx_vm *alloc_vm(struct kvm *kvm)
{
	struct pvx_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);

	if (!vm)
		return NULL;
	vm->stats = alloc_percpu_gfp(struct pvx_vm_stats, GFP_KERNEL_ACCOUNT);
	if (!vm->stats) {
		kfree(vm);
		return NULL;
	}
	vm->kvm = kvm;
	vm->vmm = kvm->userspace_pid;
	vm->granted = READ_ONCE(pvx_default_features) & PVX_F_ALL;
	return vm;
}

static void add_debugfs(struct pvx_vm *vm)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", vm->id);
	vm->dir = debugfs_create_dir(name, debugfs_root);
	debugfs_create_file("core", 0444, vm->dir, vm, &core_fops);
	debugfs_create_file("features", 0444, vm->dir, vm, &features_fops);
}

static struct pvx_vm *create_vm(struct kvm *kvm)
{
	struct pvx_vm *vm = alloc_vm(kvm), *other;

	if (!vm)
		return NULL;
	spin_lock(&vms_lock);
	other = pvx_vm_find(kvm);
	if (!other) {
		vm->id = ++last_id;
		hash_add_rcu(vms, &vm->node, (unsigned long)kvm);
		vms_count++;
	}
	spin_unlock(&vms_lock);
	if (other) {
		free_vm(vm);
		return other;
	}
	add_debugfs(vm);
	trace_vm_created(vm->id, kvm->userspace_pid, vm->granted);
	return vm;
}

static struct pvx_vm *find_or_create_vm(struct kvm *kvm)
{
	struct pvx_vm *vm = pvx_vm_find(kvm);

	return vm ? vm : create_vm(kvm);
}

/* The VM's context on behalf of its guest, which gets one if it may do any. */
struct pvx_vm *pvx_vm_get(struct kvm *kvm)
{
	struct pvx_vm *vm = pvx_vm_find(kvm);

	if (vm || !(READ_ONCE(pvx_default_features) & PVX_F_ALL))
		return vm;
	return create_vm(kvm);
}

/* The feature's own bytes for the VM; caller is inside pvx_calls. */
void *pvx_vm_data(struct pvx_vm *vm, struct pvx_host_feature *feature)
{
	struct pvx_vm_part **slot = &vm->parts[__ffs64(feature->feature)];
	struct pvx_vm_part *part = READ_ONCE(*slot), *other;

	if (part)
		return part->data;
	part = kzalloc(struct_size(part, data, DIV_ROUND_UP(feature->vm_size, 8)),
		       GFP_KERNEL_ACCOUNT);
	if (!part)
		return NULL;
	part->feature = feature;
	other = cmpxchg(slot, NULL, part);
	if (!other)
		return part->data;
	kfree(part);
	return other->data;
}

/* Frees what an unregistered feature kept; none of its handlers runs. */
void pvx_vm_drop_data(int bit)
{
	struct pvx_vm_part *part, *next;
	LLIST_HEAD(parts);
	struct pvx_vm *vm;
	int bucket;

	/* vms_lock keeps VMs from dying. */
	spin_lock(&vms_lock);
	hash_for_each(vms, bucket, vm, node) {
		part = xchg(&vm->parts[bit], NULL);
		if (part)
			llist_add(&part->node, &parts);
	}
	spin_unlock(&vms_lock);
	llist_for_each_entry_safe(part, next, llist_del_all(&parts), node)
		free_part(part);
	/* Those that died before free their own. */
	flush_work(&free_work);
}

/* The VM is gone. An ftrace callback may not sleep, so freeing is for later. */
void pvx_vm_destroyed(struct kvm *kvm)
{
	struct pvx_vm *vm;

	spin_lock(&vms_lock);
	vm = pvx_vm_find(kvm);
	if (vm) {
		hash_del_rcu(&vm->node);
		vms_count--;
		trace_vm_destroyed(vm->id);
		/* Under the lock: see pvx_vm_drop_data(). */
		if (llist_add(&vm->dead, &dead_vms))
			schedule_work(&free_work);
	}
	spin_unlock(&vms_lock);
}

/* So that a feature takes back what the VM may not have any more, or lets it in. */
static int tell_features(struct pvx_vm *vm, u64 features)
{
	int bit, err = 0, ret;

	synchronize_srcu(&pvx_calls);
	for (bit = 0; bit < PVX_FEATURES; bit++) {
		if (!(features >> bit & 1))
			continue;
		ret = pvx_feature_changed(vm, bit);
		err = err ?: ret;
	}
	return err;
}

/*
 * What was revoked must be negotiated anew when it comes back. A call that negotiates just then
 * may have seen it granted.
 */
static void drop_negotiated(struct pvx_vm *vm)
{
	spin_lock(&vms_lock);
	WRITE_ONCE(vm->negotiated, vm->negotiated & vm->granted);
	spin_unlock(&vms_lock);
}

/* Caller holds a file of the VM. */
int pvx_vm_grant(struct kvm *kvm, u64 set, u64 clear, u64 *granted)
{
	struct pvx_vm *vm = find_or_create_vm(kvm);
	u64 changed;
	int err;

	if (!vm)
		return -ENOMEM;
	spin_lock(&vms_lock);
	*granted = (vm->granted | set) & ~clear;
	changed = *granted ^ vm->granted;
	WRITE_ONCE(vm->granted, *granted);
	spin_unlock(&vms_lock);
	drop_negotiated(vm);
	trace_vm_granted(vm->id, *granted);
	/* What could not be taken back the last time is asked for again. */
	changed |= clear;
	err = changed ? tell_features(vm, changed) : 0;
	drop_negotiated(vm);
	/* It has what it was granted, though its group may not share just now. */
	return err == -EBUSY ? 0 : err;
}

/* Features by which a VM shares with its group. Others lose nothing when that is another one. */
#define SHARING	PVX_F_KSM

/* Caller holds a file of the VM. */
int pvx_vm_join(struct kvm *kvm, const char name[PVX_GROUP_NAME])
{
	struct pvx_vm *vm = find_or_create_vm(kvm);

	if (!vm)
		return -ENOMEM;
	spin_lock(&vms_lock);
	memcpy(vm->group, name, PVX_GROUP_NAME);
	spin_unlock(&vms_lock);
	trace_vm_grouped(vm->id, name);
	return tell_features(vm, SHARING);
}

/**
 * pvx_host_group() - with whom may a VM share?
 * @kvm: the VM, kept by the caller
 * @feature: what it would share by, PVX_F_*; 0: whatever it may use
 * @name: set to the name of its group; empty if it is in none, or may not use that
 *
 * Context: process context.
 */
void pvx_host_group(struct kvm *kvm, u64 feature, char name[PVX_GROUP_NAME])
{
	struct pvx_vm *vm = pvx_vm_find(kvm);

	spin_lock(&vms_lock);
	strscpy(name, vm && (vm->granted & feature) == feature ? vm->group : "", PVX_GROUP_NAME);
	spin_unlock(&vms_lock);
}
EXPORT_SYMBOL_GPL(pvx_host_group);

/**
 * pvx_host_get_vm() - hold a VM from outside of its calls
 * @kvm: the VM, which may have ended
 * @feature: PVX_F_*
 * @vm_data: the feature's bytes for that VM, by which it is known that it is still the same
 *
 * Context: process context. The VM is let go by kvm_put_kvm().
 * Return: false if it has ended.
 */
bool pvx_host_get_vm(struct kvm *kvm, u64 feature, const void *vm_data)
{
	struct pvx_vm_part *part;
	struct pvx_vm *vm;
	bool held = false;

	/* It cannot go before pvx_vm_destroyed() has had the lock. */
	spin_lock(&vms_lock);
	vm = pvx_vm_find(kvm);
	part = vm ? READ_ONCE(vm->parts[__ffs64(feature)]) : NULL;
	if (part && part->data == vm_data)
		held = ksym(kvm_get_kvm_safe)(kvm);
	spin_unlock(&vms_lock);
	return held;
}
EXPORT_SYMBOL_GPL(pvx_host_get_vm);

/* Caller holds a file of the VM. */
void pvx_vm_query(struct kvm *kvm, struct pvx_query *query)
{
	struct pvx_vm *vm = pvx_vm_find(kvm);

	if (!vm)
		return;
	query->id = vm->id;
	query->granted = READ_ONCE(vm->granted);
	query->negotiated = READ_ONCE(vm->negotiated);
	sum_stats(vm, &query->calls, &query->refused);
}

int pvx_vm_init(void)
{
	debugfs_root = debugfs_create_dir(KBUILD_MODNAME, NULL);
	return 0;
}

/* Nothing calls in any more: the hooks and the device are gone. */
void pvx_vm_exit(void)
{
	struct pvx_vm *vm;
	struct hlist_node *next;
	int bucket;

	hash_for_each_safe(vms, bucket, next, vm, node) {
		hash_del_rcu(&vm->node);
		free_vm(vm);
	}
	flush_work(&free_work);
	debugfs_remove_recursive(debugfs_root);
	rcu_barrier();
}
