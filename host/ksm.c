// SPDX-License-Identifier: GPL-2.0
/*
 * KSM candidates: a guest's page becomes mergeable once a peer has the same
 *
 * The guest says which of its pages hold what (PVX_HC_KSM), by a hash. A vCPU only
 * hands that over; a work item looks each page up in an index of who announced
 * which content, and where there are two marks them mergeable for KSM, which
 * compares the bytes itself. So a guest that lies makes KSM look at pages that it
 * does not merge, and nothing else. VMs meet in a group that the operator names; of one
 * that is in none nothing becomes mergeable. KSM knows no groups, and merges what is equal
 * of all that is mergeable, so one group may share at a time.
 *
 * Index, marks and the table of VMs belong to one ordered workqueue and need no
 * lock. What a VM's own file shows is under its mutex.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/random.h>
#include <linux/sched/mm.h>
#include <linux/siphash.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "budget.h"
#include "fault.h"
#include "ksm_index.h"
#include "ksm_mark.h"
#include "ksm_memory.h"
#include "ksm_trace.h"
#include "ksym.h"
#include "memory.h"
#include "pvx_host.h"

static unsigned int pages_per_s = 200000;
module_param(pages_per_s, uint, 0644);
MODULE_PARM_DESC(pages_per_s,
	"Pages per second that a VM may announce or withdraw (default 200000; 0: none)");

static unsigned int index_pages = 1U << 20;
module_param(index_pages, uint, 0444);
MODULE_PARM_DESC(index_pages,
	"How many pages' content is known at most, 16 bytes each; rounded up to a power of two (default 1048576)");

static unsigned int ranges = 1000;
module_param(ranges, uint, 0644);
MODULE_PARM_DESC(ranges,
	"Ranges of mergeable memory that a VM may have (default 1000; 0: nothing becomes mergeable)");

static unsigned int huge_pages_least = 8;
module_param(huge_pages_least, uint, 0644);
MODULE_PARM_DESC(huge_pages_least,
	"Pages with a peer that 2 MiB of memory must have to become mergeable (default 8)");

static bool groups_mix;
module_param(groups_mix, bool, 0644);
MODULE_PARM_DESC(groups_mix,
	"Let several groups share, though KSM then merges what is equal in any of them (default N: the first one only)");

static unsigned int silent_s = 3600;
module_param(silent_s, uint, 0644);
MODULE_PARM_DESC(silent_s,
	"Seconds after which all is forgotten that a VM announced, if it has said nothing since (default 3600; 0: never)");

/* How much of a second's budget may be used at once, after a pause. */
#define BURST_NS	(500 * NSEC_PER_MSEC)
/* How often a second a VM may withdraw all, which goes over the whole index. */
#define ALL_PER_S	8
/* Batches of one VM that may wait. */
#define WAITING_MAX	8
/* How long it waits for more before it marks anything, and at most where that failed. */
#define SETTLE_MS	200
#define SETTLE_MAX_MS	(30 * MSEC_PER_SEC)
/* It rests so many times as long as the CPU time that it took. */
#define PACE		8
/* How long a VM may say nothing before it is looked at again, at least. */
#define SILENT_LOOK_S	60U
/* How long rmmod goes on where what was merged takes more memory than there is. */
#define LEAVE_TRIES	300
/* How often it is tried to take back what is mergeable before the operator is told. */
#define CHANGE_TRIES	10

/**
 * struct ksm_vm - one VM
 * @lock: set-up, and what the worker changes and others read
 * @nr: its number in the index; 0 until it is set up
 * @kvm: the VM; not a reference, see pvx_host_get_vm()
 * @mm: its VMM's
 * @member: of which group it is, under ksm_lock; NULL: of none that may share
 * @group: with whom it shares, by number, the worker's; 0: with nobody
 * @leaving: it is to leave @member once nothing is mergeable, the worker's
 * @generation: of the memslots that were last handed over
 * @anew: what the guest announced is forgotten, which it does not know yet
 * @memory: what is known of its pages, the worker's
 * @budget: of pages
 * @queue_lock: for @queue and @waiting
 * @queue: batches, oldest first
 * @waiting: how many
 * @work: works on them
 * @settle: marks what came of them
 * @settle_ms: how long after a change
 * @silent: forgets all when nothing comes any more
 * @called: when there was a call last, in jiffies
 * @announced: pages
 * @withdrawn: pages
 * @busy: batches that were refused
 */
