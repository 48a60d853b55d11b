// SPDX-License-Identifier: GPL-2.0
/*
 * RCU's stall detector on effective time
 *
 * A grace period stalls when some CPU does not pass through a quiescent state
 * for rcu_cpu_stall_timeout. Which CPU that is RCU does not tell; so a stall is
 * held back for as long as there is one that had less time than that since the
 * grace period began.
 *
 * RCU has a switch for that, rcu_cpu_stall_suppress, and looks at it first. It
 * is set only when the stock detector would speak, and reset when the stolen
 * time explains no more: the report comes then.
 */
#include <linux/cpumask.h>
#include <linux/jiffies.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/timekeeping.h>

#include "clock.h"
#include "compat.h"
#include "trace.h"
#include "watchdog.h"

/* What others set the switch to, we leave; RCU itself uses 1 to 3. */
#define HELD	4

/* The state of a grace period, in the lowest bits of their count. */
#define GOES_ON	3

/**
 * struct grace_period - a CPU's view of the grace period that goes on
 * @seq: which one
 * @since: when it began at the earliest, ns of CLOCK_MONOTONIC
 * @looked: when the CPU last looked, ns of CLOCK_MONOTONIC
 *
 * Each CPU writes its own, right before RCU looks on that CPU: one for all would
 * have a lock, and that could be stolen with the vCPU that has it.
 */
struct grace_period {
	unsigned long	seq;
	u64		since;
	u64		looked;
};

static DEFINE_PER_CPU(struct grace_period, grace_periods);

static u64 times_held;

/**
 * pvx_rcu_stalls_held() - how many grace periods were held back from reports
 *
 * Context: any.
 * Return: the number; one that is released and held again counts again.
 */
u64 pvx_rcu_stalls_held(void)
{
	return READ_ONCE(times_held);
}

static void hold(u64 age, u64 stolen)
{
	if (cmpxchg(&rcu_cpu_stall_suppress, 0, HELD))
		return;
	WRITE_ONCE(times_held, times_held + 1);
	trace_rcu_stall_held(div_u64(age, NSEC_PER_MSEC), div_u64(stolen, NSEC_PER_MSEC));
}

static void release(void)
{
	if (READ_ONCE(rcu_cpu_stall_suppress) == HELD)
		cmpxchg(&rcu_cpu_stall_suppress, HELD, 0);
}

static u64 stall_timeout(void)
{
	return jiffies_to_nsecs(rcu_jiffies_till_stall_check());
}

/*
 * A grace period that is new to this CPU began after it last looked. Who begins
 * one is not idle, and would have had a tick, but for what was stolen. That is not
 * known of one that is not run just now; then it may be as old as to stall.
 */
static u64 began_after(u64 looked, u64 now)
{
	bool losing = pvx_clock_any_losing();
	u64 tick = 2 * TICK_NSEC, age = pvx_clock_most_stolen_since(looked) + tick;

	if (now - looked <= tick)
		return looked;
	if (losing)
		age = max(age, stall_timeout());
	return now - min(now - looked, age);
}

/* As those have it that saw it before, and may know it better; 0: none did. */
static u64 known_to_others(unsigned long seq)
{
	u64 since = U64_MAX;
	int cpu;

	for_each_online_cpu(cpu) {
		const struct grace_period *other = per_cpu_ptr(&grace_periods, cpu);

		/* Pairs with begin(): its since is not of an older one. */
		if (smp_load_acquire(&other->seq) == seq)
			since = min(since, READ_ONCE(other->since));
	}
	return since == U64_MAX ? 0 : since;
}

static void begin(struct grace_period *gp, unsigned long seq, u64 now)
{
	WRITE_ONCE(gp->since, known_to_others(seq) ?: began_after(gp->looked, now));
	/* Pairs with known_to_others(). */
	smp_store_release(&gp->seq, seq);
}

static void look_at_stall(const struct grace_period *gp, u64 now)
{
	u64 timeout = stall_timeout(), stolen;
	u64 age = now - min(gp->since, now);
	bool losing;

	/* RCU's clock, the jiffies, may be ahead of ours by a few. */
	if (age + NSEC_PER_SEC < timeout) {
		release();
		return;
	}
	losing = pvx_clock_any_losing();
	stolen = pvx_clock_most_stolen_since(gp->since);
	/* What is being stolen is not known yet, and not believed for ever. */
	if (losing)
		stolen += timeout;
	if (age < timeout + stolen)
		hold(age, stolen);
	else
		release();
}

static void look(struct grace_period *gp, u64 now)
{
	unsigned long seq = rcu_get_gp_seq();

	if (!(seq & GOES_ON)) {
		release();
		return;
	}
	if ((seq & ~GOES_ON) != gp->seq)
		begin(gp, seq & ~GOES_ON, now);
	look_at_stall(gp, now);
}

/* In hardirq context, in each tick, before RCU's own look. */
static void on_rcu_tick(unsigned long ip, unsigned long parent_ip,
			struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct grace_period *gp = this_cpu_ptr(&grace_periods);
	u64 now = ktime_get_ns();

	look(gp, now);
	gp->looked = now;
}

static struct pvx_hook hooks[] = {
	PVX_HOOK("rcu_sched_clock_irq", on_rcu_tick, 0,
		 "cannot correct RCU's stall detector"),
};

static int prepare(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		*per_cpu_ptr(&grace_periods, cpu) = (struct grace_period){
			.looked = ktime_get_ns(),
		};
	return 0;
}

struct pvx_part pvx_rcu_stall = {
	.on = true,
	.hooks = hooks,
	.count = ARRAY_SIZE(hooks),
	.prepare = prepare,
	.settle = release,
};

module_param_cb(rcu_stall, &pvx_part_ops, &pvx_rcu_stall, 0644);
MODULE_PARM_DESC(rcu_stall,
	"Do not report RCU stalls that stolen time explains (default Y)");
