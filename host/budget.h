/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Budgets: how much of something a VM may have per second
 *
 * The generic cell rate algorithm in its virtual scheduling form (ITU-T
 * I.371, annex A): one number per budget, the time at which all that was
 * taken will have been earned. It needs no lock, no timer and no kernel
 * service, so it also compiles in user space, where it is tested.
 */
#ifndef PVX_HOST_BUDGET_H
#define PVX_HOST_BUDGET_H

#ifdef __KERNEL__
#include <linux/atomic.h>
#include <linux/math64.h>
#include <linux/time64.h>
#endif

/**
 * struct pvx_budget - what one VM has taken of one budget
 * @earned_at: time in ns at which all that was taken is earned; all bits 0
 *	is a full budget
 */
struct pvx_budget {
	atomic64_t earned_at;
};

/* The longest that a debt lasts, in ns. */
#define PVX_BUDGET_DEBT_MAX	NSEC_PER_SEC

/* How long it takes to earn @amount, in ns, rounded up. */
static inline u64 pvx_budget_cost(u32 amount, u32 per_second)
{
	return div_u64((u64)amount * NSEC_PER_SEC + per_second - 1, per_second);
}

/**
 * pvx_budget_take() - take from a budget if it has enough
 * @budget: the budget
 * @now: a clock in ns that never goes back, the same one for each call
 * @amount: how much to take, at most 2^30
 * @per_second: how much is earned in a second; 0 refuses everything
 * @burst_ns: how many ns' worth may be taken at once after a pause; one @amount
 *	may be in any case
 *
 * Context: any, NMI included. Any number of callers at once.
 * Return: true if it was taken, false if the budget is used up.
 */
static inline bool pvx_budget_take(struct pvx_budget *budget, u64 now,
				   u32 amount, u32 per_second, u64 burst_ns)
{
	s64 old = atomic64_read(&budget->earned_at);
	u64 from, to, cost;

	if (!per_second)
		return false;
	cost = pvx_budget_cost(amount, per_second);
	do {
		from = (u64)old > now ? (u64)old : now;
		to = from + cost;
		if (to - now > (burst_ns > cost ? burst_ns : cost))
			return false;
	} while (!atomic64_try_cmpxchg(&budget->earned_at, &old, to));
	return true;
}

/**
 * pvx_budget_charge() - take from a budget what was used already
 * @budget: the budget
 * @now: as for pvx_budget_take()
 * @amount: how much was used, at most 2^30
 * @per_second: how much is earned in a second, not 0
 *
 * Never refuses; the debt is paid by later calls of pvx_budget_take(), and grows to
 * PVX_BUDGET_DEBT_MAX at most, so that a rate that was raised is soon felt. What was taken
 * stays taken.
 *
 * Context: any, NMI included. Any number of callers at once.
 */
static inline void pvx_budget_charge(struct pvx_budget *budget, u64 now,
				     u32 amount, u32 per_second)
{
	s64 old = atomic64_read(&budget->earned_at);
	u64 from, to;

	do {
		from = (u64)old > now ? (u64)old : now;
		to = from + pvx_budget_cost(amount, per_second);
		if (to > now + PVX_BUDGET_DEBT_MAX)
			to = from > now + PVX_BUDGET_DEBT_MAX ? from : now + PVX_BUDGET_DEBT_MAX;
	} while (!atomic64_try_cmpxchg(&budget->earned_at, &old, to));
}

#endif /* PVX_HOST_BUDGET_H */