struct ksm_vm {
	struct mutex		lock;
	u32			nr;
	struct kvm		*kvm;
	struct mm_struct	*mm;
	struct ksm_group	*member;
	u32			group;
	bool			leaving;
	u64			generation;
	bool			anew;
	struct pvx_ksm_memory	*memory;
	struct pvx_budget	budget;
	spinlock_t		queue_lock;
	struct list_head	queue;
	u32			waiting;
	struct work_struct	work;
	struct delayed_work	settle;
	u32			settle_ms;
	struct delayed_work	silent;
	unsigned long		called;
	atomic64_t		announced;
	atomic64_t		withdrawn;
	atomic64_t		busy;
};

/**
 * struct ksm_batch - what one call handed over
 * @node: in the VM's queue
 * @memory: the VM's memory, if that may have changed
 * @all: all that was announced is withdrawn
 * @regroup: it shares with others from then on,
 * @group: those of that group
 * @change: who waits for it, or NULL
 * @count: words
 * @words: runs, each with its hashes behind it
 */
struct ksm_batch {
	struct list_head	node;
	struct pvx_ksm_memory	*memory;
	bool			all;
	bool			regroup;
	u32			group;
	struct ksm_change	*change;
	u32			count;
	u64			words[];
};

/* What the operator changed of a VM, and waits for. */
struct ksm_change {
	struct completion	done;
	int			err;
};

static struct workqueue_struct *ksm_wq;
static struct pvx_ksm_index index;
static siphash_key_t index_key;
static DEFINE_XARRAY_ALLOC1(vms);

static void leave_group_of(struct ksm_vm *vm);

/* --- on the workqueue ------------------------------------------------------ */

static void settle_soon(struct ksm_vm *vm)
{
	queue_delayed_work(ksm_wq, &vm->settle, msecs_to_jiffies(vm->settle_ms));
}

/* A guest cannot aim at what another group, or a bucket of the index, has. */
static u64 key_of(const struct ksm_vm *vm, u64 hash)
{
	u64 key = siphash_2u64(vm->group, hash, &index_key);

	return key ? key : 1;
}

/* Is what we know of a VM's memory where it was? A VM that has ended has none. */
static bool is_current(struct ksm_vm *vm)
{
	bool same;
	int srcu;

	if (!pvx_host_get_vm(vm->kvm, PVX_F_KSM, vm))
		return true;
	srcu = srcu_read_lock(&vm->kvm->srcu);
	same = pvx_ksm_memory_is_current(vm->memory, vm->kvm);
	srcu_read_unlock(&vm->kvm->srcu, srcu);
	ksym(kvm_put_kvm)(vm->kvm);
	return same;
}

static void set_wanted(struct ksm_vm *vm, u64 gfn, bool wanted)
{
	struct pvx_ksm_area *area = vm ? pvx_ksm_area_of(vm->memory, gfn) : NULL;
	unsigned long bit;

	if (!area)
		return;
	bit = gfn - area->gfn;
	if (test_bit(bit, area->wanted) == wanted)
		return;
	assign_bit(bit, area->wanted, wanted);
	settle_soon(vm);
}

static void set_wanted_of(const struct pvx_ksm_owner *owner, bool wanted)
{
	set_wanted(xa_load(&vms, owner->vm), owner->gfn, wanted);
}

static void announce(struct ksm_vm *vm, struct pvx_ksm_area *area, u64 gfn, u64 hash)
{
	struct pvx_ksm_owner peers[PVX_KSM_KEPT];
	int n;

	set_bit(gfn - area->gfn, area->known);
	if (!vm->group)
		return;
	n = pvx_ksm_announce(&index, key_of(vm, hash), vm->nr, gfn, peers);
	set_wanted(vm, gfn, n > 0);
	if (n > 0)
		trace_ksm_matched(vm->mm, gfn, n);
	while (n--)
		set_wanted_of(&peers[n], true);
}

