// SPDX-License-Identifier: GPL-2.0
/*
 * Spinlocks for overcommitted guests
 *
 * Replaces the slow path of queued spinlocks, native and paravirtual, while
 * this guest's vCPUs are being preempted by the host. Stock queues its
 * waiters, and when a queued vCPU does not run, nobody behind it gets the
 * lock. Here the lock goes to a waiter that runs; one that finds the holder
 * preempted gives it the host CPU by directed yield; and one that lost often
 * claims the pending bit and is next.
 *
 * Each change made to the lock word is one that stock's slow path could have
 * made, in a state in which it could have made it. So both may work on the
 * same lock at the same time, and any call may go either way: hooks can be put
 * in and out under load, and each call decides anew.
 *
 *	0     -> L	any waiter			(as stock's trylock)
 *	L     -> L+P	starving waiter becomes pending	(as stock's pending)
 *	P+t   -> L+t	pending waiter			(as stock's pending)
 *	P     -> L+P	pending waiter, while others starve: it owns both
 *	L+P   -> L+P	the holder passes P on to the next that starves
 *	L+P+t -> L+t	or gives it up
 *
 * L: locked byte, P: pending, t: any tail. Documentation/lock.rst proves
 * mutual exclusion and bounded waiting.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/kernel_stat.h>
#include <linux/kvm_para.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/stringify.h>
#include <linux/workqueue.h>
#include <asm/tsc.h>

#include <linux/kvm_pvx_tune.h>

#include "compat.h"
#include "lock.h"
#include "policy.h"
#include "pvx_guest.h"
#include "trace.h"

static unsigned int spin_min_ns = PVX_SPIN_MIN_NS;
module_param(spin_min_ns, uint, 0644);
MODULE_PARM_DESC(spin_min_ns,
	"Shortest spin in nanoseconds before a waiter looks for a preempted holder (default "
	__stringify(PVX_SPIN_MIN_NS) ")");

static unsigned int spin_max_ns = 20000;
module_param(spin_max_ns, uint, 0644);
MODULE_PARM_DESC(spin_max_ns,
	"Longest spin in nanoseconds before a waiter looks for a preempted holder (default 20000)");

static unsigned int ask_again_ns = 200000;
module_param(ask_again_ns, uint, 0644);
MODULE_PARM_DESC(ask_again_ns,
	"Nanoseconds before another waiter asks for the same holder (default 200000)");

static unsigned int far_ns = 3000000;
module_param(far_ns, uint, 0644);
MODULE_PARM_DESC(far_ns,
	"Nanoseconds for which a waiter leaves it at most to one that is nearer to ask for a preempted holder (default 3000000; 0: not)");

static unsigned int max_losses = 16;
module_param(max_losses, uint, 0644);
MODULE_PARM_DESC(max_losses,
	"A waiter that lost the lock this often goes first (default 16)");

static unsigned int max_wait_ms = 50;
module_param(max_wait_ms, uint, 0644);
MODULE_PARM_DESC(max_wait_ms,
	"And so does one that has waited this many milliseconds (default 50)");

static unsigned int max_skips = 16;
module_param(max_skips, uint, 0644);
MODULE_PARM_DESC(max_skips,
	"How often a starving waiter whose vCPU does not run is passed over (default 16)");

static unsigned int steal_permille = 200;
module_param(steal_permille, uint, 0644);
MODULE_PARM_DESC(steal_permille,
	"Share of one vCPU's time in permille that the host must take from this guest for the slow path to be replaced (default 200; 0: always)");

DEFINE_PER_CPU_ALIGNED(struct pvx_lock_cpu, pvx_lock_cpu);

/* Where waits are reported to, as stock's are. */
static struct pvx_contention contention __ro_after_init;

/* How many waiters on any lock starve. */
static atomic_t nr_starving;

/* Whether the slow path is replaced: see watch_steal(). */
static bool engaged;

