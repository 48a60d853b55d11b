// SPDX-License-Identifier: GPL-2.0
/*
 * Timers on effective time, as kernel modules use them
 *
 * Reading debugfs pvx_timertest/run makes each of the tests below and prints a
 * line for each: 1 if it is as its name says, else 0. Reading pvx_timertest/suspend
 * suspends what can be suspended here, and tells what clocks made of it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/kvm_para.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/seq_file.h>
#include <linux/syscore_ops.h>
#include <linux/timekeeping.h>
#include <asm/msr.h>

#include "timer.h"

#define MS	((u64)NSEC_PER_MSEC)
/* No timer here may be later. */
#define DEFER	(2000 * MS)

/**
 * struct subject - a timer that is tested
 * @timer: the timer
 * @fired: how often it fired
 * @again: how often it is to set itself anew
 * @spin_ms: how long its function takes
 * @done: whether its function has ended
 * @clock: what its clock showed when it last fired, ns
 * @wall: CLOCK_MONOTONIC then, ns
 */
struct subject {
	struct pvx_timer	timer;
	atomic_t		fired;
	int			again;
	unsigned int		spin_ms;
	bool			done;
	u64			clock;
	u64			wall;
};

static struct subject subject;

static void on_fire(struct pvx_timer *timer)
{
	struct subject *s = container_of(timer, struct subject, timer);

	s->wall = ktime_get_ns();
	s->clock = pvx_clock_read(timer->cpu);
	atomic_inc(&s->fired);
	if (s->again) {
		s->again--;
		pvx_timer_mod(timer, s->clock + 2 * MS, DEFER);
	}
	mdelay(s->spin_ms);
	/* With all that was done before. */
	smp_store_release(&s->done, true);
}

static struct subject *fresh(int cpu)
{
	memset(&subject, 0, sizeof(subject));
	pvx_timer_setup(&subject.timer, cpu, on_fire);
	return &subject;
}

/* From now on, on the timer's clock. */
static void set(struct subject *s, u64 ns)
{
	pvx_timer_mod(&s->timer, pvx_clock_read(s->timer.cpu) + ns, DEFER);
}

static bool fires(struct subject *s, int times)
{
	unsigned int ms;

	for (ms = 0; ms < 5000 && atomic_read(&s->fired) < times; ms++)
		usleep_range(1000, 2000);
	msleep(20);	/* and not once more */
	return atomic_read(&s->fired) == times;
}

static bool fires_on(int cpu)
{
	struct subject *s = fresh(cpu);
	u64 at = pvx_clock_read(cpu) + 30 * MS;

	pvx_timer_mod(&s->timer, at, DEFER);
	return fires(s, 1) && s->clock >= at && !pvx_timer_remaining(&s->timer);
}

static bool fires_on_a_cpu_s_clock(void) { return fires_on(0); }
static bool fires_on_the_guest_s_clock(void) { return fires_on(PVX_CLOCK_SYSTEM); }

static bool fires_at_once_if_it_is_late(void)
{
	struct subject *s = fresh(0);

	pvx_timer_mod(&s->timer, 0, DEFER);
	return fires(s, 1);
}

static bool del_takes_it_back(void)
{
	struct subject *s = fresh(0);

	set(s, 20 * MS);
	return pvx_timer_del(&s->timer) && !pvx_timer_del(&s->timer) &&
	       !pvx_timer_remaining(&s->timer) && (msleep(40), fires(s, 0));
}

static bool del_of_one_never_set(void)
{
	struct subject *s = fresh(0);

	return !pvx_timer_del(&s->timer) && !pvx_timer_del_sync(&s->timer);
}

static bool mod_moves_it(void)
{
	struct subject *s = fresh(0);
	u64 at = pvx_clock_read(0) + 60 * MS;

	set(s, 10 * MS);
	pvx_timer_mod(&s->timer, at, DEFER);
	return fires(s, 1) && s->clock >= at;
}

