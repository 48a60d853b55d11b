// SPDX-License-Identifier: GPL-2.0
/*
 * Once a second: where is a VM's memory, where should its vCPUs be, and are they?
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/jiffies.h>
#include <linux/kvm_host.h>
#include <linux/sched/task.h>
#include <linux/string.h>
#include <linux/topology.h>

#include "numa_vm.h"

#define CREATE_TRACE_POINTS
#include "numa_trace.h"

static unsigned int move_permille = 100;
module_param(move_permille, uint, 0644);
MODULE_PARM_DESC(move_permille,
	"What share of its accesses must become local that a vCPU is moved, in permille (default 100)");

static const char * const policies[] = {
	[PVX_NUMA_ADVISE] = "advise",
	[PVX_NUMA_PLACE] = "place",
	[PVX_NUMA_BALANCE] = "balance",
};
static enum pvx_numa_policy policy = PVX_NUMA_BALANCE;

static int policy_set(const char *value, const struct kernel_param *param)
{
	int i = sysfs_match_string(policies, value);

	if (i < 0)
		return i;
	WRITE_ONCE(policy, i);
	return 0;
}

static int policy_get(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%s\n", policies[READ_ONCE(policy)]);
}

static const struct kernel_param_ops policy_ops = {
	.set = policy_set,
	.get = policy_get,
};
module_param_cb(policy, &policy_ops, NULL, 0644);
MODULE_PARM_DESC(policy,
	"advise: only tell; place: move vCPUs to their memory; balance: as far as its node has room (default balance)");

/* Blocks that are looked at in a second. */
#define LOOKS		256
/* A decision holds for so many seconds; if the next one follows at once, for twice as many. */
#define HOLD_MIN_S	2
#define HOLD_MAX_S	64

/* --- those that compete ----------------------------------------------------- */

static LIST_HEAD(competitors);
static DEFINE_SPINLOCK(competitors_lock);

void pvx_numa_compete(struct pvx_numa_vm *vm)
{
	memset(vm->placed, 0, sizeof(vm->placed));
	spin_lock(&competitors_lock);
	vm->counted = vm->vcpus;
	list_add(&vm->others, &competitors);
	spin_unlock(&competitors_lock);
}

void pvx_numa_leave(struct pvx_numa_vm *vm)
{
	spin_lock(&competitors_lock);
	if (vm->counted)
		list_del(&vm->others);
	vm->counted = 0;
	spin_unlock(&competitors_lock);
}

/* CPUs of a node that some vCPU of the VM may use. */
static u32 count_cpus(const struct cpumask *allowed, int node)
{
	u32 n = 0;
	int cpu;

	for_each_cpu_and(cpu, allowed, cpumask_of_node(node))
		n += cpu_online(cpu);
	return n;
}

/* vCPUs that other VMs have on a node, and how many all have anywhere. */
static u32 count_others(const struct pvx_numa_vm *vm, int node, u32 *all)
{
	const struct pvx_numa_vm *other;
	u32 n = 0;

	*all = 0;
	spin_lock(&competitors_lock);
	list_for_each_entry(other, &competitors, others) {
		*all += other->counted;
		if (other != vm)
			n += READ_ONCE(other->placed[node]);
	}
	spin_unlock(&competitors_lock);
	return n;
}

/*
 * A VM gets what others have left of a node, and its share by the number of vCPUs in any
 * case: who says that it needs more gets no more of what others have.
 */
static u32 balanced_room(const struct pvx_numa_vm *vm, int node, u32 cpus)
{
	u32 all, others = count_others(vm, node, &all), share;

	share = cpus * vm->vcpus / max(all, 1U);
	return max(share, cpus > others ? cpus - others : 0);
}

static void find_room(struct pvx_numa_vm *vm, const struct cpumask *allowed)
{
	u32 cpus[PVX_NUMA_NODES_MAX], all = 0, room = 0, n;
	struct pvx_numa_place *p = &vm->place;

	for (n = 0; n < vm->where.nodes; n++) {
		cpus[n] = node_online(n) ? count_cpus(allowed, n) : 0;
		all += cpus[n];
		p->room[n] = READ_ONCE(policy) == PVX_NUMA_BALANCE ?
				     balanced_room(vm, n, cpus[n]) : (cpus[n] ? vm->vcpus : 0);
		room += p->room[n];
	}
	/* More vCPUs than CPUs: then each node has as many more as it has CPUs. */
	for (n = 0; room < vm->vcpus && all && n < vm->where.nodes; n++)
		p->room[n] = max(p->room[n], DIV_ROUND_UP(cpus[n] * vm->vcpus, all));
}