/* Documentation/lock.rst says what is counted. */
enum lock_stat {
	STAT_WAITS,
	STAT_SEARCHES,
	STAT_YIELDS,
	STAT_BOOSTED,
	STAT_FAR,
	STAT_WOKEN,
	STAT_REFUSED,
	STAT_FAILED,
	STAT_STARVED,
	STAT_PASSED,
	STAT_OVERFLOWS,
	NR_LOCK_STATS,
};

static const char * const stat_names[NR_LOCK_STATS] = {
	[STAT_WAITS]		= "waits",
	[STAT_SEARCHES]		= "searches",
	[STAT_YIELDS]		= "yields",
	[STAT_BOOSTED]		= "boosted",
	[STAT_FAR]		= "far",
	[STAT_WOKEN]		= "woken",
	[STAT_REFUSED]		= "refused",
	[STAT_FAILED]		= "failed",
	[STAT_STARVED]		= "starved",
	[STAT_PASSED]		= "passed",
	[STAT_OVERFLOWS]	= "overflows",
};

static DEFINE_PER_CPU(u64 [NR_LOCK_STATS], lock_stats);

static __always_inline void count(enum lock_stat stat)
{
	this_cpu_inc(lock_stats[stat]);
}

static __always_inline enum pvx_wait_state state_of(unsigned long word)
{
	return word & PVX_STATE_MASK;
}

static void starve(struct qspinlock *lock, struct pvx_waiter *w)
{
	if (state_of(w->word) != PVX_WAITING)
		return;
	atomic_inc(&nr_starving);
	w->starved = true;
	count(STAT_STARVED);
	/* Before others can pass the lock to us: what looks on may take locks. */
	trace_lock_starved(lock, w->losses);
	WRITE_ONCE(w->word, pvx_word(lock, PVX_STARVING));
}

static void lost(struct qspinlock *lock, struct pvx_waiter *w)
{
	if (++w->losses >= READ_ONCE(max_losses))
		starve(lock, w);
}

/* Makes @w pending, if it starves for @lock and its turn has come. */
static bool pass_to(struct qspinlock *lock, struct pvx_waiter *w, int cpu)
{
	unsigned long starving = pvx_word(lock, PVX_STARVING);

	if (READ_ONCE(w->word) != starving)
		return false;
	if (vcpu_is_preempted(cpu) && w->skips++ < READ_ONCE(max_skips))
		return false;
	return cmpxchg(&w->word, starving, pvx_word(lock, PVX_PENDING)) ==
	       starving;
}

/*
 * Chooses who is next of those that starve for @lock, in cyclic order after
 * this CPU. Caller holds @lock and owns its pending bit.
 */
static bool pass_on(struct qspinlock *lock, int self)
{
	int cpu = self, i, context;

	for (i = 0; i < nr_cpu_ids; i++) {
		if (++cpu >= nr_cpu_ids)
			cpu = 0;
		if (!cpu_possible(cpu))
			continue;
		for (context = 0; context < PVX_CONTEXTS; context++)
			if (pass_to(lock, &per_cpu_ptr(&pvx_lock_cpu,
					cpu)->waiter[context], cpu))
				return true;
	}
	return false;
}

/* The owner of the pending bit takes the lock, if it is free. */
static bool acquire_pending(struct qspinlock *lock, struct pvx_waiter *w,
			    u32 val)
{
	if (!(val & _Q_PENDING_MASK)) {
		/* The head of stock's paravirtual queue helped itself to it. */
		WRITE_ONCE(w->word, pvx_word(lock, PVX_STARVING));
		return false;
	}
	if (val & _Q_LOCKED_MASK)
		return false;
	if (val == _Q_PENDING_VAL && atomic_read(&nr_starving) > 1) {
		if (!atomic_try_cmpxchg_acquire(&lock->val, &val,
				_Q_LOCKED_VAL | _Q_PENDING_VAL))
			return false;
		if (pass_on(lock, smp_processor_id()))
			count(STAT_PASSED);
		else
			WRITE_ONCE(lock->pending, 0);
		return true;
	}
	return cmpxchg_acquire(&lock->locked_pending, _Q_PENDING_VAL,
			       _Q_LOCKED_VAL) == _Q_PENDING_VAL;
}

