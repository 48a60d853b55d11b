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

#include "fault.h"
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

/*
 * Blocks in use that are looked at in a second: as many as a quarter of all, from so many to so
 * many.
 */
#define LOOKS_MIN	256U
#define LOOKS_MAX	4096U
/* After so many times in a minute a thread is left to who sets its affinity. */
#define OVERRULED_MAX	3
/* A vCPU that was moved stays for so many seconds; if it is moved again soon, twice as many. */
#define HOLD_MIN_S	2
#define HOLD_MAX_S	64

/**
 * struct pvx_numa_masks - where vCPUs may be, by all but us
 * @allowed: CPUs that some of them may be on
 * @kept: CPUs that those may be on who may be on one node only
 * @fixed: how many these are, on each
 * @mask: room for one of them
 * @may: nodes that each may be on, a bit for each
 * @held: the same, less those that we do not want to move it to so soon
 * @from: the node that each is moved from, if it is; PVX_NUMA_NODES_MAX: it is not known
 */
struct pvx_numa_masks {
	cpumask_var_t	allowed;
	cpumask_var_t	kept;
	u32		fixed[PVX_NUMA_NODES_MAX];
	cpumask_var_t	mask;
	u32		*may;
	u32		*held;
	u32		*from;
};

/**
 * struct pvx_numa_rivals - those who compete for CPUs, the VM that asks included
 * @cpus: of these CPUs, how many they may be on
 * @vcpus: how many vCPUs they have in all
 */
struct pvx_numa_rivals {
	u32	cpus;
	u32	vcpus;
};

/* --- those that compete ----------------------------------------------------- */

static LIST_HEAD(competitors);
/*
 * Also for what each may have and has placed; held while one is being placed, so that no two
 * take it.
 */
static DEFINE_MUTEX(competitors_lock);

/**
 * pvx_numa_compete() - have a VM compete for CPUs
 * @vm: the VM, for which there is room now
 *
 * Context: process context with the VM's lock held; may sleep.
 */
void pvx_numa_compete(struct pvx_numa_vm *vm)
{
	mutex_lock(&competitors_lock);
	memset(vm->placed, 0, sizeof(vm->placed));
	memset(vm->fixed, 0, sizeof(vm->fixed));
	cpumask_clear(vm->allowed);
	vm->counted = vm->vcpus;
	list_add(&vm->others, &competitors);
	mutex_unlock(&competitors_lock);
}

/**
 * pvx_numa_leave() - have a VM compete no longer
 * @vm: the VM; nothing comes of it if it does not
 *
 * Context: process context with the VM's lock held; may sleep.
 */
void pvx_numa_leave(struct pvx_numa_vm *vm)
{
	mutex_lock(&competitors_lock);
	if (vm->counted)
		list_del(&vm->others);
	vm->counted = 0;
	mutex_unlock(&competitors_lock);
}

/* Of these CPUs, how many some vCPU may use. */
static u32 count_cpus(const struct cpumask *allowed, const struct cpumask *cpus)
{
	u32 n = 0;
	int cpu;

	for_each_cpu_and(cpu, allowed, cpus)
		n += cpu_online(cpu);
	return n;
}

/* Is there one of these CPUs that both may use? */
static bool are_rivals(const struct pvx_numa_vm *a, const struct pvx_numa_vm *b,
		       const struct cpumask *cpus)
{
	int cpu;

	for_each_cpu_and(cpu, a->allowed, cpus)
		if (cpumask_test_cpu(cpu, b->allowed))
			return true;
	return false;
}

/* @mask is room for what they may use together. */
static struct pvx_numa_rivals rivals_for(const struct pvx_numa_vm *vm,
					 const struct cpumask *cpus, struct cpumask *mask)
{
	struct pvx_numa_rivals rivals = { 0 };
	const struct pvx_numa_vm *other;

	cpumask_clear(mask);
	list_for_each_entry(other, &competitors, others) {
		if (!are_rivals(vm, other, cpus))
			continue;
		cpumask_or(mask, mask, other->allowed);
		rivals.vcpus += other->counted;
	}
	rivals.cpus = count_cpus(mask, cpus);
	return rivals;
}

/* Where there are more vCPUs than CPUs, CPUs have room for as many more. */
static u32 room_of(u32 cpus, const struct pvx_numa_rivals *all)
{
	return max(cpus, DIV_ROUND_UP(cpus * all->vcpus, max(all->cpus, 1U)));
}

