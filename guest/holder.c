// SPDX-License-Identifier: GPL-2.0
/*
 * Who holds a spinlock?
 *
 * A lock word does not say. Two sources are joined: a table in which the slow
 * path writes down who acquired a lock, exact until that CPU lets go; and the
 * state of each vCPU. Both are only used to choose whom to give CPU time to,
 * so a wrong answer costs time and nothing else.
 */
#include <linux/cpumask.h>
#include <linux/hash.h>
#include <linux/rcupdate.h>

#include "compat.h"
#include "lock.h"

#define RECORD_BITS	9
/* A lock hierarchy deeper than this is searched no further. */
#define MAX_CHAIN	4

/* Address of the lock, shifted up; CPU + 1 in the low bits. */
static u64 records[1 << RECORD_BITS];
#define RECORD_CPU_BITS	16

static __always_inline u64 record_of(struct qspinlock *lock, int cpu)
{
	return ((u64)lock << RECORD_CPU_BITS) | (cpu + 1);
}

/* How often; locks whose addresses collide share a count. */
static u32 turns[1 << RECORD_BITS];

/* Called by each slow path that acquired @lock, while it holds it. */
notrace void pvx_holder_record(struct qspinlock *lock, int cpu)
{
	u32 i = hash_ptr(lock, RECORD_BITS);

	WRITE_ONCE(records[i], record_of(lock, cpu));
	WRITE_ONCE(turns[i], turns[i] + 1);
}

/* A number that changes when a slow path acquires @lock. */
notrace u32 pvx_holder_turns(struct qspinlock *lock)
{
	return READ_ONCE(turns[hash_ptr(lock, RECORD_BITS)]);
}

/* The CPU whose slow path acquired @lock last, as far as is known; or -1. */
static int recorded(struct qspinlock *lock)
{
	u64 record = READ_ONCE(records[hash_ptr(lock, RECORD_BITS)]);
	int cpu = (int)(record & (BIT(RECORD_CPU_BITS) - 1)) - 1;

	if (cpu < 0 || record != record_of(lock, cpu))
		return -1;
	return cpu;
}

/*
 * The word of @cpu's wait, if it waits in its innermost context; else 0. An
 * interrupt above a wait has another preempt count.
 */
notrace unsigned long pvx_is_waiting(int cpu)
{
	struct pvx_lock_cpu *lc = per_cpu_ptr(&pvx_lock_cpu, cpu);
	u32 depth = READ_ONCE(lc->depth);
	struct pvx_waiter *w;

	if (!depth || depth > PVX_CONTEXTS)
		return 0;
	w = &lc->waiter[depth - 1];
	if (READ_ONCE(w->preempt_count) != pvx_preempt_count_of(cpu))
		return 0;
	return READ_ONCE(w->word);
}

/* May @cpu, which is off its host CPU, be holding a spinlock? */
static bool suspect(int cpu)
{
	int count;

	if (!vcpu_is_preempted(cpu))
		return false;
	count = pvx_preempt_count_of(cpu);
	if (!count)
		return false;
	/* The idle task runs with preemption off, holding nothing. */
	if (count == 1 && is_idle_task(pvx_current_of(cpu)))
		return false;
	return !pvx_is_waiting(cpu);
}

/*
 * The preempted vCPU that stands in the way according to the records: the
 * lock's holder, or the holder of the lock that one waits for, and so on.
 */
static int find_recorded(struct qspinlock *lock, int self)
{
	struct qspinlock *other;
	unsigned long word;
	int hop, cpu;

	for (hop = 0; hop < MAX_CHAIN; hop++) {
		cpu = recorded(lock);
		if (cpu < 0 || cpu == self)
			return -1;
		word = pvx_is_waiting(cpu);
		if (!word)
			return suspect(cpu) ? cpu : -1;
		other = (struct qspinlock *)(word & ~PVX_STATE_MASK);
		if (other == lock)
			return -1;
		lock = other;
	}
	return -1;
}

/* A free lock that nobody takes is kept for the owner of its pending bit. */
static int find_pending(struct qspinlock *lock)
{
	int cpu;

	for_each_online_cpu(cpu)
		if (pvx_is_waiting(cpu) == pvx_word(lock, PVX_PENDING))
			return vcpu_is_preempted(cpu) ? cpu : -1;
	return -1;
}

/**
 * pvx_holder_find() - find the preempted vCPU that a waiter waits for
 * @lock: the lock
 *
 * Context: any with preemption off, NMI included. Takes time linear in the
 * number of CPUs.
 * Return: a CPU that is worth a directed yield, or -1.
 */
notrace int pvx_holder_find(struct qspinlock *lock)
{
	struct pvx_lock_cpu *lc = this_cpu_ptr(&pvx_lock_cpu);
	int self = smp_processor_id(), cpu, i;
	u32 val = atomic_read(&lock->val);

	if ((val & PVX_LOCKED_PENDING_MASK) == _Q_PENDING_VAL) {
		cpu = find_pending(lock);
		if (cpu >= 0)
			return cpu;
	}
	cpu = find_recorded(lock, self);
	if (cpu >= 0)
		return cpu;
	/* Each search starts elsewhere, so that all suspects get their turn. */
	cpu = lc->cursor;
	for (i = 0; i < nr_cpu_ids; i++) {
		if (++cpu >= nr_cpu_ids)
			cpu = 0;
		if (cpu != self && cpu_online(cpu) && suspect(cpu)) {
			lc->cursor = cpu;
			return cpu;
		}
	}
	return -1;
}
