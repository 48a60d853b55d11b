/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of pvx_host_ksm
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pvx_host_ksm

#if !defined(PVX_HOST_KSM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define PVX_HOST_KSM_TRACE_H

#include <linux/tracepoint.h>

/* A range of a VM's memory became mergeable, or no longer is, unless there is an error. */
TRACE_EVENT(ksm_range,
	TP_PROTO(const void *mm, u64 gfn, unsigned long pages, bool mergeable, int err),
	TP_ARGS(mm, gfn, pages, mergeable, err),
	TP_STRUCT__entry(
		__field(const void *, mm)
		__field(u64, gfn)
		__field(unsigned long, pages)
		__field(bool, mergeable)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->mm = mm;
		__entry->gfn = gfn;
		__entry->pages = pages;
		__entry->mergeable = mergeable;
		__entry->err = err;
	),
	TP_printk("mm=%p gfn=0x%llx pages=%lu mergeable=%d err=%d", __entry->mm,
		  __entry->gfn, __entry->pages, __entry->mergeable, __entry->err)
);

#endif /* PVX_HOST_KSM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE ksm_trace
#include <trace/define_trace.h>