/* What a VM has of a node in any case: by the number of its vCPUs. */
static u32 share_of(const struct pvx_numa_vm *vm, u32 capacity, u32 all_vcpus)
{
	return DIV_ROUND_UP(capacity * vm->counted, max(all_vcpus, 1U));
}

/*
 * What others have of CPUs that the VM may use, too, up to their share, is theirs: who says
 * that it needs more gets what is free, and what others have beyond that, unless their operators
 * keep it there. Who may use none of these takes nothing away.
 */
static u32 balanced_room(const struct pvx_numa_vm *vm, int node,
			 const struct pvx_numa_rivals *all, struct cpumask *mask)
{
	const struct cpumask *cpus = cpumask_of_node(node);
	const struct pvx_numa_rivals here = rivals_for(vm, cpus, mask);
	const u32 capacity = room_of(here.cpus, all);
	const struct pvx_numa_vm *other;
	u32 taken = 0;

	list_for_each_entry(other, &competitors, others)
		if (other != vm && are_rivals(vm, other, cpus))
			taken += max(min(other->fixed[node],
					 room_of(other->kept[node], all)),
				     min(other->placed[node],
					 share_of(other, capacity, here.vcpus)));
	return min(room_of(count_cpus(vm->allowed, cpus), all),
		   capacity > taken ? capacity - taken : 0);
}

