// SPDX-License-Identifier: GPL-2.0
/*
 * Load and torture for the spinlock slow path
 *
 * Reading a file under debugfs pvx_locktest/ runs a test and prints its
 * result, a "key=value" per line:
 *
 *   bench    @threads threads on as many CPUs take one hot lock for @ms
 *   torture  task, softirq, hardirq and NMI contexts of all CPUs take several
 *            locks for @ms, nested and not; errors is how often a lock let two
 *            in, or lost an update
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <asm/apic.h>
#include <asm/nmi.h>

static unsigned int threads = 4;
module_param(threads, uint, 0644);
MODULE_PARM_DESC(threads, "Threads of a benchmark, one per CPU (default 4)");

static unsigned int ms = 2000;
module_param(ms, uint, 0644);
MODULE_PARM_DESC(ms, "Milliseconds that a test runs (default 2000)");

static unsigned int hold = 40;
module_param(hold, uint, 0644);
MODULE_PARM_DESC(hold, "Length of the critical section in steps (default 40)");

static unsigned int gap = 40;
module_param(gap, uint, 0644);
MODULE_PARM_DESC(gap, "Length of the section outside in steps (default 40)");

static int reads = -1;
module_param(reads, int, 0644);
MODULE_PARM_DESC(reads,
		 "The hot lock is a rwlock, taken for reading this many times in 100 (default -1: a spinlock)");

#define LONG_WAIT_NS	(2 * NSEC_PER_MSEC)

static DEFINE_MUTEX(one_at_a_time);

/* --- bench --------------------------------------------------------------- */

struct bench_thread {
	struct task_struct	*task;
	u64			ops;
	u64			long_waits;
	u64			longest_ns;
	u64			shortest_hold;
	u64			paced;
};

static struct {
	spinlock_t	lock ____cacheline_aligned_in_smp;
	rwlock_t	rwlock ____cacheline_aligned_in_smp;
	u64		data[8] ____cacheline_aligned_in_smp;
	bool		stop ____cacheline_aligned_in_smp;
	atomic_t	started;
	unsigned int	threads;
} bench;

static void work_inside(unsigned int steps)
{
	unsigned int i;

	for (i = 0; i < steps; i++)
		WRITE_ONCE(bench.data[i & 7], bench.data[i & 7] + 1);
}

static void work_outside(unsigned int steps)
{
	u64 x = 0;

	while (steps--)
		WRITE_ONCE(x, READ_ONCE(x) + 1);
}

/* Readers only look, since there may be several. */
static void look_inside(unsigned int steps)
{
	unsigned int i;

	for (i = 0; i < steps; i++)
		READ_ONCE(bench.data[i & 7]);
}

/* When a thread asked for the lock, got it, and was done, in cycles. */
struct bench_turn {
	u64	asked;
	u64	got;
	u64	done;
};

static void rwlock_turn(struct bench_turn *turn, bool reading)
{
	turn->asked = rdtsc();
	if (reading) {
		read_lock(&bench.rwlock);
		turn->got = rdtsc();
		look_inside(hold);
		turn->done = rdtsc();
		read_unlock(&bench.rwlock);
	} else {
		write_lock(&bench.rwlock);
		turn->got = rdtsc();
		work_inside(hold);
		turn->done = rdtsc();
		write_unlock(&bench.rwlock);
	}
}

static void spinlock_turn(struct bench_turn *turn)
{
	turn->asked = rdtsc();
	spin_lock(&bench.lock);
	turn->got = rdtsc();
	work_inside(hold);
	turn->done = rdtsc();
	spin_unlock(&bench.lock);
}

/*
 * A CPU of a shared machine runs at half its pace for a while, and then rates
 * are half. So operations are also counted in time: each for what its critical
 * section took at this CPU's pace just then. That is the shortest of a few in a
 * row, since an interrupt or preemption only makes it longer.
 */
#define PACE_OPS	256

