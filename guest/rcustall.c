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
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/timekeeping.h>

#include "clock.h"
#include "compat.h"
#include "trace.h"
#include "watchdog.h"

/* What others set the switch to, we leave; they use 1 and 2. */
#define HELD	3

/**
 * struct grace_period - the grace period that goes on
 * @lock: never waited for
 * @cookie: differs from one to the next
 * @start: when it was first seen, jiffies
 * @since: a time at which it had hardly begun, ns of CLOCK_MONOTONIC
 * @looked: when somebody last looked, ns of CLOCK_MONOTONIC
 */
static struct grace_period {
	raw_spinlock_t	lock;
	unsigned long	cookie;
	unsigned long	start;
	u64		since;
	u64		looked;
} gp = {
	.lock = __RAW_SPIN_LOCK_UNLOCKED(gp.lock),
};

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

static void hold(unsigned long stolen_ms)
{
	if (cmpxchg(&rcu_cpu_stall_suppress, 0, HELD))
		return;
	WRITE_ONCE(times_held, times_held + 1);
	trace_rcu_stall_held(jiffies_to_msecs(jiffies - gp.start), stolen_ms);
}

static void release(void)
{
	if (READ_ONCE(rcu_cpu_stall_suppress) == HELD)
		cmpxchg(&rcu_cpu_stall_suppress, HELD, 0);
}

static u64 most_stolen_since(u64 since)
{
	u64 most = 0;
	int cpu;

	for_each_online_cpu(cpu)
		most = max(most, pvx_clock_stolen_since(cpu, since));
	return most;
}

static void look_at_stall(void)
{
	unsigned long timeout = rcu_jiffies_till_stall_check();
	unsigned long age = jiffies - gp.start;
	u64 stolen;

	/* The detector waits a little longer than that, and never less. */
	if (age + HZ < timeout)
		return;
	stolen = most_stolen_since(gp.since);
	if (age < timeout + nsecs_to_jiffies(stolen))
		hold(div_u64(stolen, NSEC_PER_MSEC));
	else
		release();
}

static void look(void)
{
	struct rcu_gp_oldstate state;
	u64 now = ktime_get_ns();

	get_state_synchronize_rcu_full(&state);
	if (state.rgos_norm == gp.cookie) {
		look_at_stall();
	} else {
		/* It began after somebody last looked. */
		gp.cookie = state.rgos_norm;
		gp.start = jiffies;
		gp.since = gp.looked ?: now;
		release();
	}
	gp.looked = now;
}

/* In hardirq context, in each tick, before RCU's own look. */
static void on_rcu_tick(unsigned long ip, unsigned long parent_ip,
			struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	if (!raw_spin_trylock(&gp.lock))
		return;
	look();
	raw_spin_unlock(&gp.lock);
}

static struct pvx_hook hooks[] = {
	{
		.function = "rcu_sched_clock_irq",
		.missing = "cannot correct RCU's stall detector",
		.ops = {
			.func = on_rcu_tick,
			.flags = FTRACE_OPS_FL_PERMANENT,
		},
	},
};

static int prepare(void)
{
	gp.looked = 0;
	return 0;
}

struct pvx_part pvx_rcu_stall = {
	.name = "rcu_stall",
	.on = true,
	.hooks = hooks,
	.count = ARRAY_SIZE(hooks),
	.prepare = prepare,
	.settle = release,
};

module_param_cb(rcu_stall, &pvx_part_ops, &pvx_rcu_stall, 0644);
MODULE_PARM_DESC(rcu_stall,
	"Do not report RCU stalls that stolen time explains (default Y)");