static void withdraw(struct ksm_vm *vm, struct pvx_ksm_area *area, u64 gfn, u64 hash)
{
	struct pvx_ksm_owner left;

	clear_bit(gfn - area->gfn, area->known);
	if (!vm->group)
		return;
	set_wanted(vm, gfn, false);
	if (pvx_ksm_withdraw(&index, key_of(vm, hash), vm->nr, gfn, &left))
		set_wanted_of(&left, false);
}

static void take_run(struct ksm_vm *vm, const struct pvx_ksm_run *run,
		     const u64 *hashes)
{
	struct pvx_ksm_area *area;
	u32 i;

	for (i = 0; i < run->pages; i++) {
		area = pvx_ksm_area_of(vm->memory, run->gfn + i);
		if (!area)
			continue;
		if (run->what == PVX_KSM_WITHDRAWN)
			withdraw(vm, area, run->gfn + i, hashes[i]);
		else
			announce(vm, area, run->gfn + i, hashes[i]);
	}
	atomic64_add(run->pages, run->what == PVX_KSM_WITHDRAWN ? &vm->withdrawn :
								   &vm->announced);
}

static void forget_owners(struct ksm_vm *vm)
{
	u32 bucket;

	for (bucket = 0; bucket < index.buckets && index.of[vm->nr]; bucket += 1024) {
		pvx_ksm_forget(&index, vm->nr, bucket,
			       min(bucket + 1024, index.buckets));
		cond_resched_tasks_rcu_qs();
	}
}

/*
 * Nothing that was announced counts any more, and nothing is mergeable; or an error of
 * pvx_ksm_unmark(). Then it is known what is mergeable, and settle() goes on.
 */
static int forget(struct ksm_vm *vm, int tries)
{
	int err;

	forget_owners(vm);
	if (!vm->memory)
		return 0;
	err = pvx_ksm_unmark(vm->mm, vm->memory, tries);
	trace_ksm_forgotten(vm->mm, err);
	if (err) {
		pvx_ksm_memory_clear(vm->memory);
		settle_soon(vm);
		return err;
	}
	pvx_ksm_memory_free(vm->memory);
	vm->memory = NULL;
	return 0;
}

/* The guest is to begin anew, and its next call brings its memory along. */
static void forget_till_next_call(struct ksm_vm *vm)
{
	forget(vm, 1);
	WRITE_ONCE(vm->anew, true);
	WRITE_ONCE(vm->generation, U64_MAX);
}

/* What this worker has used of its CPU, which is told with each tick and when it sleeps. */
static u64 used_ns(void)
{
	return READ_ONCE(current->se.sum_exec_runtime);
}

/* When it may be this VM's turn again: the worker is all VMs'. */
static u32 paced(u64 before)
{
	return clamp_t(u64, PACE * div_u64(used_ns() - before, NSEC_PER_MSEC), SETTLE_MS,
		       SETTLE_MAX_MS);
}

static void settle(struct work_struct *work)
{
	struct ksm_vm *vm = container_of(to_delayed_work(work), struct ksm_vm, settle);
	const u64 before = used_ns();
	bool done;

	cond_resched_tasks_rcu_qs();
	mutex_lock(&vm->lock);
	if (vm->memory && !is_current(vm))
		forget_till_next_call(vm);
	done = !vm->memory || pvx_ksm_settle(vm->mm, vm->memory, READ_ONCE(ranges),
					     READ_ONCE(huge_pages_least));
	if (done && vm->leaving) {
		vm->leaving = false;
		leave_group_of(vm);
	}
	vm->settle_ms = done ? paced(before) : min_t(u32, 2 * vm->settle_ms, SETTLE_MAX_MS);
	if (!done)
		settle_soon(vm);
	mutex_unlock(&vm->lock);
}

/* A guest that runs says something again and again; one without our module does not. */
static void wait_for_silence(struct ksm_vm *vm)
{
	queue_delayed_work(ksm_wq, &vm->silent,
			   max(READ_ONCE(silent_s), SILENT_LOOK_S) * HZ);
}

static bool is_silent(const struct ksm_vm *vm)
{
	const unsigned long seconds = READ_ONCE(silent_s);

	return seconds && time_after(jiffies, READ_ONCE(vm->called) + seconds * HZ);
}