/* --- what is -------------------------------------------------------------- */

/* Held; NULL if it has not run yet. */
static struct task_struct *thread_of(struct kvm *kvm, u32 i)
{
	struct kvm_vcpu *vcpu = kvm_get_vcpu(kvm, i);
	struct task_struct *task;

	rcu_read_lock();
	task = get_pid_task(rcu_dereference(vcpu->pid), PIDTYPE_PID);
	rcu_read_unlock();
	return task;
}

static void look_at_threads(struct pvx_numa_vm *vm)
{
	u32 i;

	for (i = 0; i < vm->vcpus; i++) {
		if (!pvx_numa_bind_look(&vm->vcpu[i].bind))
			continue;
		vm->overruled++;
		/* That is no flapping. */
		vm->hold_s = 0;
		vm->hold_until = jiffies;
		trace_numa_overruled(vm->vmm, vm->vcpu[i].id);
	}
}

static bool is_used(const struct pvx_numa_vm *vm, u32 block)
{
	u32 i;

	for (i = 0; i < vm->vcpus; i++)
		if (vm->weight[(size_t)i * vm->blocks + block])
			return true;
	return false;
}

static void look_at_memory(struct pvx_numa_vm *vm, struct kvm *kvm)
{
	u32 i, looks = 0;

	for (i = 0; i < vm->blocks && looks < LOOKS; i++) {
		if (is_used(vm, vm->next)) {
			pvx_numa_where_look(&vm->where, kvm, vm->next);
			looks++;
		}
		vm->next = (vm->next + 1) % vm->blocks;
		cond_resched();
	}
}

static void add_up(struct pvx_numa_vm *vm, u32 i)
{
	const u16 *weight = vm->weight + (size_t)i * vm->blocks;
	u64 *use = vm->use + (size_t)i * vm->where.nodes;
	const u8 *share;
	u32 block, n;

	memset(use, 0, vm->where.nodes * sizeof(*use));
	vm->vcpu[i].used = 0;
	for (block = 0; block < vm->blocks; block++) {
		if (!weight[block])
			continue;
		share = pvx_numa_shares(&vm->where, block);
		for (n = 0; n < vm->where.nodes; n++)
			use[n] += (u64)weight[block] * share[n];
		vm->vcpu[i].used += weight[block];
	}
}

/* A vCPU that nothing is known of is like those that it is said to share memory with. */
static void guess(struct pvx_numa_vm *vm, u32 i)
{
	u64 *use = vm->use + (size_t)i * vm->where.nodes;
	u32 other, n;

	for (other = 0; other < vm->vcpus; other++) {
		if (!vm->vcpu[other].used || vm->vcpu[other].group != vm->vcpu[i].group)
			continue;
		for (n = 0; n < vm->where.nodes; n++)
			use[n] += vm->use[(size_t)other * vm->where.nodes + n] / vm->vcpus;
	}
}

static void look_at_use(struct pvx_numa_vm *vm)
{
	u32 i;

	for (i = 0; i < vm->vcpus; i++) {
		add_up(vm, i);
		cond_resched();
	}
	for (i = 0; i < vm->vcpus; i++)
		if (!vm->vcpu[i].used && vm->vcpu[i].group)
			guess(vm, i);
}

/* Also which CPUs some of them may be on, and which nodes each. */
static void look_where_they_are(struct pvx_numa_vm *vm, struct kvm *kvm, u32 *may,
				struct cpumask *allowed)
{
	const struct cpumask *mask;
	struct task_struct *task;
	u32 i, n;

	cpumask_clear(allowed);
	for (i = 0; i < vm->vcpus; i++) {
		vm->now[i] = may[i] = 0;
		task = thread_of(kvm, i);
		if (!task)
			continue;
		mask = pvx_numa_allowed(&vm->vcpu[i].bind, task);
		for (n = 0; n < vm->where.nodes; n++)
			if (node_online(n) && cpumask_intersects(mask, cpumask_of_node(n)))
				may[i] |= 1U << n;
		cpumask_or(allowed, allowed, mask);
		n = cpu_to_node(task_cpu(task));
		if (n < vm->where.nodes)
			vm->now[i] = n;
		put_task_struct(task);
	}
}

