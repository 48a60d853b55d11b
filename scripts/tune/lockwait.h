/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Waits for spinlocks, as lockwait.bpf.c counts them
 */
#ifndef PVX_TUNE_LOCKWAIT_H
#define PVX_TUNE_LOCKWAIT_H

/*
 * Waits by their length: the first bucket ends at WAIT_FIRST_NS, each other one at twice what
 * the one before does, and the last one never.
 */
#define WAIT_BUCKETS	28
#define WAIT_FIRST_LOG2	8
#define WAIT_FIRST_NS	(1ULL << WAIT_FIRST_LOG2)

/* Pairs of a lock and a caller that are told from each other, and locks whose holder is. */
#define WAIT_PAIRS_MAX	2048
#define WAIT_LOCKS_MAX	2048

/**
 * struct wait_key - what waits are told apart by
 * @lock: address of the lock; 0: all waits for which there was no room
 * @caller: address in the function that asked for it, outside of what locks; 0: not known
 */
struct wait_key {
	unsigned long long	lock;
	unsigned long long	caller;
};

/**
 * struct wait_stats - what waits had in common
 * @count: how many there were
 * @ns: how long they were together
 * @preempted: in how many a vCPU that held the lock waited for a CPU of the host
 * @yielded: in how many the host was asked to run such a vCPU
 * @halted: in how many the waiter halted
 * @buckets: how many by length
 *
 * One that did both is in @halted alone; all others have just spun.
 */
struct wait_stats {
	unsigned long long	count;
	unsigned long long	ns;
	unsigned long long	preempted;
	unsigned long long	yielded;
	unsigned long long	halted;
	unsigned long long	buckets[WAIT_BUCKETS];
};

/**
 * struct text_range - functions that are next to each other
 * @from: address of the first one
 * @size: bytes up to the end of the last one; 0: there is none
 */
struct text_range {
	unsigned long long	from;
	unsigned long long	size;
};

/* So many such ranges may belong to what locks. */
#define WAIT_TEXTS	6

#endif /* PVX_TUNE_LOCKWAIT_H */
