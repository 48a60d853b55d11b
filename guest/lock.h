/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the slow path and the search for the holder share
 */
#ifndef PVX_GUEST_LOCK_H
#define PVX_GUEST_LOCK_H

#include <linux/percpu.h>
#include <linux/spinlock.h>

/* The lock word without its queue, as stock's slow path sees it. */
#define PVX_LOCKED_PENDING_MASK	(_Q_LOCKED_MASK | _Q_PENDING_MASK)

/* Task, softirq, hardirq, NMI: a CPU waits in each for one lock at most. */
#define PVX_CONTEXTS	4

/**
 * enum pvx_wait_state - how far a waiter has come
 * @PVX_WAITING: takes the lock when it finds it free
 * @PVX_STARVING: has lost often; claims the pending bit when it can
 * @PVX_PENDING: owns the pending bit, is next
 */
enum pvx_wait_state {
	PVX_WAITING,
	PVX_STARVING,
	PVX_PENDING,
};

/**
 * struct pvx_waiter - one context's wait
 * @word: address of the lock, and enum pvx_wait_state in the two low bits; 0
 *	when the wait is over. In one word, so that the holder of the lock can
 *	make a waiter pending only as long as it waits for that very lock.
 * @preempt_count: preempt_count() while it waits
 * @losses: how often it saw the lock go to others
 * @skips: how often it was passed over because its vCPU did not run
 * @turns: how often the lock had been taken when it last looked
 * @starved: counted among those that starve
 * @suspect: CPU found at the last search for the holder, -1: none
 * @since: TSC when it was found first, if again and again
 */
struct pvx_waiter {
	unsigned long	word;
	int		preempt_count;
	u32		losses;
	u32		skips;
	u32		turns;
	bool		starved;
	int		suspect;
	u64		since;
};

#define PVX_STATE_MASK	3UL

static __always_inline unsigned long pvx_word(struct qspinlock *lock,
					      enum pvx_wait_state state)
{
	return (unsigned long)lock | state;
}

/**
 * struct pvx_lock_cpu - one CPU's waits, innermost last
 * @depth: how many there are
 * @cursor: where the next search for a holder begins
 * @spin_ns: how long it spins now before it asks who holds the lock
 * @asked: TSC when somebody last asked the host to run this CPU
 * @far: CPUs that were on other host CPUs when this one asked the host to run them, a
 *	bit for each number modulo 64
 * @waiter: the waits
 */
struct pvx_lock_cpu {
	u32			depth;
	u32			cursor;
	u32			spin_ns;
	u64			asked;
	u64			far;
	struct pvx_waiter	waiter[PVX_CONTEXTS];
};

DECLARE_PER_CPU_ALIGNED(struct pvx_lock_cpu, pvx_lock_cpu);

void pvx_holder_record(struct qspinlock *lock, int cpu);
u32 pvx_holder_turns(struct qspinlock *lock);
int pvx_holder_find(struct qspinlock *lock);
unsigned long pvx_is_waiting(int cpu);

#endif /* PVX_GUEST_LOCK_H */
