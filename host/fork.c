// SPDX-License-Identifier: GPL-2.0
/*
 * Batched fork-copy: the host copies a list of a guest's pages in one exit
 *
 * The guest names pairs of its pages. Each target gets what its source holds, and
 * is mapped when the call returns, so that the guest's first touch of it takes no
 * nested fault: that, and not the copy, is what a fresh page costs. The vCPU
 * copies itself, and helpers on other host CPUs take shares of a long list.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bsearch.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched/isolation.h>
#include <linux/sched/signal.h>
#include <linux/static_call.h>
#include <linux/topology.h>
#include <linux/workqueue.h>

#include "budget.h"
#include "compat.h"
#include "fault.h"
#include "fork_copy.h"
#include "ksym.h"
#include "memory.h"
#include "pvx_host.h"

#define CREATE_TRACE_POINTS
#include "fork_trace.h"

static unsigned int pages_per_s = 4000000;
module_param(pages_per_s, uint, 0644);
MODULE_PARM_DESC(pages_per_s,
	"Pages per second that a VM may have copied (default 4000000; 0: none)");

static unsigned int helpers = 1;
module_param(helpers, uint, 0644);
MODULE_PARM_DESC(helpers,
	"Idle host CPUs that copy beside the vCPU, at most 8 (default 1; 0: none)");

static unsigned int helper_us_per_s = 500000;
module_param(helper_us_per_s, uint, 0644);
MODULE_PARM_DESC(helper_us_per_s,
	"Microseconds per second that these may take for a VM (default 500000; 0: none)");

/* How much of a second's budget may be used at once, after a pause. */
#define BURST_NS	(200 * NSEC_PER_MSEC)
#define HELPERS_MAX	8
/* Pages that are copied at a time; a list for a helper has twice as many at least. */
#define SHARE		32U
/* KVM's dirty ring keeps room for few more entries in one exit, and each page takes two. */
#define RING_PAGES	16

/**
 * struct fork_vm - one VM
 * @budget: of pages
 * @help: of helpers' time, in us
 * @copied: pages
 * @mapped: targets that the host had no page for yet, and mapped
 * @helped: pages that helpers copied
 * @cut: calls that ended before their list did
 */
struct fork_vm {
	struct pvx_budget	budget;
	struct pvx_budget	help;
	atomic64_t		copied;
	atomic64_t		mapped;
	atomic64_t		helped;
	atomic64_t		cut;
};

struct copy;

/* A thread that copies beside the vCPU. */
struct helper {
	struct work_struct	work;
	struct copy		*copy;
};

/**
 * struct copy - a list that is worked on
 * @pairs: as the guest gave them
 * @count: how many there are
 * @ready: of how many pages are held, the first of them
 * @good: of how many, from the first on, the source could be read
 * @taken: how many somebody copies or has copied
 * @helped: pages that helpers copied
 * @help_us: what that took
 * @source: host's page of each pair's source, held
 * @target: and of its target
 * @helpers: the threads
 */
struct copy {
	struct pvx_fork_pair	pairs[PVX_FORK_PAIRS_MAX];
	u32			count;
	u32			ready;
	atomic_t		good;
	atomic_t		taken;
	atomic_t		helped;
	atomic_t		help_us;
	struct page		*source[PVX_FORK_PAIRS_MAX];
	struct page		*target[PVX_FORK_PAIRS_MAX];
	struct helper		helpers[HELPERS_MAX];
};

static struct workqueue_struct *fork_wq;

static int is_never_idle(int cpu)
{
	return 0;
}

DEFINE_STATIC_CALL(pvx_idle_cpu, is_never_idle);

/* --- is the list right? ---------------------------------------------------- */

static int compare_target(const void *gfn, const void *pair)
{
	u64 a = *(const u64 *)gfn, b = ((const struct pvx_fork_pair *)pair)->target;

	return a < b ? -1 : a > b;
}

static bool is_target(const struct copy *copy, const u64 *gfn)
{
	return bsearch(gfn, copy->pairs, copy->count, sizeof(copy->pairs[0]), compare_target);
}

/*
 * The first pair that breaks the rules; @count if none does. Targets ascend, and none is a
 * source as well, so the order of copying is free.
 */