static void note_remote(struct pvx_numa_vm *vm)
{
	const u32 nodes = vm->where.nodes;
	u64 all = 0, local = 0;
	u32 i, n;

	for (i = 0; i < vm->vcpus; i++) {
		for (n = 0; n < nodes; n++)
			all += vm->use[(size_t)i * nodes + n];
		local += vm->use[(size_t)i * nodes + vm->now[i]];
	}
	vm->remote = all ? 1000 - div64_u64(1000 * local, all) : -1;
	if (vm->remote_first < 0)
		vm->remote_first = vm->remote;
}

/* --- what is to be ---------------------------------------------------------- */

static bool has_use(const struct pvx_numa_vm *vm, u32 i)
{
	return vm->use[(size_t)i * vm->where.nodes + vm->want[i]];
}

/* Who uses no memory there is nobody to be kept. */
static bool apply(struct pvx_numa_vm *vm, struct kvm *kvm, u32 i)
{
	struct pvx_numa_bind *bind = &vm->vcpu[i].bind;
	struct task_struct *task;
	bool applied;

	if (READ_ONCE(policy) == PVX_NUMA_ADVISE || !has_use(vm, i)) {
		pvx_numa_unbind(bind);
		return false;
	}
	task = thread_of(kvm, i);
	if (!task)
		return false;
	applied = pvx_numa_bind(bind, task, vm->want[i]);
	put_task_struct(task);
	return applied;
}

static void apply_all(struct pvx_numa_vm *vm, struct kvm *kvm)
{
	const u64 *use = vm->use;
	u32 i, changed = 0;
	bool applied;

	for (i = 0; i < vm->vcpus; i++, use += vm->where.nodes) {
		applied = apply(vm, kvm, i);
		if (vm->want[i] == vm->now[i])
			continue;
		changed++;
		vm->moves += applied;
		trace_numa_decided(vm->vmm, vm->vcpu[i].id, vm->now[i], vm->want[i],
				   use[vm->now[i]], use[vm->want[i]], applied);
	}
	vm->decisions += changed;
	for (i = 0; i < PVX_NUMA_NODES_MAX; i++)
		WRITE_ONCE(vm->placed[i], vm->place.load[i]);
	if (changed) {
		vm->hold_s = clamp(2 * vm->hold_s, (u32)HOLD_MIN_S, (u32)HOLD_MAX_S);
		vm->hold_until = jiffies + vm->hold_s * HZ;
	} else if (time_after(jiffies, vm->hold_until + HOLD_MAX_S * HZ)) {
		vm->hold_s = 0;
	}
}

/**
 * pvx_numa_decide() - look at a VM, and place its vCPUs if that is due
 * @vm: the VM
 * @kvm: the same
 *
 * Context: process context with the VM's address space, kvm->srcu, and its lock held; may
 * sleep.
 */
void pvx_numa_decide(struct pvx_numa_vm *vm, struct kvm *kvm)
{
	cpumask_var_t allowed;
	u32 *may;

	if (!zalloc_cpumask_var(&allowed, GFP_KERNEL))
		return;
	may = kvcalloc(vm->vcpus, sizeof(*may), GFP_KERNEL);
	if (!may)
		goto free;
	look_at_threads(vm);
	look_at_memory(vm, kvm);
	look_at_use(vm);
	look_where_they_are(vm, kvm, may, allowed);
	note_remote(vm);
	if (time_before(jiffies, vm->hold_until))
		goto free;
	vm->place.vcpus = vm->vcpus;
	vm->place.nodes = vm->where.nodes;
	vm->place.use = vm->use;
	vm->place.may = may;
	vm->place.now = vm->now;
	vm->place.node = vm->want;
	vm->place.move_permille = READ_ONCE(move_permille);
	find_room(vm, allowed);
	pvx_numa_place(&vm->place);
	apply_all(vm, kvm);
free:
	kvfree(may);
	free_cpumask_var(allowed);
}
