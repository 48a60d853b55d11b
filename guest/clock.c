// SPDX-License-Identifier: GPL-2.0
/*
 * Clocks of effective time, one per CPU and one for the guest
 *
 * A CPU's clock advances by the time that passed less the time that the host
 * took from it: dT_eff = dT - dS. The guest's advances as the mean of those of
 * the CPUs that are online.
 *
 * Reading a clock takes in what was stolen, under a lock that nobody waits for.
 * Who finds it taken gets the value last read: a vCPU may lose its host CPU
 * with the lock, and a clock that stands still for that while harms less than
 * one that waits.
 */
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/tick.h>
#include <linux/timekeeping.h>

#include "clock.h"
#include "compat.h"
#include "history.h"
#include "pvx_guest.h"

static bool clock_corrected = true;
module_param_named(clock, clock_corrected, bool, 0644);
MODULE_PARM_DESC(clock, "Correct the clocks; else they go as CLOCK_MONOTONIC does (default Y)");

/**
 * struct cpu_clock - a CPU's clock
 * @lock: for @steal and writes of @effective
 * @steal: what was taken
 * @behind: by how much it is behind CLOCK_MONOTONIC: what was taken while clocks
 *	were corrected, ns
 * @effective: the value last read, ns
 * @history: what had been taken in the past
 * @ticked: when the CPU had its last tick, ns of CLOCK_MONOTONIC
 */
struct cpu_clock {
	raw_spinlock_t		lock;
	struct pvx_steal	steal;
	u64			behind;
	u64			effective;
	struct pvx_history	*history;
	u64			ticked;
};

static DEFINE_PER_CPU_ALIGNED(struct cpu_clock, cpu_clocks);

/*
 * The guest's clock is base + (sum of the clocks of @cpus - sum) / their number.
 * base and sum are taken anew when a CPU comes or goes.
 */
static struct {
	raw_spinlock_t	lock;
	cpumask_t	cpus;
	u64		base;
	u64		sum;
	u64		effective;
} guest_clock;

static bool is_idle(int cpu)
{
	bool idle;

	rcu_read_lock();
	idle = is_idle_task(pvx_current_of(cpu));
	rcu_read_unlock();
	return idle;
}

/*
 * Another CPU of which the host says that it does not run it, and that does not
 * idle: then it lacks nothing. How much is taken is not known before it runs.
 */
static bool marked_preempted(int cpu)
{
	return cpu != raw_smp_processor_id() && vcpu_is_preempted(cpu) && !is_idle(cpu);
}

static void advance(struct cpu_clock *clock, int cpu, u64 now)
{
	bool corrected = READ_ONCE(clock_corrected);
	/* Then its clock stands until it is known. */
	bool losing = corrected && marked_preempted(cpu);
	u64 before = clock->steal.stolen;

	pvx_steal_update(&clock->steal, cpu, now);
	if (corrected)
		clock->behind += clock->steal.stolen - before;
	if (losing)
		return;
	/* A host may say that it took more than there was. */
	now -= min(clock->behind, now);
	/* It may be behind where it was read in the middle of a burst. */
	if (now > clock->effective)
		WRITE_ONCE(clock->effective, now);
}

/* Whether it is up to date now. */
static bool update(struct cpu_clock *clock, int cpu)
{
	unsigned long flags;
	u64 now;

	local_irq_save(flags);
	now = ktime_get_ns();
	if (raw_spin_trylock(&clock->lock)) {
		advance(clock, cpu, now);
		raw_spin_unlock(&clock->lock);
	}
	local_irq_restore(flags);
	return READ_ONCE(clock->steal.seen) >= now;
}

static u64 read_cpu(int cpu)
{
	struct cpu_clock *clock = per_cpu_ptr(&cpu_clocks, cpu);

	update(clock, cpu);
	return READ_ONCE(clock->effective);
}

static u64 sum_of_cpus(void)
{
	u64 sum = 0;
	int cpu;

	for_each_cpu(cpu, &guest_clock.cpus)
		sum += read_cpu(cpu);
	return sum;
}

static void advance_guest(void)
{
	unsigned int n = cpumask_weight(&guest_clock.cpus);
	u64 effective;

	if (!n)
		return;
	effective = guest_clock.base + div_u64(sum_of_cpus() - guest_clock.sum, n);
	if (effective > guest_clock.effective)
		WRITE_ONCE(guest_clock.effective, effective);
}