static u32 first_wrong(struct kvm *kvm, const struct copy *copy)
{
	const struct pvx_fork_pair *pair;
	u32 i;

	for (i = 0; i < copy->count; i++) {
		pair = &copy->pairs[i];
		if (i && pair->target <= pair[-1].target)
			return i;
		if (!pvx_memory_slot(kvm, pair->source) ||
		    !pvx_memory_slot(kvm, pair->target))
			return i;
	}
	for (i = 0; i < copy->count; i++)
		if (is_target(copy, &copy->pairs[i].source))
			return i;
	return copy->count;
}

/* --- the host's pages ------------------------------------------------------ */

/* Of the u64s in an array of pairs, every second one is a source, and the others targets. */
#define NEXT	(sizeof(struct pvx_fork_pair) / sizeof(u64))

/*
 * How many, from the first on, follow each other in the VMM's memory, at @hva; 0: there is no
 * memory. A memslot may have changed since the list was checked.
 */
static u32 run_of(struct kvm *kvm, const u64 *gfn, u32 most, unsigned long *hva)
{
	struct kvm_memory_slot *slot = pvx_memory_slot(kvm, *gfn);
	u32 n = 1;

	if (!slot)
		return 0;
	*hva = __gfn_to_hva_memslot(slot, *gfn);
	most = min_t(u64, most, slot->base_gfn + slot->npages - *gfn);
	while (n < most && gfn[n * NEXT] == *gfn + n)
		n++;
	return n;
}

/* Of how many, from the first on, the host has a page; then the guest has it mapped most likely. */
static u32 count_present(unsigned long hva, u32 count, struct page **pages)
{
	int i, n = get_user_pages_fast_only(hva, count, FOLL_WRITE, pages);

	for (i = 0; i < n; i++)
		put_page(pages[i]);
	return max(n, 0);
}

/*
 * As if the guest had written to a page that is there but must not be written to: what KVM
 * does then maps it, and is harmless where it is mapped. Not so where a nested guest's tables
 * are, which KVM looks after, nor without nested paging; there the guest's touch maps it.
 */
static void map(struct kvm_vcpu *vcpu, struct fork_vm *fv, u64 gfn)
{
	const u64 write = PFERR_GUEST_PAGE_MASK | PFERR_WRITE_MASK | PFERR_PRESENT_MASK;
	/* Jumps to itself: KVM may emulate what writes to a page that has become a table. */
	static const u8 insn[] = { 0xeb, 0xfe };

	if (!vcpu->arch.mmu->root_role.direct ||
	    READ_ONCE(vcpu->kvm->arch.indirect_shadow_pages))
		return;
	ksym(kvm_mmu_page_fault)(vcpu, gfn << PAGE_SHIFT, write, (void *)insn, sizeof(insn));
	atomic64_inc(&fv->mapped);
}

/* Of how many pairs, from the first on. */
static u32 hold_sources(struct kvm *kvm, struct copy *copy, u32 count)
{
	unsigned long hva;
	u32 i, run;
	int got;

	for (i = 0; i < count; i += got) {
		run = run_of(kvm, &copy->pairs[i].source, min(count - i, SHARE), &hva);
		if (!run || signal_pending(current))
			break;
		got = get_user_pages_fast_only(hva, run, 0, &copy->source[i]);
		if (got <= 0)
			got = !pvx_memory_bring(hva, false, &copy->source[i]);
		if (got <= 0)
			break;
		cond_resched();
	}
	return i;
}

/* Pinned, so that the VMM gets copies if it forks just then, and the VM keeps the pages. */
static u32 hold_targets(struct kvm_vcpu *vcpu, struct fork_vm *fv, struct copy *copy, u32 count)
{
	unsigned long hva;
	u32 i, run, present;
	int got;

	for (i = 0; i < count; i += got) {
		run = run_of(vcpu->kvm, &copy->pairs[i].target, min(count - i, SHARE), &hva);
		if (!run || signal_pending(current))
			break;
		present = count_present(hva, run, &copy->target[i]);
		if (!present && pvx_memory_bring(hva, true, NULL))
			break;
		got = pin_user_pages_fast(hva, present ?: 1, FOLL_WRITE | FOLL_NOFAULT,
					  &copy->target[i]);
		if (got <= 0)
			break;
		if (!present)
			map(vcpu, fv, copy->pairs[i].target);
		cond_resched();
	}
	return i;
}

