/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of the guest's modules; fields are only ever appended
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pvx_guest

#if !defined(PVX_GUEST_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define PVX_GUEST_TRACE_H

#include <linux/tracepoint.h>

TRACE_EVENT(features_changed,
	TP_PROTO(u64 features),
	TP_ARGS(features),
	TP_STRUCT__entry(
		__field(u64, features)
	),
	TP_fast_assign(
		__entry->features = features;
	),
	TP_printk("features=0x%llx", __entry->features)
);

TRACE_EVENT(hypercall_done,
	TP_PROTO(u32 nr, u64 a0, s64 ret),
	TP_ARGS(nr, a0, ret),
	TP_STRUCT__entry(
		__field(u32, nr)
		__field(u64, a0)
		__field(s64, ret)
	),
	TP_fast_assign(
		__entry->nr = nr;
		__entry->a0 = a0;
		__entry->ret = ret;
	),
	TP_printk("nr=0x%x a0=0x%llx ret=%lld", __entry->nr, __entry->a0,
		  __entry->ret)
);

/* A waiter asked the host to run @target, the CPU in its way. */
TRACE_EVENT(lock_yield,
	TP_PROTO(void *lock, int target, s64 status),
	TP_ARGS(lock, target, status),
	TP_STRUCT__entry(
		__field(void *, lock)
		__field(int, target)
		__field(s64, status)
	),
	TP_fast_assign(
		__entry->lock = lock;
		__entry->target = target;
		__entry->status = status;
	),
	TP_printk("lock=%p target=%d status=%lld", __entry->lock,
		  __entry->target, __entry->status)
);

/* A waiter came to starve, having lost the lock @losses times. */
TRACE_EVENT(lock_starved,
	TP_PROTO(void *lock, u32 losses),
	TP_ARGS(lock, losses),
	TP_STRUCT__entry(
		__field(void *, lock)
		__field(u32, losses)
	),
	TP_fast_assign(
		__entry->lock = lock;
		__entry->losses = losses;
	),
	TP_printk("lock=%p losses=%u", __entry->lock, __entry->losses)
);

#endif /* PVX_GUEST_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