static bool sets_itself_anew(void)
{
	struct subject *s = fresh(0);

	s->again = 9;
	set(s, MS);
	return fires(s, 10);
}

static bool tells_what_remains(void)
{
	struct subject *s = fresh(0);
	u64 left;

	set(s, 3600 * 1000 * MS);
	left = pvx_timer_remaining(&s->timer);
	return left > 3500 * 1000 * MS && left <= 3600 * 1000 * MS &&
	       pvx_timer_del(&s->timer);
}

static bool takes_the_largest_times(void)
{
	struct subject *s = fresh(PVX_CLOCK_SYSTEM);

	pvx_timer_mod(&s->timer, U64_MAX, U64_MAX);
	msleep(20);
	return fires(s, 0) && pvx_timer_remaining(&s->timer) && pvx_timer_del(&s->timer);
}

static bool del_sync_waits_for_its_function(void)
{
	struct subject *s = fresh(0);
	unsigned int ms;

	s->spin_ms = 20;
	set(s, MS);
	for (ms = 0; ms < 5000 && !atomic_read(&s->fired); ms++)
		usleep_range(200, 400);
	pvx_timer_del_sync(&s->timer);
	/* Pairs with on_fire(). */
	return smp_load_acquire(&s->done) && atomic_read(&s->fired) == 1;
}

/*
 * It fires when it would without steal, though its clock is not there yet: where
 * enough was stolen meanwhile to show that.
 */
static bool is_bound_by_defer_max(void)
{
	struct subject *s;
	u64 at, stolen;
	int tries;

	for (tries = 0; tries < 50; tries++) {
		s = fresh(0);
		stolen = pvx_clock_stolen(0);
		at = pvx_clock_read(0) + 100 * MS;
		pvx_timer_mod(&s->timer, at, 0);
		if (!fires(s, 1))
			return false;
		if (pvx_clock_stolen(0) - stolen > 50 * MS && s->clock < at)
			return true;
	}
	return false;
}

/* Sets it and takes it back, all the time. */
static int disturb(void *arg)
{
	struct subject *s = arg;

	while (!kthread_should_stop()) {
		if (get_random_u32() & 1)
			set(s, get_random_u32() % (300 * NSEC_PER_USEC));
		else
			pvx_timer_del(&s->timer);
		cond_resched();
	}
	return 0;
}

static struct task_struct *disturb_on(struct subject *s, int cpu)
{
	struct task_struct *task = kthread_create_on_cpu(disturb, s, cpu, "pvx_disturb/%u");

	if (IS_ERR(task))
		return NULL;
	wake_up_process(task);
	return task;
}

static bool stays_whole_when_all_cpus_set_it(void)
{
	struct subject *s = fresh(PVX_CLOCK_SYSTEM);
	struct task_struct *tasks[NR_CPUS < 8 ? NR_CPUS : 8] = {};
	int cpu, fired;
	size_t n = 0;

	cpus_read_lock();
	for_each_online_cpu(cpu)
		if (n < ARRAY_SIZE(tasks))
			tasks[n++] = disturb_on(s, cpu);
	cpus_read_unlock();
	msleep(3000);
	while (n--)
		if (tasks[n])
			kthread_stop(tasks[n]);
	pvx_timer_del_sync(&s->timer);
	fired = atomic_read(&s->fired);
	msleep(20);
	return fired && fired == atomic_read(&s->fired) &&
	       !pvx_timer_remaining(&s->timer);
}

/* What the host writes this CPU's steal to. It does so while the CPU is not run. */
static atomic64_t *steal_record(void)
{
	u64 msr;

	rdmsrl(MSR_KVM_STEAL_TIME, msr);
	return __va(msr & KVM_STEAL_VALID_BITS);
}

/*
 * What another host, or one that lost the record, would do to the figure, and back
 * again before the kernel sees it in its next tick.
 */
