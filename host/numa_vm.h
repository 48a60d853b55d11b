/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is known of a VM's vCPUs and its memory, and what came of it
 */
#ifndef PVX_HOST_NUMA_VM_H
#define PVX_HOST_NUMA_VM_H

#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include <linux/kvm_pvx.h>

#include "budget.h"
#include "numa_bind.h"
#include "numa_place.h"
#include "numa_where.h"

struct kvm;

/**
 * struct pvx_numa_vcpu - one vCPU
 * @id: its APIC id
 * @group: number of its group as the guest guesses, 0: none
 * @used: sum of its weights
 * @is_known: it is known on which node it is
 * @is_displaced: it was to be on another node than the one whose memory it uses most
 * @told: the node that was told last as better
 * @bind: its thread
 */
struct pvx_numa_vcpu {
	u32			id;
	u32			group;
	u64			used;
	bool			is_known;
	bool			is_displaced;
	u32			told;
	struct pvx_numa_bind	bind;
};

/**
 * struct pvx_numa_past - what is remembered of a vCPU when the guest makes all else forgotten
 * @overruled: times that somebody else changed its affinity lately
 * @leave_until: till when it is left alone for that, in jiffies
 * @hold_until: till when it stays where it was moved to last, in jiffies
 * @hold_s: how long that was, in seconds
 */
struct pvx_numa_past {
	u32		overruled;
	unsigned long	leave_until;
	unsigned long	hold_until;
	u32		hold_s;
};

/** PVX_NUMA_ADVICES - blocks of a VM that are named at most as better elsewhere */
#define PVX_NUMA_ADVICES	16

/**
 * struct pvx_numa_advice - a block that would be better on another node
 * @hva: where the VMM has it
 * @node: the node
 * @ppm: of a million of what the VM uses, what would be local then
 */
struct pvx_numa_advice {
	unsigned long	hva;
	u32		node;
	u32		ppm;
};

/**
 * struct pvx_numa_vm - one VM
 * @others: in the list of those that compete for nodes
 * @kvm: the VM; not a reference, see pvx_host_get_vm()
 * @data: what the core knows it by
 * @vmm: the VMM's process id
 * @budget: of entries
 * @withdrawals: of calls that withdraw all
 * @calls: how many there were of any kind
 * @lock: serialises calls and the worker; all below is under it
 * @work: looks at it once a second as long as there is something to do
 * @anew: what the guest said is forgotten, which it does not know yet
 * @set_up_at: when there was made room last, in jiffies
 * @called_at: when the guest said something last, in jiffies
 * @shift: log2 of a block's size in bytes; 0: nothing is known
 * @vcpus: how many vCPUs there are rows for
 * @blocks: how many blocks the memory has
 * @weight: how much each block is used by each vCPU, see pvx_numa_weights()
 * @where: on which nodes the blocks are
 * @next: block that is looked at next
 * @vcpu: each vCPU
 * @pasts: how many there are in
 * @past: the past of each
 * @use: how much each vCPU uses of each node's memory
 * @all: sum of these for each vCPU
 * @now: node that each vCPU is on
 * @want: node that each is to be on
 * @place: how that is found
 * @allowed: CPUs that some vCPU may be on, by all but us; for others, as are
 * @placed: how many vCPUs each node has of this VM,
 * @fixed: how many may be nowhere else,
 * @kept: on how many CPUs of it these may be, and
 * @counted: @vcpus while it competes, else 0; others read these without the lock
 * @decisions: vCPUs that were to be moved
 * @moves: of these, those that were
 * @overruled: times that somebody else changed an affinity
 * @remote_first: permille of its use that was remote when it was first looked at, and
 * @remote: is now
 * @advices: how many there are in
 * @advice: the blocks that would be better on another node
 * @page: where the guest wants to read where its vCPUs are, 0: nowhere
 * @nodes: what is there
 * @bytes: and how much of that we have written to, 0: nothing yet
 */
struct pvx_numa_vm {
	struct list_head	others;
	struct kvm		*kvm;
	const void		*data;
	int			vmm;
	struct pvx_budget	budget;
	struct pvx_budget	withdrawals;
	atomic64_t		calls;
	struct mutex		lock;
	struct delayed_work	work;
	bool			anew;
	unsigned long		set_up_at;
	unsigned long		called_at;
	u32			shift;
	u32			vcpus;
	u32			blocks;
	u16			*weight;
	struct pvx_numa_where	where;
	u32			next;
	struct pvx_numa_vcpu	*vcpu;
	u32			pasts;
	struct pvx_numa_past	*past;
	u64			*use;
	u64			*all;
	u32			*now;
	u32			*want;
	struct pvx_numa_place	place;
	cpumask_var_t		allowed;
	u32			placed[PVX_NUMA_NODES_MAX];
	u32			fixed[PVX_NUMA_NODES_MAX];
	u32			kept[PVX_NUMA_NODES_MAX];
	u32			counted;
	u64			decisions;
	u64			moves;
	u64			overruled;
	s32			remote_first;
	s32			remote;
	u32			advices;
	struct pvx_numa_advice	advice[PVX_NUMA_ADVICES];
	u64			page;
	struct pvx_numa_nodes	nodes;
	u32			bytes;
};

/**
 * pvx_numa_weights() - who uses a block
 * @vm: the VM
 * @block: the block
 *
 * Context: the VM's lock held.
 * Return: how much each vCPU uses it.
 */
static inline u16 *pvx_numa_weights(const struct pvx_numa_vm *vm, u32 block)
{
	return vm->weight + (size_t)block * vm->vcpus;
}

/**
 * pvx_numa_is_used() - does anybody use a block?
 * @vm: the VM
 * @block: the block
 *
 * Context: the VM's lock held.
 * Return: true if so.
 */
static inline bool pvx_numa_is_used(const struct pvx_numa_vm *vm, u32 block)
{
	const u16 *weights = pvx_numa_weights(vm, block);
	u32 i;

	for (i = 0; i < vm->vcpus; i++)
		if (weights[i])
			return true;
	return false;
}

/* numa_vm.c */
u32 pvx_numa_blocks_of(struct kvm *kvm, u32 shift);
bool pvx_numa_is_set_up(const struct pvx_numa_vm *vm, struct kvm *kvm, u32 shift);
int pvx_numa_set_up(struct pvx_numa_vm *vm, struct kvm *kvm, u32 shift);
void pvx_numa_release(struct pvx_numa_vm *vm, u32 i);
void pvx_numa_forget(struct pvx_numa_vm *vm);
void pvx_numa_forget_past(struct pvx_numa_vm *vm);

/* numa_decide.c */
enum pvx_numa_policy {
	PVX_NUMA_ADVISE,
	PVX_NUMA_PLACE,
	PVX_NUMA_BALANCE,
};

void pvx_numa_compete(struct pvx_numa_vm *vm);
void pvx_numa_leave(struct pvx_numa_vm *vm);
void pvx_numa_decide(struct pvx_numa_vm *vm, struct kvm *kvm);

/* numa_advise.c */
void pvx_numa_advise(struct pvx_numa_vm *vm, struct kvm *kvm);

#endif /* PVX_HOST_NUMA_VM_H */
