/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of pvx_host_yield
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pvx_host_yield

#if !defined(PVX_HOST_YIELD_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define PVX_HOST_YIELD_TRACE_H

#include <linux/tracepoint.h>

#include <linux/kvm_pvx_tune.h>

/* No event: BPF programs choose here, see policy.c. */
#ifdef DECLARE_TRACE_WRITABLE
DECLARE_TRACE_WRITABLE(pvx_choose_target,
	TP_PROTO(struct pvx_choose_target *choice),
	TP_ARGS(choice),
	sizeof(struct pvx_choose_target)
);
#else
DECLARE_TRACE(pvx_choose_target,
	TP_PROTO(struct pvx_choose_target *choice),
	TP_ARGS(choice)
);
#endif

/*
 * A BPF program chose @target where vCPU @vcpu of the VMM @vmm had asked for @asked; @taken: the
 * VM has such a vCPU.
 */
TRACE_EVENT(target_chosen,
	TP_PROTO(int vmm, u32 vcpu, u32 asked, u32 target, bool taken),
	TP_ARGS(vmm, vcpu, asked, target, taken),
	TP_STRUCT__entry(
		__field(int, vmm)
		__field(u32, vcpu)
		__field(u32, asked)
		__field(u32, target)
		__field(bool, taken)
	),
	TP_fast_assign(
		__entry->vmm = vmm;
		__entry->vcpu = vcpu;
		__entry->asked = asked;
		__entry->target = target;
		__entry->taken = taken;
	),
	TP_printk("vmm=%d vcpu=%u asked=%u target=%u taken=%d", __entry->vmm,
		  __entry->vcpu, __entry->asked, __entry->target, __entry->taken)
);

/* What became of a directed yield that @vcpu asked for; @boost_us: what it is charged. */
TRACE_EVENT(yielded,
	TP_PROTO(int vmm, u32 vcpu, u32 asked, u32 status, u32 boost_us),
	TP_ARGS(vmm, vcpu, asked, status, boost_us),
	TP_STRUCT__entry(
		__field(int, vmm)
		__field(u32, vcpu)
		__field(u32, asked)
		__field(u32, status)
		__field(u32, boost_us)
	),
	TP_fast_assign(
		__entry->vmm = vmm;
		__entry->vcpu = vcpu;
		__entry->asked = asked;
		__entry->status = status;
		__entry->boost_us = boost_us;
	),
	TP_printk("vmm=%d vcpu=%u asked=%u status=%u boost_us=%u", __entry->vmm,
		  __entry->vcpu, __entry->asked, __entry->status, __entry->boost_us)
);

#endif /* PVX_HOST_YIELD_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE yield_trace
#include <trace/define_trace.h>
