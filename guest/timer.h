/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Timers on effective time, for kernel modules
 */
#ifndef PVX_TIMER_H
#define PVX_TIMER_H

#include <linux/hrtimer.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "clock.h"

/**
 * struct pvx_timer - a timer on effective time
 * @function: called when it fires, in hardirq context; may set it anew
 * @cpu: whose clock; a CPU or PVX_CLOCK_SYSTEM
 *
 * The rest is private.
 */
struct pvx_timer {
	void		(*function)(struct pvx_timer *timer);
	int		cpu;
	/* private: */
	raw_spinlock_t	lock;
	bool		armed;
	struct hrtimer	hrtimer;
	u64		expires;
	u64		seen;
	u64		moved;
	u64		bound;
};

void pvx_timer_setup(struct pvx_timer *timer, int cpu,
		     void (*function)(struct pvx_timer *timer));
void pvx_timer_mod(struct pvx_timer *timer, u64 expires, u64 defer_max);
bool pvx_timer_del(struct pvx_timer *timer);
bool pvx_timer_del_sync(struct pvx_timer *timer);
u64 pvx_timer_remaining(struct pvx_timer *timer);

#endif /* PVX_TIMER_H */