static void pace(struct bench_thread *t, u64 held)
{
	t->shortest_hold = min(t->shortest_hold, held);
	if (t->ops % PACE_OPS)
		return;
	t->paced += t->shortest_hold * PACE_OPS;
	t->shortest_hold = U64_MAX;
}

static int bench_fn(void *arg)
{
	struct bench_thread *t = arg;
	struct bench_turn turn;
	u64 waited;

	t->shortest_hold = U64_MAX;
	atomic_inc(&bench.started);
	while (atomic_read(&bench.started) < bench.threads)
		cond_resched();

	while (!READ_ONCE(bench.stop)) {
		if (reads < 0)
			spinlock_turn(&turn);
		else
			rwlock_turn(&turn, t->ops * 61 % 100 < reads);

		waited = mul_u64_u32_div(turn.got - turn.asked, USEC_PER_SEC,
					 tsc_khz);
		if (waited > LONG_WAIT_NS)
			t->long_waits++;
		if (waited > t->longest_ns)
			t->longest_ns = waited;
		t->ops++;
		pace(t, turn.done - turn.got);
		work_outside(gap);
		cond_resched_tasks_rcu_qs();
	}
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static int bench_run(struct bench_thread *ts, unsigned int n)
{
	unsigned int i, cpu = 0;
	int err = 0;

	for (i = 0; i < n; i++, cpu++) {
		cpu = cpumask_next((int)cpu - 1, cpu_online_mask);
		ts[i].task = kthread_create(bench_fn, &ts[i], "locktest/%u", i);
		if (IS_ERR(ts[i].task)) {
			err = PTR_ERR(ts[i].task);
			ts[i].task = NULL;
			WRITE_ONCE(bench.stop, true);
			atomic_set(&bench.started, n);
			break;
		}
		kthread_bind(ts[i].task, cpu);
		wake_up_process(ts[i].task);
	}
	if (!err)
		msleep_interruptible(ms);
	WRITE_ONCE(bench.stop, true);
	for (i = 0; i < n; i++)
		if (ts[i].task)
			kthread_stop(ts[i].task);
	return err;
}

static int bench_show(struct seq_file *m, void *unused)
{
	unsigned int n = clamp(threads, 1U, num_online_cpus()), i;
	struct bench_thread *ts = kcalloc(n, sizeof(*ts), GFP_KERNEL);
	u64 ops = 0, long_waits = 0, longest = 0, least = U64_MAX, most = 0;
	u64 paced = 0;
	ktime_t begin;
	s64 us;
	int err;

	if (!ts)
		return -ENOMEM;
	mutex_lock(&one_at_a_time);
	spin_lock_init(&bench.lock);
	rwlock_init(&bench.rwlock);
	bench.stop = false;
	bench.threads = n;
	atomic_set(&bench.started, 0);
	begin = ktime_get();
	err = bench_run(ts, n);
	us = ktime_us_delta(ktime_get(), begin);
	mutex_unlock(&one_at_a_time);

	for (i = 0; i < n; i++) {
		ops += ts[i].ops;
		long_waits += ts[i].long_waits;
		longest = max(longest, ts[i].longest_ns);
		least = min(least, ts[i].ops);
		most = max(most, ts[i].ops);
		paced += ts[i].paced;
	}
	kfree(ts);
	if (err)
		return err;
	seq_printf(m, "threads=%u\nus=%lld\nops=%llu\n", n, us, ops);
	seq_printf(m, "ops_per_s=%llu\n", div64_u64(ops * USEC_PER_SEC, us));
	seq_printf(m, "paced_ppm=%llu\n",
		   mul_u64_u64_div_u64(paced, 1000 * USEC_PER_SEC,
				       (u64)us * tsc_khz));
	seq_printf(m, "slowest=%llu\nfastest=%llu\n", least, most);
	seq_printf(m, "long_waits=%llu\nlongest_us=%llu\n", long_waits,
		   div_u64(longest, NSEC_PER_USEC));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(bench);

/* --- torture ------------------------------------------------------------- */

/* What a lock protects: nobody else inside, and a count that is not atomic. */
struct guarded {
	raw_spinlock_t	lock;
	int		owner;
	u64		count;
	atomic64_t	expected;
};

enum { TASK_LOCK, SOFTIRQ_LOCK, HARDIRQ_LOCK, NMI_LOCK, LOCKS };
static struct guarded guarded[LOCKS];
static atomic64_t errors, nmis, hardirqs, softirqs, tasks;
static bool torture_stop;

static void inside(struct guarded *g)
{
	int cpu = smp_processor_id();
	u64 count = READ_ONCE(g->count);

	if (READ_ONCE(g->owner) != -1)
		atomic64_inc(&errors);
	WRITE_ONCE(g->owner, cpu);
	atomic64_inc(&g->expected);
	ndelay(200);
	if (READ_ONCE(g->owner) != cpu)
		atomic64_inc(&errors);
	WRITE_ONCE(g->count, count + 1);
	WRITE_ONCE(g->owner, -1);
}

static void take(struct guarded *g)
{
	raw_spin_lock(&g->lock);
	inside(g);
	raw_spin_unlock(&g->lock);
}

static int on_nmi(unsigned int type, struct pt_regs *regs)
{
	if (READ_ONCE(torture_stop))
		return NMI_DONE;
	take(&guarded[NMI_LOCK]);
	atomic64_inc(&nmis);
	return NMI_HANDLED;
}

struct torture_cpu {
	struct hrtimer		timer;
	struct tasklet_struct	tasklet;
	struct task_struct	*task;
};

static DEFINE_PER_CPU(struct torture_cpu, torture_cpus);

static void on_softirq(struct tasklet_struct *unused)
{
	take(&guarded[SOFTIRQ_LOCK]);
	atomic64_inc(&softirqs);
}

static enum hrtimer_restart on_hardirq(struct hrtimer *timer)
{
	take(&guarded[HARDIRQ_LOCK]);
	atomic64_inc(&hardirqs);
	if (READ_ONCE(torture_stop))
		return HRTIMER_NORESTART;
	tasklet_schedule(&this_cpu_ptr(&torture_cpus)->tasklet);
	hrtimer_forward_now(timer, ns_to_ktime(1500 * NSEC_PER_USEC));
	return HRTIMER_RESTART;
}

static void send_nmi(int cpu)
{
#ifdef PVX_HAVE___SCT__apic_call_send_IPI_mask
	__apic_send_IPI_mask(cpumask_of(cpu), NMI_VECTOR);
#else
	apic->send_IPI_mask(cpumask_of(cpu), NMI_VECTOR);
#endif
}

static int torture_fn(void *arg)
{
	struct torture_cpu *tc = arg;
	unsigned int round = 0;
	unsigned long flags;

	hrtimer_start(&tc->timer, ns_to_ktime(1500 * NSEC_PER_USEC), HRTIMER_MODE_REL_PINNED);
	while (!READ_ONCE(torture_stop)) {
		/* Interrupts come while it waits and while it holds. */
		raw_spin_lock(&guarded[TASK_LOCK].lock);
		inside(&guarded[TASK_LOCK]);
		local_bh_disable();
		take(&guarded[SOFTIRQ_LOCK]);
		local_bh_enable();
		raw_spin_lock_irqsave(&guarded[HARDIRQ_LOCK].lock, flags);
		inside(&guarded[HARDIRQ_LOCK]);
		raw_spin_unlock_irqrestore(&guarded[HARDIRQ_LOCK].lock, flags);
		raw_spin_unlock(&guarded[TASK_LOCK].lock);
		atomic64_inc(&tasks);
		if (!(++round & 63)) {
			cpus_read_lock();
			send_nmi(cpumask_any_but(cpu_online_mask,
						 raw_smp_processor_id()) %
				 nr_cpu_ids);
			send_nmi(raw_smp_processor_id());
			cpus_read_unlock();
		}
		cond_resched_tasks_rcu_qs();
	}
	hrtimer_cancel(&tc->timer);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

/* Before any thread starts: it may run, and schedule tasklets, on any CPU. */
static void torture_setup(int cpu)
{
	struct torture_cpu *tc = per_cpu_ptr(&torture_cpus, cpu);

	hrtimer_init(&tc->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED);
	tc->timer.function = on_hardirq;
	tasklet_setup(&tc->tasklet, on_softirq);
}

static void torture_start(int cpu)
{
	struct torture_cpu *tc = per_cpu_ptr(&torture_cpus, cpu);

	tc->task = kthread_create_on_node(torture_fn, tc, cpu_to_node(cpu),
					  "locktorture/%d", cpu);
	if (IS_ERR(tc->task)) {
		tc->task = NULL;
		atomic64_inc(&errors);
		return;
	}
	/* Not bound: CPU hotplug beside it must be able to move it. */
	set_cpus_allowed_ptr(tc->task, cpu_possible_mask);
	wake_up_process(tc->task);
}

static int torture_show(struct seq_file *m, void *unused)
{
	int i, cpu;

	mutex_lock(&one_at_a_time);
	for (i = 0; i < LOCKS; i++) {
		raw_spin_lock_init(&guarded[i].lock);
		guarded[i].owner = -1;
		guarded[i].count = 0;
		atomic64_set(&guarded[i].expected, 0);
	}
	atomic64_set(&errors, 0);
	atomic64_set(&tasks, 0);
	atomic64_set(&softirqs, 0);
	atomic64_set(&hardirqs, 0);
	atomic64_set(&nmis, 0);
	WRITE_ONCE(torture_stop, false);

	for_each_possible_cpu(cpu)
		torture_setup(cpu);
	for_each_possible_cpu(cpu)
		torture_start(cpu);
	msleep(ms);
	WRITE_ONCE(torture_stop, true);
	for_each_possible_cpu(cpu)
		if (per_cpu(torture_cpus, cpu).task)
			kthread_stop(per_cpu(torture_cpus, cpu).task);
	/* Any CPU's timer may have scheduled any CPU's tasklet. */
	for_each_possible_cpu(cpu)
		tasklet_kill(&per_cpu(torture_cpus, cpu).tasklet);
	/* The last NMIs that were sent. */
	msleep(100);
	for (i = 0; i < LOCKS; i++)
		if (guarded[i].count != atomic64_read(&guarded[i].expected))
			atomic64_inc(&errors);
	mutex_unlock(&one_at_a_time);

	seq_printf(m, "errors=%lld\ntasks=%lld\nsoftirqs=%lld\nhardirqs=%lld\nnmis=%lld\n",
		   atomic64_read(&errors), atomic64_read(&tasks),
		   atomic64_read(&softirqs), atomic64_read(&hardirqs),
		   atomic64_read(&nmis));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(torture);

static struct dentry *dir;

static int __init pvx_locktest_init(void)
{
	int err = register_nmi_handler(NMI_LOCAL, on_nmi, 0, KBUILD_MODNAME);

	if (err)
		return err;
	torture_stop = true;
	dir = debugfs_create_dir(KBUILD_MODNAME, NULL);
	debugfs_create_file("bench", 0400, dir, NULL, &bench_fops);
	debugfs_create_file("torture", 0400, dir, NULL, &torture_fops);
	return 0;
}

static void __exit pvx_locktest_exit(void)
{
	debugfs_remove_recursive(dir);
	unregister_nmi_handler(NMI_LOCAL, KBUILD_MODNAME);
}

module_init(pvx_locktest_init);
module_exit(pvx_locktest_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("Load and torture for spinlocks");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
