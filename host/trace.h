/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of pvx_host.ko; fields are only ever appended
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pvx_host

#if !defined(PVX_HOST_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define PVX_HOST_TRACE_H

#include <linux/kvm_pvx.h>
#include <linux/tracepoint.h>

/* The call has taken the time since @begin, 0 where the event was not on by then. */
TRACE_EVENT(hypercall_done,
	TP_PROTO(u32 vm, int vcpu, u32 nr, u64 a0, s64 ret, u64 begin),
	TP_ARGS(vm, vcpu, nr, a0, ret, begin),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(int, vcpu)
		__field(u32, nr)
		__field(u64, a0)
		__field(s64, ret)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->vm = vm;
		__entry->vcpu = vcpu;
		__entry->nr = nr;
		__entry->a0 = a0;
		__entry->ret = ret;
		__entry->ns = begin ? ktime_get_ns() - begin : 0;
	),
	TP_printk("vm=%u vcpu=%d nr=0x%x a0=0x%llx ret=%lld ns=%llu", __entry->vm,
		  __entry->vcpu, __entry->nr, __entry->a0, __entry->ret, __entry->ns)
);

TRACE_EVENT(vm_created,
	TP_PROTO(u32 vm, int pid, u64 granted),
	TP_ARGS(vm, pid, granted),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(int, pid)
		__field(u64, granted)
	),
	TP_fast_assign(
		__entry->vm = vm;
		__entry->pid = pid;
		__entry->granted = granted;
	),
	TP_printk("vm=%u pid=%d granted=0x%llx", __entry->vm, __entry->pid,
		  __entry->granted)
);

TRACE_EVENT(vm_granted,
	TP_PROTO(u32 vm, u64 granted),
	TP_ARGS(vm, granted),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(u64, granted)
	),
	TP_fast_assign(
		__entry->vm = vm;
		__entry->granted = granted;
	),
	TP_printk("vm=%u granted=0x%llx", __entry->vm, __entry->granted)
);

TRACE_EVENT(vm_grouped,
	TP_PROTO(u32 vm, const char *group),
	TP_ARGS(vm, group),
	TP_STRUCT__entry(
		__field(u32, vm)
		__array(char, group, PVX_GROUP_NAME)
	),
	TP_fast_assign(
		__entry->vm = vm;
		memcpy(__entry->group, group, PVX_GROUP_NAME);
	),
	TP_printk("vm=%u group=%s", __entry->vm, __entry->group)
);

TRACE_EVENT(vm_destroyed,
	TP_PROTO(u32 vm),
	TP_ARGS(vm),
	TP_STRUCT__entry(
		__field(u32, vm)
	),
	TP_fast_assign(
		__entry->vm = vm;
	),
	TP_printk("vm=%u", __entry->vm)
);

#endif /* PVX_HOST_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