static bool ignores(s64 jump)	/* S64_MIN: to 0 */
{
	u64 clock, stolen, begin, took;
	unsigned long flags;
	bool ignored;
	int cpu;

	local_irq_save(flags);
	cpu = smp_processor_id();
	if (jump == S64_MIN)
		jump = -atomic64_read(steal_record());
	begin = ktime_get_ns();
	clock = pvx_clock_read(cpu);
	stolen = pvx_clock_stolen(cpu);
	atomic64_add(jump, steal_record());
	ignored = pvx_clock_read(cpu) >= clock;
	atomic64_sub(jump, steal_record());
	ignored &= pvx_clock_read(cpu) >= clock;
	took = ktime_get_ns() - begin;
	ignored &= pvx_clock_stolen(cpu) - stolen <= took &&
		   pvx_clock_read(cpu) - clock <= took + MS;
	local_irq_restore(flags);
	return ignored;
}

static bool ignores_steal_that_goes_back(void) { return ignores(-500 * (s64)MS); }
static bool ignores_steal_that_is_reset(void) { return ignores(S64_MIN); }
static bool ignores_steal_of_an_hour_at_once(void) { return ignores(3600 * 1000 * (s64)MS); }

#define TEST(name)	{ #name, name }

static const struct {
	const char	*name;
	bool		(*function)(void);
} tests[] = {
	TEST(fires_on_a_cpu_s_clock),
	TEST(fires_on_the_guest_s_clock),
	TEST(fires_at_once_if_it_is_late),
	TEST(del_takes_it_back),
	TEST(del_of_one_never_set),
	TEST(mod_moves_it),
	TEST(sets_itself_anew),
	TEST(tells_what_remains),
	TEST(takes_the_largest_times),
	TEST(del_sync_waits_for_its_function),
	TEST(is_bound_by_defer_max),
	TEST(stays_whole_when_all_cpus_set_it),
	TEST(ignores_steal_that_goes_back),
	TEST(ignores_steal_that_is_reset),
	TEST(ignores_steal_of_an_hour_at_once),
};

static DEFINE_MUTEX(run_lock);

static int run_show(struct seq_file *m, void *unused)
{
	size_t i;

	mutex_lock(&run_lock);
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		seq_printf(m, "%s=%d\n", tests[i].name, tests[i].function());
		pvx_timer_del_sync(&subject.timer);
	}
	mutex_unlock(&run_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(run);

#define SUSPENDED_MS	500

/*
 * What suspend to RAM does when all devices are: stops the time, takes the steal record
 * away, and gives it back. The devices themselves stay, since a guest of the laboratory
 * has its files over one that does not come back.
 */
static int suspend_core(void)
{
	int err;

	if (num_online_cpus() > 1)
		return -EBUSY;
	err = syscore_suspend();
	if (err)
		return err;
	mdelay(SUSPENDED_MS);
	syscore_resume();
	return 0;
}

static int suspend_show(struct seq_file *m, void *unused)
{
	unsigned long flags;
	s64 wall, clock;
	int err;

	local_irq_save(flags);
	wall = ktime_get_ns();
	clock = pvx_clock_read(0);
	err = suspend_core();
	clock = pvx_clock_read(0) - clock;
	wall = ktime_get_ns() - wall;
	local_irq_restore(flags);
	seq_printf(m, "monotonic_us=%lld\nclock_us=%lld\n", div_s64(wall, 1000),
		   div_s64(clock, 1000));
	return err;
}
DEFINE_SHOW_ATTRIBUTE(suspend);

static struct dentry *dir;

static int __init pvx_timertest_init(void)
{
	dir = debugfs_create_dir(KBUILD_MODNAME, NULL);
	debugfs_create_file("run", 0400, dir, NULL, &run_fops);
	debugfs_create_file("suspend", 0400, dir, NULL, &suspend_fops);
	return 0;
}

static void __exit pvx_timertest_exit(void)
{
	debugfs_remove_recursive(dir);
}

module_init(pvx_timertest_init);
module_exit(pvx_timertest_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("Tests of timers on effective time");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
