/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of pvx_host_numa
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pvx_host_numa

#if !defined(PVX_HOST_NUMA_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define PVX_HOST_NUMA_TRACE_H

#include <linux/tracepoint.h>

/*
 * A vCPU, a thread of the VMM @vmm, is better on node @to than on @from, of whose memory
 * it uses so much; @applied: so it was moved.
 */
TRACE_EVENT(numa_decided,
	TP_PROTO(int vmm, u32 vcpu, u32 from, u32 to, u64 use_from, u64 use_to, bool applied),
	TP_ARGS(vmm, vcpu, from, to, use_from, use_to, applied),
	TP_STRUCT__entry(
		__field(int, vmm)
		__field(u32, vcpu)
		__field(u32, from)
		__field(u32, to)
		__field(u64, use_from)
		__field(u64, use_to)
		__field(bool, applied)
	),
	TP_fast_assign(
		__entry->vmm = vmm;
		__entry->vcpu = vcpu;
		__entry->from = from;
		__entry->to = to;
		__entry->use_from = use_from;
		__entry->use_to = use_to;
		__entry->applied = applied;
	),
	TP_printk("vmm=%d vcpu=%u from=%u to=%u use_from=%llu use_to=%llu applied=%d",
		  __entry->vmm, __entry->vcpu, __entry->from, __entry->to,
		  __entry->use_from, __entry->use_to, __entry->applied)
);

DECLARE_EVENT_CLASS(numa_vcpu,
	TP_PROTO(int vmm, u32 vcpu),
	TP_ARGS(vmm, vcpu),
	TP_STRUCT__entry(
		__field(int, vmm)
		__field(u32, vcpu)
	),
	TP_fast_assign(
		__entry->vmm = vmm;
		__entry->vcpu = vcpu;
	),
	TP_printk("vmm=%d vcpu=%u", __entry->vmm, __entry->vcpu)
);

/* Somebody else has changed the affinity of a vCPU's thread, so it is theirs again. */
DEFINE_EVENT(numa_vcpu, numa_overruled,
	TP_PROTO(int vmm, u32 vcpu),
	TP_ARGS(vmm, vcpu)
);

/*
 * The thread of a vCPU gets back what it was allowed, since so it was decided, or nothing is
 * decided of it any more. Not told where its node's CPUs are no longer among those.
 */
DEFINE_EVENT(numa_vcpu, numa_released,
	TP_PROTO(int vmm, u32 vcpu),
	TP_ARGS(vmm, vcpu)
);

/* A block at @hva would be better on @node, by @ppm of all that the VM uses. */
TRACE_EVENT(numa_advised,
	TP_PROTO(int vmm, unsigned long hva, u32 node, u32 ppm),
	TP_ARGS(vmm, hva, node, ppm),
	TP_STRUCT__entry(
		__field(int, vmm)
		__field(unsigned long, hva)
		__field(u32, node)
		__field(u32, ppm)
	),
	TP_fast_assign(
		__entry->vmm = vmm;
		__entry->hva = hva;
		__entry->node = node;
		__entry->ppm = ppm;
	),
	TP_printk("vmm=%d hva=0x%lx node=%u ppm=%u", __entry->vmm, __entry->hva,
		  __entry->node, __entry->ppm)
);

#endif /* PVX_HOST_NUMA_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE numa_trace
#include <trace/define_trace.h>
