/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of pvx_host_fork; fields are only ever appended
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pvx_host_fork

#if !defined(PVX_HOST_FORK_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define PVX_HOST_FORK_TRACE_H

#include <linux/tracepoint.h>

/*
 * Of @asked pairs that vCPU @vcpu of the VMM @vmm has sent, the VM had budget for @paid, and
 * @copied pages were copied; helpers took @helped of the list.
 */
TRACE_EVENT(fork_copied,
	TP_PROTO(int vmm, u32 vcpu, u32 asked, u32 paid, u32 copied, u32 helped),
	TP_ARGS(vmm, vcpu, asked, paid, copied, helped),
	TP_STRUCT__entry(
		__field(int, vmm)
		__field(u32, vcpu)
		__field(u32, asked)
		__field(u32, paid)
		__field(u32, copied)
		__field(u32, helped)
	),
	TP_fast_assign(
		__entry->vmm = vmm;
		__entry->vcpu = vcpu;
		__entry->asked = asked;
		__entry->paid = paid;
		__entry->copied = copied;
		__entry->helped = helped;
	),
	TP_printk("vmm=%d vcpu=%u asked=%u paid=%u copied=%u helped=%u", __entry->vmm,
		  __entry->vcpu, __entry->asked, __entry->paid, __entry->copied, __entry->helped)
);

#endif /* PVX_HOST_FORK_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE fork_trace
#include <trace/define_trace.h>