/* With competitors_lock. */
static void find_room(struct pvx_numa_vm *vm, struct cpumask *mask)
{
	const struct pvx_numa_rivals all = rivals_for(vm, cpu_online_mask, mask);
	const bool balance = READ_ONCE(policy) == PVX_NUMA_BALANCE;
	u32 cpus[PVX_NUMA_NODES_MAX], all_cpus = 0, n, room = 0;
	struct pvx_numa_place *p = &vm->place;

	for (n = 0; n < vm->where.nodes; n++) {
		cpus[n] = node_online(n) ? count_cpus(vm->allowed, cpumask_of_node(n)) : 0;
		all_cpus += cpus[n];
		p->room[n] = cpus[n] ? vm->vcpus : 0;
		if (cpus[n] && balance)
			p->room[n] = balanced_room(vm, n, &all, mask);
		room += p->room[n];
	}
	/* Masks of several VMs may leave less than that. */
	for (n = 0; room < vm->vcpus && all_cpus && n < vm->where.nodes; n++)
		p->room[n] = max(p->room[n], DIV_ROUND_UP(cpus[n] * vm->vcpus, all_cpus));
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

/* An agent that sets it again and again has its way. */
static void note_overruled(struct pvx_numa_vm *vm, u32 i)
{
	struct pvx_numa_past *past = &vm->past[i];

	vm->overruled++;
	trace_numa_overruled(vm->vmm, vm->vcpu[i].id);
	if (time_after(jiffies, past->leave_until + 60 * HZ))
		past->overruled = 0;
	if (++past->overruled < OVERRULED_MAX) {
		/* That is no flapping. */
		past->hold_s = 0;
		past->hold_until = jiffies;
		past->leave_until = jiffies;
		return;
	}
	past->leave_until = jiffies + 60 * HZ;
}

static bool is_left_alone(const struct pvx_numa_vm *vm, u32 i)
{
	return time_before(jiffies, vm->past[i].leave_until);
}

static void look_at_threads(struct pvx_numa_vm *vm)
{
	u32 i;

	for (i = 0; i < vm->vcpus; i++)
		if (pvx_numa_bind_look(&vm->vcpu[i].bind))
			note_overruled(vm, i);
}

static void look_at_memory(struct pvx_numa_vm *vm, struct kvm *kvm)
{
	const u32 most = clamp(vm->blocks / 4, LOOKS_MIN, LOOKS_MAX);
	u32 i, looks = 0;

	for (i = 0; i < vm->blocks && looks < most; i++) {
		if (pvx_numa_is_used(vm, vm->next)) {
			pvx_numa_where_look(&vm->where, kvm, vm->next);
			looks++;
		}
		vm->next = (vm->next + 1) % vm->blocks;
		cond_resched();
	}
}

static void add_block(struct pvx_numa_vm *vm, u32 block)
{
	const u16 *weights = pvx_numa_weights(vm, block);
	const u8 *share = pvx_numa_shares(&vm->where, block);
	u64 *use = vm->use;
	u32 i, n;

	for (i = 0; i < vm->vcpus; i++, use += vm->where.nodes) {
		for (n = 0; weights[i] && n < vm->where.nodes; n++)
			use[n] += (u64)weights[i] * share[n];
		vm->vcpu[i].used += weights[i];
	}
}

static void add_up(struct pvx_numa_vm *vm)
{
	u32 i, block;

	memset(vm->use, 0, (size_t)vm->vcpus * vm->where.nodes * sizeof(*vm->use));
	for (i = 0; i < vm->vcpus; i++)
		vm->vcpu[i].used = 0;
	for (block = 0; block < vm->blocks; block++) {
		add_block(vm, block);
		cond_resched();
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
	u32 i, n;

	add_up(vm);
	for (i = 0; i < vm->vcpus; i++) {
		if (!vm->vcpu[i].used && vm->vcpu[i].group)
			guess(vm, i);
		cond_resched();
	}
	for (i = 0; i < vm->vcpus; i++)
		for (vm->all[i] = n = 0; n < vm->where.nodes; n++)
			vm->all[i] += vm->use[(size_t)i * vm->where.nodes + n];
}

/* Was moved a short time ago? */
static bool is_held(const struct pvx_numa_vm *vm, u32 i)
{
	return time_before(jiffies, vm->past[i].hold_until);
}

/* And is there still. */
static bool stays(const struct pvx_numa_vm *vm, u32 i)
{
	return is_held(vm, i) && vm->vcpu[i].bind.task;
}

/* One that sleeps gets there when it wakes up. Negative if that is not known. */
static int node_of(const struct pvx_numa_vcpu *vcpu, const struct task_struct *task)
{
	if (vcpu->bind.task == task)
		return cpu_to_node(cpumask_first(vcpu->bind.ours));
	return cpu_to_node(task_cpu(task));
}

/* The nodes that have CPUs of a mask, a bit for each. */
static u32 nodes_of(const struct pvx_numa_vm *vm, const struct cpumask *mask)
{
	u32 n, nodes = 0;

	for (n = 0; n < vm->where.nodes; n++)
		if (node_online(n) && cpumask_intersects(mask, cpumask_of_node(n)))
			nodes |= 1U << n;
	return nodes;
}

/*
 * What was to make way, but is not held where it was to go, runs now here and now there. For
 * others it is where it was to go: else who makes way would be chosen anew each time.
 */
static u32 moved_from(const struct pvx_numa_vm *vm, u32 i, u32 may)
{
	const struct pvx_numa_vcpu *vcpu = &vm->vcpu[i];

	if (vcpu->is_displaced && !vcpu->bind.task && (may >> vm->want[i] & 1))
		return vm->want[i];
	return vm->now[i];
}

/* By operators and their cpusets, not by us. */
static void note_fixed(struct pvx_numa_masks *m, u32 nodes)
{
	if (!is_power_of_2(nodes))
		return;
	m->fixed[__ffs(nodes)]++;
	cpumask_or(m->kept, m->kept, m->mask);
}

/* Also which CPUs some of them may be on, and which nodes each. */
static void look_where_they_are(struct pvx_numa_vm *vm, struct kvm *kvm,
				struct pvx_numa_masks *m)
{
	struct task_struct *task;
	u32 i, nodes;
	int node;

	cpumask_clear(m->allowed);
	cpumask_clear(m->kept);
	memset(m->fixed, 0, sizeof(m->fixed));
	for (i = 0; i < vm->vcpus; i++) {
		vm->now[i] = m->may[i] = 0;
		m->from[i] = PVX_NUMA_NODES_MAX;
		vm->vcpu[i].is_known = false;
		task = thread_of(kvm, i);
		if (!task) {
			/* One that has ended needs nothing back, but is not to be held for ever. */
			pvx_numa_release(vm, i);
			continue;
		}
		pvx_numa_allowed(&vm->vcpu[i].bind, task, m->mask);
		cpumask_or(m->allowed, m->allowed, m->mask);
		node = node_of(&vm->vcpu[i], task);
		put_task_struct(task);
		if (node < 0 || node >= (int)vm->where.nodes)
			continue;
		vm->now[i] = node;
		vm->vcpu[i].is_known = true;
		nodes = nodes_of(vm, m->mask);
		note_fixed(m, nodes);
		m->may[i] = is_left_alone(vm, i) ? 1U << node : nodes;
		m->from[i] = moved_from(vm, i, m->may[i]);
	}
}

static void note_remote(struct pvx_numa_vm *vm)
{
	u64 all = 0, local = 0;
	u32 i;

	for (i = 0; i < vm->vcpus; i++) {
		if (!vm->vcpu[i].is_known)
			continue;
		all += vm->all[i];
		local += vm->use[(size_t)i * vm->where.nodes + vm->now[i]];
	}
	vm->remote = all ? 1000 - div64_u64(1000 * local, all) : -1;
	if (vm->remote_first < 0)
		vm->remote_first = vm->remote;
}

/* --- what is to be ---------------------------------------------------------- */

/*
 * Who uses all nodes' memory alike is better left to the scheduler. What is held is let go at
 * half of what it takes to be held, so that it is not both in turn.
 */
static bool is_worth_it(const struct pvx_numa_vm *vm, u32 i)
{
	const u32 permille = vm->place.move_permille / (vm->vcpu[i].bind.task ? 2 : 1);
	const u64 *use = vm->use + (size_t)i * vm->where.nodes;
	u64 second = 0;
	u32 n;

	for (n = 0; n < vm->where.nodes; n++)
		if (n != vm->want[i])
			second = max(second, use[n]);
	return 1000 * use[vm->want[i]] > 1000 * second + vm->all[i] * permille;
}

/* Is it to be on another node than the one whose memory it uses most? */
static bool is_displaced(const struct pvx_numa_vm *vm, u32 i)
{
	const u64 *use = vm->use + (size_t)i * vm->where.nodes;
	u32 n;

	for (n = 0; n < vm->where.nodes; n++)
		if (use[n] > use[vm->want[i]])
			return true;
	return false;
}

static void hold(struct pvx_numa_past *past)
{
	if (time_after(jiffies, past->hold_until + HOLD_MAX_S * HZ))
		past->hold_s = 0;
	past->hold_s = clamp(2 * past->hold_s, (u32)HOLD_MIN_S, (u32)HOLD_MAX_S);
	past->hold_until = jiffies + past->hold_s * HZ;
}

static bool keep_there(struct pvx_numa_vm *vm, u32 i, struct task_struct *task)
{
	struct pvx_numa_bind *bind = &vm->vcpu[i].bind;
	const bool is_new = bind->task != task || vm->want[i] != vm->now[i];

	/* Since they were looked at, memory was, which may take long. */
	if (pvx_numa_bind_look(bind)) {
		note_overruled(vm, i);
		return false;
	}
	if (!pvx_numa_bind(bind, task, vm->want[i]))
		return false;
	if (is_new)
		hold(&vm->past[i]);
	return true;
}

/* Returns whether it is, or will be, where it is to be. */
static bool apply(struct pvx_numa_vm *vm, struct kvm *kvm, u32 i)
{
	struct pvx_numa_bind *bind = &vm->vcpu[i].bind;
	struct task_struct *task;
	bool applied;

	if (is_left_alone(vm, i))
		return false;
	if (READ_ONCE(policy) == PVX_NUMA_ADVISE) {
		pvx_numa_release(vm, i);
		return false;
	}
	/* Not bound: it was let go, or the guest has withdrawn what it said meanwhile. */
	if (is_held(vm, i) && (!bind->task || vm->want[i] == vm->now[i]))
		return bind->task;
	if (!is_worth_it(vm, i)) {
		pvx_numa_release(vm, i);
		return false;
	}
	task = thread_of(kvm, i);
	if (!task)
		return false;
	applied = keep_there(vm, i, task);
	put_task_struct(task);
	return applied;
}

/* What is not done is told once. */
static void note_decision(struct pvx_numa_vm *vm, u32 i, bool applied)
{
	const u64 *use = vm->use + (size_t)i * vm->where.nodes;
	struct pvx_numa_vcpu *vcpu = &vm->vcpu[i];

	if (!vm->all[i] || (!applied && vcpu->told == vm->want[i]))
		return;
	vcpu->told = vm->want[i];
	vm->decisions++;
	vm->moves += applied;
	trace_numa_decided(vm->vmm, vcpu->id, vm->now[i], vm->want[i],
			   use[vm->now[i]], use[vm->want[i]], applied);
}

static void apply_all(struct pvx_numa_vm *vm, struct kvm *kvm)
{
	bool applied;
	u32 i;

	for (i = 0; i < vm->vcpus; i++) {
		if (!vm->vcpu[i].is_known) {
			vm->want[i] = vm->now[i];
			vm->vcpu[i].is_displaced = false;
			continue;
		}
		applied = apply(vm, kvm, i);
		vm->vcpu[i].is_displaced = is_displaced(vm, i);
		if (vm->want[i] == vm->now[i])
			vm->vcpu[i].told = vm->now[i];
		else
			note_decision(vm, i, applied);
	}
}

static bool is_crowded(const struct pvx_numa_place *p)
{
	u32 n;

	for (n = 0; n < p->nodes; n++)
		if (p->load[n] > p->room[n])
			return true;
	return false;
}

/* Those that were moved a short time ago stay, but where a node has too many then. */
static void find_places(struct pvx_numa_vm *vm, struct pvx_numa_masks *m)
{
	struct pvx_numa_place *p = &vm->place;
	u32 i;

	for (i = 0; i < vm->vcpus; i++)
		m->held[i] = stays(vm, i) && (m->may[i] >> vm->now[i] & 1) ? 1U << vm->now[i] :
									     m->may[i];
	p->may = m->held;
	pvx_numa_place(p);
	if (!is_crowded(p))
		return;
	p->may = m->may;
	pvx_numa_place(p);
}

static void tell_fixed(struct pvx_numa_vm *vm, const struct pvx_numa_masks *m)
{
	u32 n;

	memcpy(vm->fixed, m->fixed, sizeof(vm->fixed));
	for (n = 0; n < vm->where.nodes; n++)
		vm->kept[n] = node_online(n) ? count_cpus(m->kept, cpumask_of_node(n)) : 0;
}

/* What is found is the others' business at once, before it is done. */
static void place(struct pvx_numa_vm *vm, struct pvx_numa_masks *m)
{
	struct pvx_numa_place *p = &vm->place;

	p->vcpus = vm->vcpus;
	p->nodes = vm->where.nodes;
	p->use = vm->use;
	p->all = vm->all;
	p->now = m->from;
	p->node = vm->want;
	p->move_permille = min(READ_ONCE(move_permille), 1000U);
	mutex_lock(&competitors_lock);
	cpumask_copy(vm->allowed, m->allowed);
	tell_fixed(vm, m);
	find_room(vm, m->mask);
	find_places(vm, m);
	memcpy(vm->placed, p->load, sizeof(vm->placed));
	mutex_unlock(&competitors_lock);
}

static void decide(struct pvx_numa_vm *vm, struct kvm *kvm, struct pvx_numa_masks *m)
{
	look_at_threads(vm);
	look_at_memory(vm, kvm);
	look_at_use(vm);
	look_where_they_are(vm, kvm, m);
	note_remote(vm);
	place(vm, m);
	apply_all(vm, kvm);
	pvx_numa_advise(vm, kvm);
}

static bool alloc_masks(struct pvx_numa_masks *m, u32 vcpus)
{
	m->may = kvcalloc(vcpus, sizeof(*m->may), GFP_KERNEL);
	m->held = kvcalloc(vcpus, sizeof(*m->held), GFP_KERNEL);
	m->from = kvcalloc(vcpus, sizeof(*m->from), GFP_KERNEL);
	return zalloc_cpumask_var(&m->allowed, GFP_KERNEL) &&
	       zalloc_cpumask_var(&m->kept, GFP_KERNEL) &&
	       zalloc_cpumask_var(&m->mask, GFP_KERNEL) && m->may && m->held && m->from;
}

static void free_masks(struct pvx_numa_masks *m)
{
	free_cpumask_var(m->mask);
	free_cpumask_var(m->kept);
	free_cpumask_var(m->allowed);
	kvfree(m->from);
	kvfree(m->held);
	kvfree(m->may);
}

/**
 * pvx_numa_decide() - look at a VM, and place its vCPUs if that is due
 * @vm: the VM
 * @kvm: the same
 *
 * Context: process context with the VM's address space, kvm->srcu, and its lock held; may
 * sleep. Without memory for it nothing is done.
 */
void pvx_numa_decide(struct pvx_numa_vm *vm, struct kvm *kvm)
{
	struct pvx_numa_masks masks = { 0 };

	if (alloc_masks(&masks, vm->vcpus))
		decide(vm, kvm, &masks);
	free_masks(&masks);
}