static void look_for_silence(struct work_struct *work)
{
	struct ksm_vm *vm = container_of(to_delayed_work(work), struct ksm_vm, silent);

	mutex_lock(&vm->lock);
	if (is_silent(vm))
		forget_till_next_call(vm);
	else
		wait_for_silence(vm);
	mutex_unlock(&vm->lock);
}

/*
 * Whose memory is somewhere else is gone over as for a call that withdraws all. What a guest
 * withdraws is withdrawn, though it may be mergeable for a while; but an operator is told.
 */
static int take_memory(struct ksm_vm *vm, struct ksm_batch *batch, bool moved)
{
	const u32 rate = READ_ONCE(pages_per_s);
	int err = 0;

	if (moved && vm->memory && rate)
		pvx_budget_charge(&vm->budget, ktime_get_ns(), rate / ALL_PER_S + 1, rate);
	if (batch->all || batch->regroup || moved)
		err = forget(vm, batch->change ? CHANGE_TRIES : 1);
	if (!vm->memory)
		vm->memory = batch->memory;
	else
		pvx_ksm_memory_free(batch->memory);
	if (!err || (batch->all && !moved && !batch->regroup))
		return 0;
	WRITE_ONCE(vm->anew, true);
	WRITE_ONCE(vm->generation, U64_MAX);
	return err;
}

static int take_batch(struct ksm_vm *vm, struct ksm_batch *batch)
{
	bool moved = batch->memory && !pvx_ksm_memory_same(vm->memory, batch->memory);
	const struct pvx_ksm_run *run;
	u32 at = 0;
	int err;

	if (batch->regroup || (moved && vm->memory && !batch->all))
		WRITE_ONCE(vm->anew, true);
	err = take_memory(vm, batch, moved);
	/* Who is mergeable still, shares with nobody new. */
	if (batch->regroup) {
		vm->group = err ? 0 : batch->group;
		vm->leaving = err;
	}
	if (err)
		return err;
	while (at < batch->count) {
		run = (const struct pvx_ksm_run *)(batch->words + at);
		at += PVX_KSM_RUN_WORDS;
		take_run(vm, run, batch->words + at);
		at += run->pages;
	}
	wait_for_silence(vm);
	return 0;
}

static struct ksm_batch *next_batch(struct ksm_vm *vm)
{
	struct ksm_batch *batch;

	spin_lock(&vm->queue_lock);
	batch = list_first_entry_or_null(&vm->queue, struct ksm_batch, node);
	if (batch) {
		list_del(&batch->node);
		vm->waiting--;
	}
	spin_unlock(&vm->queue_lock);
	return batch;
}

/* One at a time, so that VMs take turns. */
static void work_on(struct work_struct *work)
{
	struct ksm_vm *vm = container_of(work, struct ksm_vm, work);
	struct ksm_batch *batch = next_batch(vm);
	const u64 before = used_ns();
	int err;

	cond_resched_tasks_rcu_qs();
	if (!batch)
		return;
	mutex_lock(&vm->lock);
	err = take_batch(vm, batch);
	vm->settle_ms = max(vm->settle_ms, paced(before));
	mutex_unlock(&vm->lock);
	if (batch->change) {
		batch->change->err = err;
		complete(&batch->change->done);
	}
	kvfree(batch);
	queue_work(ksm_wq, &vm->work);
}

/* --- in the caller --------------------------------------------------------- */

static void hand_over(struct ksm_vm *vm, struct ksm_batch *batch)
{
	spin_lock(&vm->queue_lock);
	list_add_tail(&batch->node, &vm->queue);
	vm->waiting++;
	spin_unlock(&vm->queue_lock);
	queue_work(ksm_wq, &vm->work);
}

static struct ksm_batch *alloc_batch(u32 words)
{
	struct ksm_batch *batch = kvzalloc(struct_size(batch, words, words),
					   GFP_KERNEL_ACCOUNT | __GFP_NOWARN);

	if (!batch)
		return NULL;
	batch->count = words;
	return batch;
}

static void free_batch(struct ksm_batch *batch)
{
	pvx_ksm_memory_free(batch->memory);
	kvfree(batch);
}