/* One look at the lock; true if it was taken. */
static __always_inline bool try_acquire(struct qspinlock *lock,
					struct pvx_waiter *w)
{
	/*
	 * The state before the lock word: who is made pending between the two
	 * must not believe an older word that has no pending bit yet.
	 */
	enum pvx_wait_state state = state_of(smp_load_acquire(&w->word));
	u32 val = atomic_read(&lock->val);

	if (!val) {
		if (atomic_try_cmpxchg_acquire(&lock->val, &val, _Q_LOCKED_VAL))
			return true;
		lost(lock, w);
		return false;
	}
	if (likely(state == PVX_WAITING))
		return false;
	if (state == PVX_PENDING)
		return acquire_pending(lock, w, val);
	if (val == _Q_LOCKED_VAL &&
	    atomic_try_cmpxchg_relaxed(&lock->val, &val,
				       _Q_LOCKED_VAL | _Q_PENDING_VAL))
		WRITE_ONCE(w->word, pvx_word(lock, PVX_PENDING));
	return false;
}

static u64 ns_to_cycles(u32 ns)
{
	return mul_u64_u32_div(ns, tsc_khz, USEC_PER_SEC);
}

static bool spin(struct qspinlock *lock, struct pvx_waiter *w, u32 ns)
{
	u64 end = rdtsc() + ns_to_cycles(ns);
	u32 i = 0;

	do {
		if (try_acquire(lock, w))
			return true;
		cpu_relax();
	} while ((++i & 7) || rdtsc() < end);
	return false;
}

/* All waiters find the same holder; one of them is enough to ask for it. */
static bool may_ask(int cpu)
{
	u64 *asked = &per_cpu_ptr(&pvx_lock_cpu, cpu)->asked;
	u64 now = rdtsc(), before = READ_ONCE(*asked);

	return now - before >= ns_to_cycles(READ_ONCE(ask_again_ns)) &&
	       cmpxchg(asked, before, now) == before;
}

/* CPUs may share a bit: a wrong answer costs time and nothing else. */
static u64 far_bit(int cpu)
{
	return BIT_ULL(cpu % BITS_PER_LONG_LONG);
}

static void learn_where(struct pvx_lock_cpu *lc, int cpu, s64 ret)
{
	/* Who has the target's own CPU cannot come too late for it. */
	if (ret == PVX_YIELD_BOOSTED_FAR || ret == PVX_YIELD_RUNNING)
		WRITE_ONCE(lc->far, lc->far | far_bit(cpu));
	else if (ret == PVX_YIELD_BOOSTED)
		WRITE_ONCE(lc->far, lc->far & ~far_bit(cpu));
}

/* Does a waiter run that has not found @holder to be on another host CPU? */
static bool waits_near(struct qspinlock *lock, int holder)
{
	int cpu;

	for_each_online_cpu(cpu) {
		if ((pvx_is_waiting(cpu) & ~PVX_STATE_MASK) == (unsigned long)lock &&
		    !(READ_ONCE(per_cpu(pvx_lock_cpu, cpu).far) & far_bit(holder)) &&
		    !vcpu_is_preempted(cpu))
			return true;
	}
	return false;
}

/*
 * A waiter that runs on the holder's host CPU gives it that one, and while it runs
 * there the holder does not. One that is far interrupts two vCPUs, and may find that
 * the holder came back by itself. So who is near goes first.
 */
static bool leave_to_others(struct qspinlock *lock, struct pvx_waiter *w,
			    struct pvx_lock_cpu *lc, int holder)
{
	return (lc->far & far_bit(holder)) && waits_near(lock, holder) &&
	       rdtsc() - w->since < ns_to_cycles(READ_ONCE(far_ns));
}