static u64 read_guest(void)
{
	unsigned long flags;

	local_irq_save(flags);
	if (raw_spin_trylock(&guest_clock.lock)) {
		advance_guest();
		raw_spin_unlock(&guest_clock.lock);
	}
	local_irq_restore(flags);
	return READ_ONCE(guest_clock.effective);
}

/**
 * pvx_clock_valid() - is there a clock of that number?
 * @cpu: a CPU or PVX_CLOCK_SYSTEM
 *
 * Context: any.
 * Return: whether pvx_clock_read() may be called with it.
 */
bool pvx_clock_valid(int cpu)
{
	return cpu == PVX_CLOCK_SYSTEM ||
	       (cpu >= 0 && cpu < nr_cpu_ids && cpu_possible(cpu));
}
EXPORT_SYMBOL_GPL(pvx_clock_valid);

/**
 * pvx_clock_read() - read a clock of effective time
 * @cpu: a CPU that is possible, or PVX_CLOCK_SYSTEM for the guest's
 *
 * The clocks were set by CLOCK_MONOTONIC when the module was loaded, and never
 * go back. That of a CPU that is offline goes on as CLOCK_MONOTONIC does. That
 * of another CPU that is not idle stands while the host does not run it. While
 * the parameter "clock" is off all go on as CLOCK_MONOTONIC does.
 *
 * Context: any but NMI. PVX_CLOCK_SYSTEM takes time linear in the number of CPUs.
 * Return: ns.
 */
u64 pvx_clock_read(int cpu)
{
	return cpu == PVX_CLOCK_SYSTEM ? read_guest() : read_cpu(cpu);
}
EXPORT_SYMBOL_GPL(pvx_clock_read);

static u64 stolen_from(int cpu)
{
	struct cpu_clock *clock = per_cpu_ptr(&cpu_clocks, cpu);

	if (update(clock, cpu) || cpu != raw_smp_processor_id())
		return READ_ONCE(clock->steal.stolen);
	return pvx_steal_peek(&clock->steal, cpu);
}

/**
 * pvx_clock_stolen() - how much time was taken from a CPU
 * @cpu: a CPU that is possible, or PVX_CLOCK_SYSTEM for all of them together
 *
 * Context: any but NMI. PVX_CLOCK_SYSTEM takes time linear in the number of CPUs.
 * Return: ns since the module was loaded, as far as the host told by now.
 */
u64 pvx_clock_stolen(int cpu)
{
	u64 sum = 0;

	if (cpu != PVX_CLOCK_SYSTEM)
		return stolen_from(cpu);
	for_each_possible_cpu(cpu)
		sum += stolen_from(cpu);
	return sum;
}
EXPORT_SYMBOL_GPL(pvx_clock_stolen);

/**
 * pvx_clock_odd() - how often a CPU's steal was not to be believed
 *
 * Context: any.
 * Return: how often one went back, or ahead faster than time, of all CPUs together.
 */
u64 pvx_clock_odd(void)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(cpu_clocks, cpu).steal.odd);
	return sum;
}

/**
 * pvx_clock_stolen_since() - how much time was taken from a CPU since a time
 * @cpu: a CPU that is possible
 * @since: CLOCK_MONOTONIC in ns
 *
 * What is longer ago than the CPU's history counts less than it was, and what
 * cannot be known just now not at all.
 *
 * Context: any but NMI.
 * Return: ns, no more than have passed.
 */
u64 pvx_clock_stolen_since(int cpu, u64 since)
{
	struct cpu_clock *clock = per_cpu_ptr(&cpu_clocks, cpu);
	u64 stolen = pvx_clock_stolen(cpu), now = ktime_get_ns(), before;

	if (now <= since || !pvx_history_at(clock->history, since, &before))
		return 0;
	return min(stolen - min(before, stolen), now - since);
}

/**
 * pvx_clock_most_stolen_since() - how much time was taken from the CPU that lost
 * most
 * @since: CLOCK_MONOTONIC in ns
 *
 * Context: any but NMI. Takes time linear in the number of CPUs.
 * Return: ns, as of pvx_clock_stolen_since().
 */
u64 pvx_clock_most_stolen_since(u64 since)
{
	u64 most = 0;
	int cpu;

	for_each_online_cpu(cpu)
		most = max(most, pvx_clock_stolen_since(cpu, since));
	return most;
}

/* A CPU that does not idle and misses so many ticks is not run, most likely. */
#define SILENT_NS	(8 * TICK_NSEC)