/* Are all of these the VM's own memory, and nothing of a device or firmware? */
static bool is_memory(struct kvm *kvm, u64 gfn, u64 pages)
{
	struct kvm_memory_slot *slot;
	u64 n;

	for (; pages; gfn += n, pages -= n) {
		slot = pvx_memory_slot(kvm, gfn);
		if (!slot)
			return false;
		n = min_t(u64, pages, slot->base_gfn + slot->npages - gfn);
	}
	return true;
}

static bool are_hashes(const u64 *words, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++)
		if (words[i] >> PVX_KSM_HASH_BITS)
			return false;
	return true;
}

/* Are these runs, in order, and how many pages are they about? Else 0. */
static u32 pages_of(struct kvm *kvm, const u64 *words, u32 count)
{
	const struct pvx_ksm_run *run;
	u32 at = 0, pages = 0;
	u64 end = 0;

	while (count - at > PVX_KSM_RUN_WORDS) {
		run = (const struct pvx_ksm_run *)(words + at);
		at += PVX_KSM_RUN_WORDS;
		if (!run->pages || run->pages > count - at ||
		    run->what > PVX_KSM_CONSTANT || run->gfn < end ||
		    run->gfn >> PVX_KSM_GFN_BITS || !are_hashes(words + at, run->pages) ||
		    !is_memory(kvm, run->gfn, run->pages))
			return 0;
		end = run->gfn + run->pages;
		at += run->pages;
		pages += run->pages;
	}
	return at == count ? pages : 0;
}

/* --- groups ---------------------------------------------------------------- */

/**
 * struct ksm_group - a name that VMs were given
 * @node: in groups
 * @name: the name
 * @nr: its number, for the index
 * @members: VMs that share in it
 */
struct ksm_group {
	struct list_head	node;
	char			name[PVX_GROUP_NAME];
	u32			nr;
	u32			members;
};

static LIST_HEAD(groups);
/* For groups, and for setting up a VM. */
static DEFINE_MUTEX(ksm_lock);

/* NULL if there is no memory for it. */
static struct ksm_group *group_named(const char *name)
{
	static u32 last;
	struct ksm_group *group;

	lockdep_assert_held(&ksm_lock);
	list_for_each_entry(group, &groups, node)
		if (!strcmp(group->name, name))
			return group;
	group = kzalloc(sizeof(*group), GFP_KERNEL);
	if (!group)
		return NULL;
	strscpy(group->name, name, sizeof(group->name));
	/* None that the index may have entries of still. */
	group->nr = ++last;
	list_add(&group->node, &groups);
	return group;
}

static void drop_unused(struct ksm_group *group)
{
	if (group->members)
		return;
	list_del(&group->node);
	kfree(group);
}

/* VMs of a group have a share of the index, by how many they are. */
static void count_member(struct ksm_group *group, int more)
{
	static u32 members;

	lockdep_assert_held(&ksm_lock);
	group->members += more;
	members += more;
	WRITE_ONCE(index.share, index.buckets * PVX_KSM_WAYS / max(members, 2U));
}

static bool others_share(const struct ksm_group *group)
{
	const struct ksm_group *other;

	list_for_each_entry(other, &groups, node)
		if (other != group && other->members)
			return true;
	return false;
}

static void leave_group(struct ksm_vm *vm)
{
	struct ksm_group *group = vm->member;

	if (!group)
		return;
	WRITE_ONCE(vm->member, NULL);
	count_member(group, -1);
	drop_unused(group);
}

static void leave_group_of(struct ksm_vm *vm)
{
	mutex_lock(&ksm_lock);
	leave_group(vm);
	mutex_unlock(&ksm_lock);
}

/* The one that it is named for now. 0; -EBUSY if another one shares; or -ENOMEM. */
static int enter_group(struct ksm_vm *vm, struct kvm *kvm)
{
	char name[PVX_GROUP_NAME];
	struct ksm_group *group;

	pvx_host_group(kvm, PVX_F_KSM, name);
	if (!*name)
		return 0;
	group = group_named(name);
	if (!group)
		return -ENOMEM;
	if (others_share(group) && !READ_ONCE(groups_mix)) {
		drop_unused(group);
		return -EBUSY;
	}
	count_member(group, 1);
	WRITE_ONCE(vm->member, group);
	return 0;
}