/* True if the host said that it runs the target. */
static bool count_answer(s64 ret)
{
	switch (ret) {
	case PVX_YIELD_BOOSTED_FAR:
		count(STAT_FAR);
		fallthrough;
	case PVX_YIELD_BOOSTED:
		count(STAT_BOOSTED);
		return true;
	case PVX_YIELD_WOKEN:
		count(STAT_WOKEN);
		return true;
	case PVX_YIELD_BUDGET:
		count(STAT_REFUSED);
		return false;
	default:
		if (ret < 0)
			count(STAT_FAILED);
		return false;
	}
}

static bool ask_for(struct qspinlock *lock, struct pvx_lock_cpu *lc, int holder)
{
	s64 ret = pvx_guest_call(PVX_F_YIELD, PVX_HC_YIELD,
				 per_cpu(x86_cpu_to_apicid, holder), 0, 0, 0);

	count(STAT_YIELDS);
	trace_lock_yield(lock, holder, ret);
	learn_where(lc, holder, ret);
	return count_answer(ret);
}

/*
 * Gives the host CPU to the holder if it is preempted; false if it is not. It
 * must be found twice in a row: a hypercall costs more than another spin, and
 * would come too late for one that is just coming back.
 */
static bool help_holder(struct qspinlock *lock, struct pvx_waiter *w,
			struct pvx_lock_cpu *lc)
{
	int before = w->suspect, holder;

	if (!pvx_guest_has(PVX_F_YIELD))
		return false;
	count(STAT_SEARCHES);
	holder = pvx_holder_find(lock);
	w->suspect = holder;
	if (holder < 0)
		return false;
	if (holder != before) {
		w->since = rdtsc();
		return true;
	}
	if (leave_to_others(lock, w, lc, holder) || !may_ask(holder))
		return true;
	return ask_for(lock, lc, holder);
}

/* Whether waiters are ours just now, or stock's. */
static __always_inline bool replaced(void)
{
	return READ_ONCE(engaged) && pvx_guest_has(PVX_F_YIELD);
}

/* Gives the wait up, unless the lock is already kept for this waiter. */
static bool leave(struct qspinlock *lock, struct pvx_waiter *w)
{
	unsigned long word = READ_ONCE(w->word);

	return state_of(word) != PVX_PENDING &&
	       cmpxchg(&w->word, word, 0) == word;
}

static u32 within_bounds(u32 ns)
{
	return clamp(ns, READ_ONCE(spin_min_ns), READ_ONCE(spin_max_ns));
}

static noinline u32 ask_policy(struct qspinlock *lock, u32 ns, u32 searches)
{
	struct pvx_choose_spin choice = {
		.spin_ns = ns,
		.min_ns = READ_ONCE(spin_min_ns),
		.max_ns = READ_ONCE(spin_max_ns),
		.searches = searches,
		.lock = (unsigned long)lock,
	};

	return pvx_policy_ask(&choice);
}

/*
 * How long it spins next, where by default that would be @ns. A program may wait for a lock, too,
 * even for this one, so it is not asked where others may keep the lock for us meanwhile.
 */
static __always_inline u32 threshold(struct qspinlock *lock, const struct pvx_waiter *w, u32 ns,
				     u32 searches)
{
	if (!pvx_policy_has() || state_of(READ_ONCE(w->word)) != PVX_WAITING)
		return ns;
	return ask_policy(lock, ns, searches);
}

/*
 * Spins, and between spins helps the holder. How long it spins adapts: where
 * holders are found preempted spinning was in vain, so it gets shorter.
 * False if it gave up, for stock to go on.
 */
static bool wait_for(struct qspinlock *lock, struct pvx_waiter *w,
		     struct pvx_lock_cpu *lc)
{
	u64 patience = rdtsc() + (u64)READ_ONCE(max_wait_ms) * tsc_khz;
	u32 ns = within_bounds(lc->spin_ns), searches = 0;
	u32 turns;

