/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Effective time: what CPUs had of the time that passed
 *
 * Documentation/timer.rst has the definitions.
 */
#ifndef PVX_CLOCK_H
#define PVX_CLOCK_H

#include <linux/kvm_para.h>
#include <linux/kvm_pvx.h>
#include <linux/spinlock.h>
#include <linux/types.h>

/**
 * struct pvx_steal - how much time the host took from a CPU
 * @record: what the host writes to; NULL where only the kernel's own
 *	statistics tell
 * @raw: the host's figure as last read, ns
 * @since: no later than when @raw became what it is, ns of CLOCK_MONOTONIC
 * @seen: when it was last read, ns of CLOCK_MONOTONIC
 * @stolen: time taken since the module was loaded, ns
 * @odd: how often the figure went back, or ahead faster than time itself
 */
struct pvx_steal {
	const struct kvm_steal_time	*record;
	u64				raw;
	u64				since;
	u64				seen;
	u64				stolen;
	u64				odd;
};

bool pvx_steal_offered(void);
void pvx_steal_setup(struct pvx_steal *steal, int cpu, u64 now);
void pvx_steal_begin(struct pvx_steal *steal, u64 now);
void pvx_steal_update(struct pvx_steal *steal, int cpu, u64 now);
u64 pvx_steal_peek(const struct pvx_steal *steal, int cpu);

u64 pvx_clock_read(int cpu);
u64 pvx_clock_stolen(int cpu);
u64 pvx_clock_odd(void);
u64 pvx_clock_stolen_since(int cpu, u64 since);
u64 pvx_clock_most_stolen_since(u64 since);
bool pvx_clock_losing(int cpu);
bool pvx_clock_any_losing(void);
bool pvx_clock_valid(int cpu);

int pvx_clock_init(void);
void pvx_clock_exit(void);

#endif /* PVX_CLOCK_H */