static u32 number_of(const struct ksm_group *group)
{
	return group ? group->nr : 0;
}

static void free_groups(void)
{
	struct ksm_group *group, *next;

	list_for_each_entry_safe(group, next, &groups, node)
		kfree(group);
}

/* --- a VM ------------------------------------------------------------------ */

/* At its first call; caller holds ksm_lock. */
static int set_up(struct ksm_vm *vm, struct kvm *kvm)
{
	u32 nr;
	int err;

	mutex_init(&vm->lock);
	spin_lock_init(&vm->queue_lock);
	INIT_LIST_HEAD(&vm->queue);
	INIT_WORK(&vm->work, work_on);
	INIT_DELAYED_WORK(&vm->settle, settle);
	INIT_DELAYED_WORK(&vm->silent, look_for_silence);
	vm->settle_ms = SETTLE_MS;
	/* Other than any that memslots have. */
	vm->generation = U64_MAX;
	vm->anew = true;
	vm->kvm = kvm;
	err = xa_alloc(&vms, &nr, vm, XA_LIMIT(1, PVX_KSM_VMS - 1), GFP_KERNEL_ACCOUNT);
	if (err)
		return err;
	err = enter_group(vm, kvm);
	if (err == -ENOMEM) {
		xa_erase(&vms, nr);
		return err;
	}
	vm->group = number_of(vm->member);
	mmgrab(kvm->mm);
	vm->mm = kvm->mm;
	/* Last: whoever finds it may use the rest. */
	smp_store_release(&vm->nr, nr);
	return 0;
}

/* Whose group could not share before may now. */
static void let_in(struct ksm_vm *vm, struct kvm *kvm, struct ksm_batch *batch)
{
	enter_group(vm, kvm);
	if (!vm->member)
		return;
	batch->regroup = true;
	batch->group = vm->member->nr;
	vm->generation = U64_MAX;
}

/* -EAGAIN: the worker has not the VM's memory as it is now, and @batch has none. */
static int try_hand_over(struct ksm_vm *vm, struct kvm *kvm, struct ksm_batch *batch)
{
	int err = vm->nr ? 0 : set_up(vm, kvm);

	if (err)
		return err;
	if (!vm->member)
		let_in(vm, kvm, batch);
	if (batch->memory) {
		vm->generation = batch->memory->generation;
	} else if (batch->all || vm->generation != pvx_ksm_generation(kvm)) {
		if (batch->regroup)
			leave_group(vm);
		batch->regroup = false;
		return -EAGAIN;
	}
	hand_over(vm, batch);
	return 0;
}

static int hand_over_call(struct ksm_vm *vm, struct kvm *kvm, struct ksm_batch *batch)
{
	int err;

	mutex_lock(&ksm_lock);
	err = try_hand_over(vm, kvm, batch);
	mutex_unlock(&ksm_lock);
	if (err != -EAGAIN)
		return err;
	/* Not under the lock: whose VMM has no more memory to spare waits for it alone. */
	batch->memory = pvx_ksm_memory_alloc(kvm);
	if (!batch->memory)
		return -ENOMEM;
	mutex_lock(&ksm_lock);
	err = try_hand_over(vm, kvm, batch);
	mutex_unlock(&ksm_lock);
	return err;
}

static s64 take_pages(struct ksm_vm *vm, u32 pages, u32 per_second)
{
	return pvx_budget_take(&vm->budget, ktime_get_ns(), pages, per_second,
			       BURST_NS) ? 0 : -PVX_E_BUSY;
}

static s64 read_batch(struct kvm *kvm, struct ksm_vm *vm, struct ksm_batch *batch,
		      u64 gpa)
{
	u32 rate = READ_ONCE(pages_per_s), pages;
	s64 err;

	if (batch->all)
		return take_pages(vm, rate / ALL_PER_S + 1, rate);
	err = pvx_memory_read(kvm, gpa, batch->words, batch->count * sizeof(u64));
	if (err)
		return err;
	pages = pages_of(kvm, batch->words, batch->count);
	if (!pages)
		return -PVX_E_DATA;
	return take_pages(vm, pages, rate);
}