	while (!spin(lock, w, threshold(lock, w, ns, searches++))) {
		if (!replaced() && leave(lock, w))
			return false;
		ns = within_bounds(help_holder(lock, w, lc) ? ns / 2 : ns * 2);
		/* A holder that is slow takes nothing from anybody. */
		turns = pvx_holder_turns(lock);
		if (turns != w->turns)
			lost(lock, w);
		w->turns = turns;
		if (rdtsc() > patience)
			starve(lock, w);
	}
	lc->spin_ns = ns;
	return true;
}

/*
 * Takes the place of queued_spin_lock_slowpath(); preemption is off. False if
 * stock has to go on.
 */
static __always_inline bool slow_path(struct qspinlock *lock)
{
	struct pvx_lock_cpu *lc = this_cpu_ptr(&pvx_lock_cpu);
	u32 idx = lc->depth;
	struct pvx_waiter *w;
	bool acquired;

	if (unlikely(idx >= PVX_CONTEXTS)) {
		/* As stock does when it is out of nodes. */
		count(STAT_OVERFLOWS);
		while (!queued_spin_trylock(lock))
			cpu_relax();
		return true;
	}
	pvx_contention_begin(&contention, lock);
	count(STAT_WAITS);
	w = &lc->waiter[idx];
	/* An interrupt from here on nests above, and leaves depth as it was. */
	WRITE_ONCE(lc->depth, idx + 1);
	barrier();
	w->losses = 0;
	w->skips = 0;
	w->starved = false;
	w->turns = pvx_holder_turns(lock);
	w->suspect = -1;
	w->preempt_count = preempt_count();
	/* Last: whoever finds the word may believe the rest of the record. */
	smp_store_release(&w->word, pvx_word(lock, PVX_WAITING));

	acquired = wait_for(lock, w, lc);
	if (w->starved)
		atomic_dec(&nr_starving);
	if (acquired) {
		WRITE_ONCE(w->word, 0);
		pvx_holder_record(lock, smp_processor_id());
	}
	barrier();
	WRITE_ONCE(lc->depth, idx);
	pvx_contention_end(&contention, lock);
	return acquired;
}

/*
 * The hook sends a call of stock's back here if the replacement is on again by
 * then. It seldom is, since it changes a few times in a second at most.
 */
static notrace void native_slow_path(struct qspinlock *lock, u32 val)
{
	if (!slow_path(lock))
		native_queued_spin_lock_slowpath(lock, val);
}

static notrace void pv_slow_path(struct qspinlock *lock, u32 val)
{
	if (!slow_path(lock))
		__pv_queued_spin_lock_slowpath(lock, val);
}

static notrace void on_native_slow_path(unsigned long ip,
					unsigned long parent_ip,
					struct ftrace_ops *ops,
					struct ftrace_regs *fregs)
{
	if (replaced())
		pvx_set_ip(fregs, (unsigned long)native_slow_path);
}

static notrace void on_pv_slow_path(unsigned long ip, unsigned long parent_ip,
				    struct ftrace_ops *ops,
				    struct ftrace_regs *fregs)
{
	if (replaced())
		pvx_set_ip(fregs, (unsigned long)pv_slow_path);
}

#define SLOW_PATH(name, callback)					\
	PVX_HOOK(name, callback, FTRACE_OPS_FL_IPMODIFY,		\
		 "cannot replace the spinlock slow path")

static struct pvx_hook hooks[] = {
	SLOW_PATH("native_queued_spin_lock_slowpath", on_native_slow_path),
	SLOW_PATH("__pv_queued_spin_lock_slowpath", on_pv_slow_path),
};

static int engage(void)
{
	int err;

	WRITE_ONCE(engaged, true);
	err = pvx_hooks_install(hooks, ARRAY_SIZE(hooks));
	if (err)
		WRITE_ONCE(engaged, false);
	return err;
}

