/* SPDX-License-Identifier: GPL-2.0 */
/*
 * TCP's retransmission timer on effective time
 */
#ifndef PVX_TCP_H
#define PVX_TCP_H

#include "part.h"

/**
 * struct pvx_tcp_stats - what happened to timers that expired
 * @deferred: timers that were put off, once or more often
 * @fired: of these, those that expired all the same when they came back
 * @limited: times that tcp_max_defer_ms was less than what was stolen
 * @crowded: times that one was not put off for want of a place to note it
 */
struct pvx_tcp_stats {
	u64	deferred;
	u64	fired;
	u64	limited;
	u64	crowded;
};

extern struct pvx_part pvx_tcp;

void pvx_tcp_sum(struct pvx_tcp_stats *sum);

#endif /* PVX_TCP_H */