static s64 take_call(struct kvm *kvm, struct ksm_vm *vm, u64 gpa, u32 words)
{
	struct ksm_batch *batch = alloc_batch(words);
	s64 err;

	if (!batch)
		return -PVX_E_BUSY;
	batch->all = !words;
	err = read_batch(kvm, vm, batch, gpa);
	if (!err && hand_over_call(vm, kvm, batch))
		err = -PVX_E_BUSY;
	if (err) {
		free_batch(batch);
		return err;
	}
	return xchg(&vm->anew, false) && words ? PVX_KSM_AGAIN : 0;
}

static s64 ksm_call(struct kvm_vcpu *vcpu, void *vm_data, const u64 a[4])
{
	struct ksm_vm *vm = vm_data;
	s64 err;

	if (a[0] % sizeof(u64) || (!a[1] && a[0]))
		return -PVX_E_ARG(0);
	if (a[1] > PVX_KSM_WORDS_MAX)
		return -PVX_E_ARG(1);
	err = pvx_unused_args(a, 2);
	if (err)
		return err;
	WRITE_ONCE(vm->called, jiffies);
	err = READ_ONCE(vm->waiting) >= WAITING_MAX ? -PVX_E_BUSY :
		take_call(vcpu->kvm, vm, a[0], a[1]);
	if (err == -PVX_E_BUSY)
		atomic64_inc(&vm->busy);
	return err;
}

/*
 * Takes back all, and lets the VM share with nobody; or with those of @group, if not 0, which it
 * leaves again if that fails: the worker does so when nothing of it is mergeable any more.
 */
static int regroup(struct ksm_vm *vm, u32 group)
{
	struct ksm_change change = { .done = COMPLETION_INITIALIZER_ONSTACK(change.done) };
	struct ksm_batch *batch = alloc_batch(0);

	if (!batch) {
		if (group)
			leave_group_of(vm);
		return -ENOMEM;
	}
	batch->all = batch->regroup = true;
	batch->group = group;
	batch->change = &change;
	mutex_lock(&ksm_lock);
	/* Its next call brings its memory along. */
	vm->generation = U64_MAX;
	hand_over(vm, batch);
	mutex_unlock(&ksm_lock);
	wait_for_completion(&change.done);
	return change.err;
}

static bool is_set_up(const struct ksm_vm *vm)
{
	bool is;

	mutex_lock(&ksm_lock);
	is = vm->nr;
	mutex_unlock(&ksm_lock);
	return is;
}

/* A VM counts as one of its group until nothing of it is mergeable. */
static int change_group(struct ksm_vm *vm, struct kvm *kvm)
{
	u32 group;
	int err = regroup(vm, 0);

	if (err)
		return err;
	mutex_lock(&ksm_lock);
	leave_group(vm);
	err = enter_group(vm, kvm);
	group = number_of(vm->member);
	mutex_unlock(&ksm_lock);
	return group ? regroup(vm, group) : err;
}

/* Whether the VM may do this, or its group, is another now. */
static int ksm_changed(struct kvm *kvm, void *vm_data)
{
	/* Operators wait for each other, so that the last one has his way. */
	static DEFINE_MUTEX(changes);
	struct ksm_vm *vm = vm_data;
	int err;

	/* If it calls for the first time now, it gets to know by itself. */
	if (!is_set_up(vm))
		return 0;
	mutex_lock(&changes);
	err = change_group(vm, kvm);
	mutex_unlock(&changes);
	return err;
}

struct leave {
	struct work_struct	work;
	struct ksm_vm		*vm;
};

static void leave(struct work_struct *work)
{
	struct ksm_vm *vm = container_of(work, struct leave, work)->vm;
	struct ksm_batch *batch;

	for (batch = next_batch(vm); batch; batch = next_batch(vm))
		free_batch(batch);
	forget_owners(vm);
	mutex_lock(&vm->lock);
	if (vm->memory && pvx_ksm_unmark(vm->mm, vm->memory, LEAVE_TRIES))
		pr_warn_ratelimited("a VM keeps mergeable memory: there is no memory to unmerge it, or its VMM is stuck\n");
	pvx_ksm_memory_free(vm->memory);
	vm->memory = NULL;
	mutex_unlock(&vm->lock);
	/* One after the other on this queue: neither runs now, nor finds its successor's pages. */
	cancel_delayed_work(&vm->settle);
	cancel_delayed_work(&vm->silent);
	xa_erase(&vms, vm->nr);
}