static void let_go(struct kvm *kvm, struct copy *copy)
{
	u32 i;

	unpin_user_pages_dirty_lock(copy->target, copy->ready, true);
	for (i = 0; i < copy->ready; i++) {
		put_page(copy->source[i]);
		ksym(mark_page_dirty)(kvm, copy->pairs[i].target);
	}
}

/* --- copying --------------------------------------------------------------- */

/* For what comes behind it, the guest asks again. */
static void note_bad(struct copy *copy, int i)
{
	int good = atomic_read(&copy->good);

	while (i < good && !atomic_try_cmpxchg(&copy->good, &good, i))
		;
}

static void copy_one(struct copy *copy, u32 i)
{
	struct page *source = copy->source[i];

	if (!static_call(pvx_copy_page)(page_address(copy->target[i]), page_address(source)))
		return;
	note_bad(copy, i);
	/* So that nobody else meets it. */
	memory_failure_queue(page_to_pfn(source), 0);
}

static u32 copy_shares(struct copy *copy)
{
	u32 from, i, n = 0;

	for (;;) {
		from = atomic_fetch_add(SHARE, &copy->taken);
		if (from >= copy->ready)
			return n;
		for (i = from; i < min(from + SHARE, copy->ready); i++, n++)
			copy_one(copy, i);
		cond_resched();
	}
}

static void help(struct work_struct *work)
{
	struct copy *copy = container_of(work, struct helper, work)->copy;
	const u64 begin = ktime_get_ns();

	atomic_add(copy_shares(copy), &copy->helped);
	atomic_add(div_u64(ktime_get_ns() - begin, NSEC_PER_USEC), &copy->help_us);
}

/* Of this node, and not isolated; @most are enough. */
static u32 count_idle_cpus(u32 most)
{
	u32 cpu, n = 0;

	for_each_cpu_and(cpu, cpumask_of_node(numa_node_id()),
			 housekeeping_cpumask(HK_TYPE_DOMAIN)) {
		if (n == most)
			break;
		n += cpu_online(cpu) && static_call(pvx_idle_cpu)(cpu);
	}
	return n;
}

/* On CPUs that have nothing to do: other vCPUs, of this VM, too, come first. */
static u32 call_helpers(struct fork_vm *fv, struct copy *copy)
{
	u32 i, n = min3(READ_ONCE(helpers), copy->ready / (2 * SHARE), (u32)HELPERS_MAX);

	n = count_idle_cpus(n);
	if (!n || !pvx_budget_take(&fv->help, ktime_get_ns(), 0, READ_ONCE(helper_us_per_s),
				   BURST_NS))
		return 0;
	for (i = 0; i < n; i++) {
		copy->helpers[i].copy = copy;
		INIT_WORK(&copy->helpers[i].work, help);
		queue_work(fork_wq, &copy->helpers[i].work);
	}
	return n;
}

/* Who has not begun by the time that nothing is left need not begin. */
static void copy_all(struct fork_vm *fv, struct copy *copy)
{
	u32 n = call_helpers(fv, copy), rate = READ_ONCE(helper_us_per_s);

	copy_shares(copy);
	if (!n)
		return;
	while (n--)
		cancel_work_sync(&copy->helpers[n].work);
	if (rate)
		pvx_budget_charge(&fv->help, ktime_get_ns(), atomic_read(&copy->help_us), rate);
}

/* Of how many pages from the first on it can be done now; @most at most. */
static u32 hold_pages(struct kvm_vcpu *vcpu, struct fork_vm *fv, struct copy *copy, u32 most)
{
	u32 sources = hold_sources(vcpu->kvm, copy, most);
	u32 both = hold_targets(vcpu, fv, copy, sources);

	while (sources > both)
		put_page(copy->source[--sources]);
	return both;
}

/* How many pages of a list a VM may have copied now. It pays for them, come what may. */
static u32 take_from_budget(struct kvm *kvm, struct fork_vm *fv, u32 count)
{
	const u32 rate = READ_ONCE(pages_per_s);
	const u64 at_once = div_u64((u64)rate * BURST_NS, NSEC_PER_SEC);
	const u64 most = kvm->dirty_ring_size ? RING_PAGES : PVX_FORK_PAIRS_MAX;

	count = min3((u64)count, most, max(at_once, 1ULL));
	return pvx_budget_take(&fv->budget, ktime_get_ns(), count, rate, BURST_NS) ? count : 0;
}

