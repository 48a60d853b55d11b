// SPDX-License-Identifier: GPL-2.0
/*
 * The soft-lockup watchdog on effective time
 *
 * Each CPU's watchdog timer compares the time with watchdog_report_ts, when the
 * CPU last showed that it schedules. A vCPU that was off its host CPU could not
 * show it. So before the timer looks that time is moved ahead by what was stolen
 * since, and a lockup is reported when the CPU had the time and did not schedule.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/sched/clock.h>
#include <linux/timekeeping.h>

#include "clock.h"
#include "compat.h"
#include "ksym.h"
#include "trace.h"
#include "watchdog.h"

/* The watchdog's unit of time, 2^30 ns; and what says that it was touched. */
#define UNIT_SHIFT	30
#define TOUCHED		ULONG_MAX

/* watchdog_report_ts */
static unsigned long __percpu *report_ts;

/* A lockup is as long as so many periods of the timer. */
#define PERIODS	5

/**
 * struct silence - for how long a CPU has not scheduled
 * @ts: what we left in watchdog_report_ts; another value is a new silence
 * @since: when it began, ns of CLOCK_MONOTONIC
 * @stolen: what had been stolen from the CPU itself by then, ns
 * @moved: by how much it was moved since, in the watchdog's units
 * @looked: when the timer last expired, ns of CLOCK_MONOTONIC
 * @unproven: for how long by now some CPU is not run, ns
 */
struct silence {
	unsigned long	ts;
	u64		since;
	u64		stolen;
	u64		moved;
	u64		looked;
	u64		unproven;
};

static DEFINE_PER_CPU(struct silence, silences);
static DEFINE_PER_CPU(u64, corrections);

/**
 * pvx_soft_lockup_corrections() - how often a silence was found shorter
 *
 * Context: any.
 * Return: the number, of all CPUs together.
 */
u64 pvx_soft_lockup_corrections(void)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(corrections, cpu));
	return sum;
}

static u64 now_in_units(void)
{
	return local_clock() >> UNIT_SHIFT;
}

static void begin(struct silence *s, unsigned long ts, u64 now)
{
	u64 age = local_clock() - ((u64)ts << UNIT_SHIFT), since, stolen;
	int cpu = smp_processor_id();

	*s = (struct silence){ .ts = ts, .since = now - min(age, now), .looked = now };
	/* In this order: what is taken in between is in the total then, and not missing there. */
	since = pvx_clock_stolen_since(cpu, s->since);
	stolen = pvx_clock_stolen(cpu);
	s->stolen = stolen - min(since, stolen);
}

/*
 * How much of the silence is explained, in the watchdog's units, to the nearest.
 * By the CPU that lost most: one that had the time may wait for a lock or for an
 * answer of one that had not. What is being stolen just now is not known yet, and
 * believed to have been since the last period; but not for ever.
 */
static u64 explained_units(struct silence *s, u64 now)
{
	bool losing = pvx_clock_any_losing();
	u64 own = pvx_clock_stolen(smp_processor_id()), period = now - s->looked;
	u64 proven = max(own - min(s->stolen, own),
			 pvx_clock_most_stolen_since(s->since));

	s->looked = now;
	s->unproven = losing ? min(s->unproven + period, PERIODS * period) : 0;
	return (proven + s->unproven + (1UL << (UNIT_SHIFT - 1))) >> UNIT_SHIFT;
}

static void move(struct silence *s, unsigned long ts, u64 units)
{
	unsigned long to = min_t(u64, ts + units, now_in_units());

	/* It may be touched from an NMI. */
	if (this_cpu_cmpxchg(*report_ts, ts, to) != ts)
		return;
	s->ts = to;
	s->moved += to - ts;
	this_cpu_inc(corrections);
	trace_softlockup_corrected(units);
}

/* In hardirq context, before each watchdog timer. */
static void on_watchdog_timer(unsigned long ip, unsigned long parent_ip,
			      struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct silence *s = this_cpu_ptr(&silences);
	unsigned long ts = raw_cpu_read(*report_ts);
	u64 now = ktime_get_ns(), units;

	if (ts == TOUCHED || ts > now_in_units())
		return;
	if (ts != s->ts)
		begin(s, ts, now);
	units = explained_units(s, now);
	if (units > s->moved)
		move(s, ts, units - s->moved);
}

static struct pvx_hook hooks[] = {
	PVX_HOOK("watchdog_timer_fn", on_watchdog_timer, 0,
		 "cannot correct the soft-lockup watchdog"),
};

static int prepare(void)
{
	unsigned long ts;

	report_ts = (unsigned long __percpu *)pvx_ksym_find("watchdog_report_ts");
	if (!report_ts)
		return -ENOENT;
	/* Is it what we take it for? */
	ts = raw_cpu_read(*report_ts);
	if (ts == TOUCHED || ts <= now_in_units())
		return 0;
	pr_err("watchdog_report_ts is not what this module knows\n");
	return -EINVAL;
}

struct pvx_part pvx_soft_lockup = {
	.on = true,
	.hooks = hooks,
	.count = ARRAY_SIZE(hooks),
	.prepare = prepare,
};

module_param_cb(soft_lockup, &pvx_part_ops, &pvx_soft_lockup, 0644);
MODULE_PARM_DESC(soft_lockup,
	"Do not report CPUs as locked up that were stolen from (default Y)");