/* The VM makes no calls any more. */
static void ksm_gone(void *vm_data)
{
	struct ksm_vm *vm = vm_data;
	struct leave l = { .vm = vm };

	if (!vm->nr)
		return;
	INIT_WORK_ONSTACK(&l.work, leave);
	queue_work(ksm_wq, &l.work);
	flush_work(&l.work);
	destroy_work_on_stack(&l.work);
	cancel_work_sync(&vm->work);
	cancel_delayed_work_sync(&vm->settle);
	cancel_delayed_work_sync(&vm->silent);
	leave_group_of(vm);
	mmdrop(vm->mm);
}

static void ksm_show(struct seq_file *m, void *vm_data)
{
	unsigned long candidates = 0, matched = 0, marked = 0;
	struct ksm_vm *vm = vm_data;
	struct pvx_ksm_area *area;
	int i;

	if (!smp_load_acquire(&vm->nr))
		return;
	mutex_lock(&vm->lock);
	for (i = 0; vm->memory && i < vm->memory->count; i++) {
		area = &vm->memory->areas[i];
		candidates += bitmap_weight(area->known, area->pages);
		matched += bitmap_weight(area->wanted, area->pages);
		marked += bitmap_weight(area->marked, area->pages);
	}
	mutex_unlock(&vm->lock);
	seq_printf(m, "ksm_shares=%d\n", !!READ_ONCE(vm->member));
	seq_printf(m, "ksm_candidates=%lu\n", candidates);
	seq_printf(m, "ksm_matched=%lu\n", matched);
	seq_printf(m, "ksm_marked=%lu\n", marked);
	seq_printf(m, "ksm_merged=%lu\n", READ_ONCE(vm->mm->ksm_merging_pages));
	seq_printf(m, "ksm_announced=%lld\n", atomic64_read(&vm->announced));
	seq_printf(m, "ksm_withdrawn=%lld\n", atomic64_read(&vm->withdrawn));
	seq_printf(m, "ksm_busy=%lld\n", atomic64_read(&vm->busy));
}

static struct pvx_host_feature ksm_feature = {
	.api_version	= PVX_HOST_API,
	.size		= sizeof(ksm_feature),
	.owner		= THIS_MODULE,
	.feature	= PVX_F_KSM,
	.nr		= PVX_HC_KSM,
	.vm_size	= sizeof(struct ksm_vm),
	.call		= ksm_call,
	.show		= ksm_show,
	.changed	= ksm_changed,
	.gone		= ksm_gone,
};

static int __init pvx_host_ksm_init(void)
{
	int err = pvx_ksm_mark_init();

	if (err)
		return err;
	index.buckets = roundup_pow_of_two(max(index_pages / PVX_KSM_WAYS, 1U));
	index.owners = vzalloc(array3_size(index.buckets, PVX_KSM_WAYS,
					   sizeof(*index.owners)));
	index.of = vzalloc(array_size(PVX_KSM_VMS, sizeof(*index.of)));
	err = -ENOMEM;
	if (!index.owners || !index.of)
		goto owners;
	get_random_bytes(&index_key, sizeof(index_key));
	index.share = index.buckets * PVX_KSM_WAYS / 2;
	ksm_wq = alloc_ordered_workqueue("pvx_ksm", 0);
	if (!ksm_wq)
		goto owners;
	err = pvx_host_register(&ksm_feature);
	if (!err)
		return 0;
	destroy_workqueue(ksm_wq);
owners:
	vfree(index.of);
	vfree(index.owners);
	return err;
}

static void __exit pvx_host_ksm_exit(void)
{
	pvx_host_unregister(&ksm_feature);
	destroy_workqueue(ksm_wq);
	vfree(index.of);
	vfree(index.owners);
	free_groups();
}

module_init(pvx_host_ksm_init);
module_exit(pvx_host_ksm_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("KVM host side of kvm-pvx: candidates for KSM");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