static bool is_silent(int cpu)
{
	u64 ticked = READ_ONCE(per_cpu(cpu_clocks, cpu).ticked), now = ktime_get_ns();

	return now > ticked && now - ticked > SILENT_NS && !is_idle(cpu) &&
	       !tick_nohz_full_cpu(cpu);
}

/**
 * pvx_clock_losing() - is time being taken from a CPU just now?
 * @cpu: a CPU that is possible
 *
 * The host marks only vCPUs that it stopped between two instructions. It does not
 * mark one that it stopped while it worked for it, so one that has no ticks counts
 * as well, if it should have them (nohz_full). That one may have interrupts off, or
 * have just come out of idle: who asks must not believe it for ever.
 *
 * Context: any.
 * Return: whether it is another CPU, not idle, that the host seems not to run.
 */
bool pvx_clock_losing(int cpu)
{
	return marked_preempted(cpu) ||
	       (cpu != raw_smp_processor_id() && is_silent(cpu));
}

/**
 * pvx_clock_any_losing() - is time being taken from any CPU just now?
 *
 * To be asked before what was stolen: a CPU that comes back in between is in both
 * answers then. The other way round it could be in neither.
 *
 * Context: any. Takes time linear in the number of CPUs.
 * Return: whether pvx_clock_losing() holds for a CPU that is online.
 */
bool pvx_clock_any_losing(void)
{
	int cpu;

	for_each_online_cpu(cpu)
		if (pvx_clock_losing(cpu))
			return true;
	return false;
}

static void on_tick(unsigned long ip, unsigned long parent_ip,
		    struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct cpu_clock *clock = this_cpu_ptr(&cpu_clocks);
	/* As whoever asks now is told, though another vCPU may have the lock. */
	u64 stolen = pvx_clock_stolen(smp_processor_id()), now = ktime_get_ns();

	pvx_history_note(clock->history, now, stolen);
	WRITE_ONCE(clock->ticked, now);
}

/* In hardirq context, on each CPU that is not idle. */
static struct pvx_hook tick[] = {
	PVX_HOOK("update_process_times", on_tick, 0,
		 "cannot follow what is stolen"),
};

/* Changes who counts, without a change of the guest's clock. */
static void count_cpu(int cpu, bool online)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&guest_clock.lock, flags);
	advance_guest();
	if (online)
		cpumask_set_cpu(cpu, &guest_clock.cpus);
	else
		cpumask_clear_cpu(cpu, &guest_clock.cpus);
	guest_clock.base = guest_clock.effective;
	guest_clock.sum = sum_of_cpus();
	raw_spin_unlock_irqrestore(&guest_clock.lock, flags);
}

static int clock_online(unsigned int cpu)
{
	struct cpu_clock *clock = per_cpu_ptr(&cpu_clocks, cpu);
	unsigned long flags;

	raw_spin_lock_irqsave(&clock->lock, flags);
	pvx_steal_begin(&clock->steal, ktime_get_ns());
	raw_spin_unlock_irqrestore(&clock->lock, flags);
	count_cpu(cpu, true);
	return 0;
}

static int clock_offline(unsigned int cpu)
{
	count_cpu(cpu, false);
	return 0;
}

static enum cpuhp_state hotplug;

static void free_histories(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		pvx_history_free(per_cpu(cpu_clocks, cpu).history);
}

static int begin_clock(int cpu, u64 now)
{
	struct cpu_clock *clock = per_cpu_ptr(&cpu_clocks, cpu);

	raw_spin_lock_init(&clock->lock);
	clock->effective = now;
	clock->ticked = now;
	pvx_steal_setup(&clock->steal, cpu, now);
	clock->history = pvx_history_alloc(cpu_to_node(cpu), now);
	return clock->history ? 0 : -ENOMEM;
}

int pvx_clock_init(void)
{
	u64 now = ktime_get_ns();
	int cpu, err = 0;

	raw_spin_lock_init(&guest_clock.lock);
	guest_clock.effective = now;
	for_each_possible_cpu(cpu)
		err = err ?: begin_clock(cpu, now);
	if (err)
		goto histories;
	err = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "pvx/clock:online",
				clock_online, clock_offline);
	if (err < 0)
		goto histories;
	hotplug = err;
	err = pvx_hooks_install(tick, ARRAY_SIZE(tick));
	if (!err)
		return 0;
	cpuhp_remove_state_nocalls(hotplug);
histories:
	free_histories();
	return err;
}

void pvx_clock_exit(void)
{
	pvx_hooks_remove(tick, ARRAY_SIZE(tick));
	cpuhp_remove_state_nocalls(hotplug);
	free_histories();
}
