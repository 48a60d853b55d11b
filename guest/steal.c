// SPDX-License-Identifier: GPL-2.0
/*
 * How much time the host took from each CPU
 *
 * KVM adds up in a record per vCPU for how long the vCPU could have run and
 * did not. The kernel does not export where its records are, so each CPU is
 * asked: the address is in its MSR_KVM_STEAL_TIME.
 */
#include <linux/kernel_stat.h>
#include <linux/mm.h>
#include <linux/timekeeping.h>
#include <asm/msr.h>

#include "clock.h"

/* The record of this CPU, or NULL. */
static const struct kvm_steal_time *find_record(void)
{
	u64 msr, gpa;

	if (rdmsrl_safe(MSR_KVM_STEAL_TIME, &msr) || !(msr & KVM_MSR_ENABLED))
		return NULL;
	gpa = msr & KVM_STEAL_VALID_BITS;
	return pfn_valid(PHYS_PFN(gpa)) ? __va(gpa) : NULL;
}

/**
 * pvx_steal_offered() - does the host tell how much time it takes?
 *
 * Context: any.
 * Return: whether the running CPU has a record.
 */
bool pvx_steal_offered(void)
{
	return find_record();
}

/*
 * While the version is odd the host is writing; its thread may be off the CPU
 * just then, so nobody waits for it for long.
 */
static bool read_record(const struct kvm_steal_time *record, u64 *raw)
{
	u32 version;
	int tries;

	for (tries = 0; tries < 16; tries++) {
		version = READ_ONCE(record->version);
		virt_rmb();	/* the figure after the version, and */
		*raw = READ_ONCE(record->steal);
		virt_rmb();	/* the version again after the figure */
		if (!(version & 1) && version == READ_ONCE(record->version))
			return true;
		cpu_relax();
	}
	return false;
}

static bool read_raw(const struct pvx_steal *steal, int cpu, u64 *raw)
{
	if (steal->record)
		return read_record(steal->record, raw);
	*raw = kcpustat_cpu(cpu).cpustat[CPUTIME_STEAL];
	return true;
}

/**
 * pvx_steal_setup() - make a CPU's account, before the CPU itself is asked
 * @steal: of @cpu, and nobody else's yet
 * @cpu: a CPU, online or not
 * @now: CLOCK_MONOTONIC in ns
 *
 * Context: any.
 */
void pvx_steal_setup(struct pvx_steal *steal, int cpu, u64 now)
{
	*steal = (struct pvx_steal){ .since = now, .seen = now };
	read_raw(steal, cpu, &steal->raw);
}

/**
 * pvx_steal_begin() - find the running CPU's record and begin to count
 * @steal: of the running CPU
 * @now: CLOCK_MONOTONIC in ns
 *
 * What was stolen up to now stays; if the CPU was offline meanwhile, what its
 * figure did in that time does not count.
 *
 * Context: on the CPU, with @steal locked.
 */
void pvx_steal_begin(struct pvx_steal *steal, u64 now)
{
	int cpu = smp_processor_id();

	steal->record = find_record();
	if (!read_raw(steal, cpu, &steal->raw))
		steal->raw = 0;	/* then the first reading is odd, and ignored */
	steal->since = now;
	steal->seen = now;
}

/*
 * What was taken since the last update. A figure that goes back, or ahead by
 * more time than has passed since it was what it was, is not steal but another
 * host's: what it did meanwhile does not count. The host measures by another clock,
 * so a vCPU that had next to nothing may be told of a little more than passed.
 */
static bool believable(const struct pvx_steal *steal, u64 before, u64 raw)
{
	/* Not any earlier: it may be the time until just now that was taken. */
	u64 passed = ktime_get_ns() - steal->since;

	return raw >= before && raw - before <= passed + passed / 1024 + NSEC_PER_MSEC;
}

static void take_in(struct pvx_steal *steal, u64 raw)
{
	const u64 more = believable(steal, steal->raw, raw) ? raw - steal->raw : 0;

	if (!more)
		steal->odd++;
	/* In this order: pvx_steal_peek() may miss it then, but does not count it twice. */
	WRITE_ONCE(steal->raw, raw);
	smp_wmb();
	WRITE_ONCE(steal->stolen, steal->stolen + more);
	steal->since = steal->seen;
}

/**
 * pvx_steal_update() - take in what the host took since the last update
 * @steal: of @cpu
 * @cpu: a CPU, online or not
 * @now: CLOCK_MONOTONIC in ns, read before
 *
 * Context: any, with @steal locked.
 */
void pvx_steal_update(struct pvx_steal *steal, int cpu, u64 now)
{
	u64 raw;

	if (!read_raw(steal, cpu, &raw))
		return;
	if (raw != steal->raw)
		take_in(steal, raw);
	WRITE_ONCE(steal->seen, now);
}

/**
 * pvx_steal_peek() - what an update would make of it
 * @steal: of @cpu
 * @cpu: the running CPU
 *
 * For who finds the lock taken by a vCPU that was stolen with it.
 *
 * Context: any.
 * Return: time taken since the module was loaded, ns.
 */
u64 pvx_steal_peek(const struct pvx_steal *steal, int cpu)
{
	u64 stolen = READ_ONCE(steal->stolen), raw, before;

	smp_rmb();
	before = READ_ONCE(steal->raw);
	if (!read_raw(steal, cpu, &raw) || !believable(steal, before, raw))
		return stolen;
	return stolen + raw - before;
}