static void disengage(void)
{
	/* Waiters go over to stock, so that nobody is waited for long. */
	WRITE_ONCE(engaged, false);
	pvx_hooks_remove(hooks, ARRAY_SIZE(hooks));
}

/*
 * Stock queues are better as long as all vCPUs run, and even a hook that does
 * nothing costs each slow path a trampoline. So the hooks are put in when time
 * is stolen, on the average of about a second, and are taken out when it was
 * not for ten seconds: each change patches text.
 */
#define WATCH_MS	200
#define WEIGHT		5
#define FIRST_MS	1000
#define CALM_MS		10000

static void watch_steal(struct work_struct *work);
static DECLARE_DEFERRABLE_WORK(watch_work, watch_steal);

static unsigned long calm_at;

static u64 steal_of_all(void)
{
	u64 steal = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		steal += kcpustat_cpu(cpu).cpustat[CPUTIME_STEAL];
	return steal;
}

/* How much is stolen lately, in permille of one vCPU's time. */
static u64 steal_average(void)
{
	static u64 last_steal, last_ns, weighted;
	u64 steal = steal_of_all(), ns = ktime_get_ns();

	if (last_ns) {
		weighted -= weighted / WEIGHT;
		weighted += div64_u64((steal - last_steal) * 1000,
				      ns - last_ns);
	}
	last_steal = steal;
	last_ns = ns;
	return weighted / WEIGHT;
}

static void watch_steal(struct work_struct *work)
{
	static unsigned long retry_at = INITIAL_JIFFIES;
	const u64 steal = steal_average();
	const bool before = engaged;
	bool stolen = steal >= READ_ONCE(steal_permille) && pvx_guest_has(PVX_F_YIELD);

	if (stolen)
		calm_at = jiffies + msecs_to_jiffies(CALM_MS);
	/* Where that fails now, as beside a live patch, it may work later. */
	if (!engaged && stolen && time_after_eq(jiffies, retry_at) && engage())
		retry_at = calm_at;
	else if (engaged && time_after(jiffies, calm_at))
		disengage();
	if (engaged != before)
		trace_lock_engaged(engaged, steal);
	queue_delayed_work(system_long_wq, &watch_work,
			   msecs_to_jiffies(WATCH_MS));
}

static u64 sum_stat(enum lock_stat stat)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(lock_stats, cpu)[stat]);
	return sum;
}

static int lock_show(struct seq_file *m, void *unused)
{
	enum lock_stat stat;

	for (stat = 0; stat < NR_LOCK_STATS; stat++)
		seq_printf(m, "%s=%llu\n", stat_names[stat], sum_stat(stat));
	seq_printf(m, "engaged=%d\n", READ_ONCE(engaged));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(lock);

static struct dentry *lock_file;

static int __init pvx_guest_lock_init(void)
{
	u64 msr;
	int err;

	BUILD_BUG_ON(_Q_PENDING_BITS != 8);

	if (rdmsrl_safe(MSR_KVM_STEAL_TIME, &msr) ||
	    !(msr & KVM_MSR_ENABLED)) {
		pr_err("the host does not tell which vCPUs are preempted (no steal time)\n");
		return -ENODEV;
	}
	pvx_contention_find(&contention);
	/* Here, so that a kernel in which it is not possible says so now. */
	err = engage();
	if (err)
		return err;
	lock_file = debugfs_create_file("lock", 0444, pvx_guest_debugfs, NULL,
					&lock_fops);
	calm_at = jiffies + msecs_to_jiffies(FIRST_MS);
	queue_delayed_work(system_long_wq, &watch_work, 0);
	pr_info("spinlock slow path replaced while the host steals time\n");
	return 0;
}

static void __exit pvx_guest_lock_exit(void)
{
	cancel_delayed_work_sync(&watch_work);
	debugfs_remove(lock_file);
	if (engaged)
		disengage();
}

module_init(pvx_guest_lock_init);
module_exit(pvx_guest_lock_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("KVM guest side of kvm-pvx: spinlocks for overcommitted guests");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
