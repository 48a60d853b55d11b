// SPDX-License-Identifier: GPL-2.0
/*
 * Timers on effective time
 *
 * Effective time passes no faster than time itself. So a timer is an hrtimer
 * that is set as if nothing were stolen; when it expires, and something was,
 * it is set again by what is missing, until nothing is or its bound is reached.
 */
#include <linux/module.h>
#include <linux/timekeeping.h>

#include "compat.h"
#include "timer.h"
#include "trace.h"

static bool timers_corrected = true;
module_param_named(timers, timers_corrected, bool, 0644);
MODULE_PARM_DESC(timers,
	"Set timers again by what was stolen when they expire; else they fire (default Y)");

/*
 * How long to wait at least for what is missing. A clock that stands does so
 * until the host runs its CPU again, and to ask it more often is of no use; the
 * less, the longer it has stood.
 */
#define STEP_MIN_NS	(NSEC_PER_MSEC / 4)
#define STEPS_BACK	8

/* Times from user space may be any; sums stay below what an hrtimer takes. */
static u64 add_times(u64 a, u64 b)
{
	return a > KTIME_MAX - min_t(u64, b, KTIME_MAX) ? KTIME_MAX : a + b;
}

/* When to look again, if it is too early at @now; else 0. */
static u64 look_again_at(struct pvx_timer *timer, u64 now)
{
	u64 effective = pvx_clock_read(timer->cpu), step, at;

	if (effective >= timer->expires || now >= timer->bound ||
	    !READ_ONCE(timers_corrected))
		return 0;
	if (effective != timer->seen)
		timer->moved = now;
	timer->seen = effective;
	step = max3(timer->expires - effective, (u64)STEP_MIN_NS,
		    (now - timer->moved) / STEPS_BACK);
	at = min(now + step, timer->bound);
	trace_timer_deferred(timer->cpu, at - now);
	return at;
}

static enum hrtimer_restart on_expiry(struct hrtimer *hrtimer)
{
	struct pvx_timer *timer = container_of(hrtimer, struct pvx_timer, hrtimer);
	bool fires = false;
	unsigned long flags;
	u64 at;

	raw_spin_lock_irqsave(&timer->lock, flags);
	/* Somebody may have set it anew, or taken it back, since it expired. */
	if (timer->armed && !hrtimer_is_queued(hrtimer)) {
		at = look_again_at(timer, ktime_get_ns());
		if (at)
			hrtimer_start(hrtimer, ns_to_ktime(at), HRTIMER_MODE_ABS);
		else
			fires = true;
		timer->armed = at != 0;
	}
	raw_spin_unlock_irqrestore(&timer->lock, flags);
	if (fires)
		timer->function(timer);
	return HRTIMER_NORESTART;
}

/**
 * pvx_timer_setup() - make a timer fit for use
 * @timer: the timer
 * @cpu: whose clock it goes by, a CPU that is possible or PVX_CLOCK_SYSTEM
 * @function: called in hardirq context when it fires
 *
 * Context: any.
 */
void pvx_timer_setup(struct pvx_timer *timer, int cpu,
		     void (*function)(struct pvx_timer *timer))
{
	raw_spin_lock_init(&timer->lock);
	timer->function = function;
	timer->cpu = cpu;
	timer->armed = false;
	timer->expires = 0;
	timer->seen = 0;
	timer->moved = 0;
	timer->bound = 0;
	pvx_hrtimer_setup(&timer->hrtimer, on_expiry);
}
EXPORT_SYMBOL_GPL(pvx_timer_setup);

/**
 * pvx_timer_mod() - set a timer, anew if it is set
 * @timer: the timer
 * @expires: when it fires, ns on its clock; at once if that has passed
 * @defer_max: for how many ns at most it may be late on CLOCK_MONOTONIC, because
 *	of what is stolen from now on
 *
 * Context: any but NMI; also from the timer's function.
 */
void pvx_timer_mod(struct pvx_timer *timer, u64 expires, u64 defer_max)
{
	unsigned long flags;
	u64 now, effective, at;

	raw_spin_lock_irqsave(&timer->lock, flags);
	now = ktime_get_ns();
	effective = pvx_clock_read(timer->cpu);
	at = expires > effective ? add_times(now, expires - effective) : now;
	timer->expires = expires;
	timer->seen = effective;
	timer->moved = now;
	timer->bound = add_times(at, defer_max);
	timer->armed = true;
	hrtimer_start(&timer->hrtimer, ns_to_ktime(at), HRTIMER_MODE_ABS);
	raw_spin_unlock_irqrestore(&timer->lock, flags);
}
EXPORT_SYMBOL_GPL(pvx_timer_mod);

/**
 * pvx_timer_del() - take a timer back
 * @timer: the timer
 *
 * Its function may still be running on another CPU, or about to.
 *
 * Context: any but NMI.
 * Return: whether it was set.
 */
bool pvx_timer_del(struct pvx_timer *timer)
{
	unsigned long flags;
	bool armed;

	raw_spin_lock_irqsave(&timer->lock, flags);
	armed = timer->armed;
	timer->armed = false;
	hrtimer_try_to_cancel(&timer->hrtimer);
	raw_spin_unlock_irqrestore(&timer->lock, flags);
	return armed;
}
EXPORT_SYMBOL_GPL(pvx_timer_del);

/**
 * pvx_timer_del_sync() - take a timer back and wait for its function
 * @timer: the timer; nobody, its function included, sets it meanwhile
 *
 * Context: process or softirq; without any lock that its function takes.
 * Return: whether it was set.
 */
bool pvx_timer_del_sync(struct pvx_timer *timer)
{
	bool armed = pvx_timer_del(timer);

	hrtimer_cancel(&timer->hrtimer);
	return armed;
}
EXPORT_SYMBOL_GPL(pvx_timer_del_sync);

/**
 * pvx_timer_remaining() - how much effective time is left
 * @timer: the timer
 *
 * Context: any but NMI.
 * Return: ns; 0 if it is not set.
 */
u64 pvx_timer_remaining(struct pvx_timer *timer)
{
	unsigned long flags;
	u64 effective, left = 0;

	raw_spin_lock_irqsave(&timer->lock, flags);
	if (timer->armed) {
		effective = pvx_clock_read(timer->cpu);
		left = timer->expires > effective ? timer->expires - effective : 1;
	}
	raw_spin_unlock_irqrestore(&timer->lock, flags);
	return left;
}
EXPORT_SYMBOL_GPL(pvx_timer_remaining);