static s64 do_copy(struct kvm_vcpu *vcpu, struct fork_vm *fv, struct copy *copy)
{
	const u32 most = take_from_budget(vcpu->kvm, fv, copy->count);
	u32 good;

	if (!most)
		return -PVX_E_BUSY;
	copy->ready = hold_pages(vcpu, fv, copy, most);
	atomic_set(&copy->good, copy->ready);
	if (copy->ready) {
		copy_all(fv, copy);
		let_go(vcpu->kvm, copy);
	}
	good = atomic_read(&copy->good);
	trace_fork_copied(current->tgid, vcpu->vcpu_id, copy->count, most, good,
			  atomic_read(&copy->helped));
	atomic64_add(good, &fv->copied);
	atomic64_add(atomic_read(&copy->helped), &fv->helped);
	if (good < copy->count)
		atomic64_inc(&fv->cut);
	if (good)
		return good;
	return signal_pending(current) ? -PVX_E_BUSY : -PVX_E_ENTRY(0);
}

static s64 take_list(struct kvm_vcpu *vcpu, struct fork_vm *fv, struct copy *copy, u64 gpa)
{
	s64 err;
	u32 wrong;

	err = pvx_memory_read(vcpu->kvm, gpa, copy->pairs, copy->count * sizeof(*copy->pairs));
	if (err)
		return err;
	wrong = first_wrong(vcpu->kvm, copy);
	if (wrong < copy->count)
		return -PVX_E_ENTRY(wrong);
	return do_copy(vcpu, fv, copy);
}

static s64 fork_call(struct kvm_vcpu *vcpu, void *vm_data, const u64 a[4])
{
	struct copy *copy;
	s64 err;

	if (a[0] % sizeof(u64))
		return -PVX_E_ARG(0);
	if (!a[1] || a[1] > PVX_FORK_PAIRS_MAX)
		return -PVX_E_ARG(1);
	err = pvx_unused_args(a, 2);
	if (err)
		return err;
	copy = kvzalloc(sizeof(*copy), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!copy)
		return -PVX_E_BUSY;
	copy->count = a[1];
	/* On our way much of what is not the guest's comes into the first-level cache. */
	vcpu->arch.l1tf_flush_l1d = true;
	err = take_list(vcpu, vm_data, copy, a[0]);
	kvfree(copy);
	return err;
}

static void fork_show(struct seq_file *m, void *vm_data)
{
	struct fork_vm *fv = vm_data;

	seq_printf(m, "fork_copied=%lld\n", atomic64_read(&fv->copied));
	seq_printf(m, "fork_mapped=%lld\n", atomic64_read(&fv->mapped));
	seq_printf(m, "fork_helped=%lld\n", atomic64_read(&fv->helped));
	seq_printf(m, "fork_cut=%lld\n", atomic64_read(&fv->cut));
}

static struct pvx_host_feature fork_feature = {
	.api_version	= PVX_HOST_API,
	.size		= sizeof(fork_feature),
	.owner		= THIS_MODULE,
	.feature	= PVX_F_FORK,
	.nr		= PVX_HC_FORK,
	.vm_size	= sizeof(struct fork_vm),
	.call		= fork_call,
	.show		= fork_show,
};

/* Where it cannot be found, nobody helps. */
static void find_idle_cpu(void)
{
	unsigned long address = pvx_host_find("idle_cpu");

	if (address)
		static_call_update(pvx_idle_cpu, (typeof(&is_never_idle))address);
}

static int __init pvx_host_fork_init(void)
{
	int err = pvx_fork_copy_init();

	if (err)
		return err;
	find_idle_cpu();
	/* A vCPU waits for what helpers have begun. */
	fork_wq = alloc_workqueue("pvx_fork", WQ_UNBOUND | WQ_HIGHPRI, 0);
	if (!fork_wq)
		return -ENOMEM;
	err = pvx_host_register(&fork_feature);
	if (err)
		destroy_workqueue(fork_wq);
	return err;
}

static void __exit pvx_host_fork_exit(void)
{
	pvx_host_unregister(&fork_feature);
	destroy_workqueue(fork_wq);
}

module_init(pvx_host_fork_init);
module_exit(pvx_host_fork_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("KVM host side of kvm-pvx: batched fork-copy");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
