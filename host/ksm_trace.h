/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of pvx_host_ksm
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pvx_host_ksm

#if !defined(PVX_HOST_KSM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define PVX_HOST_KSM_TRACE_H

#include <linux/tracepoint.h>

#ifndef PVX_KSM_VMM
#define PVX_KSM_VMM
/* Whose memory it is: the process, or 0 when it has ended. */
static inline int pvx_ksm_vmm(const struct mm_struct *mm)
{
	const struct task_struct *owner;
	int vmm;

	rcu_read_lock();
	owner = rcu_dereference(mm->owner);
	vmm = owner ? owner->tgid : 0;
	rcu_read_unlock();
	return vmm;
}
#endif

/*
 * A page that was announced is like @peers others of its group, its own VM's included, so that it
 * and they are to be mergeable. Of more than PVX_KSM_KEPT no more are looked for.
 */
TRACE_EVENT(ksm_matched,
	TP_PROTO(const struct mm_struct *mm, u64 gfn, u32 peers),
	TP_ARGS(mm, gfn, peers),
	TP_STRUCT__entry(
		__field(int, vmm)
		__field(u64, gfn)
		__field(u32, peers)
	),
	TP_fast_assign(
		__entry->vmm = pvx_ksm_vmm(mm);
		__entry->gfn = gfn;
		__entry->peers = peers;
	),
	TP_printk("vmm=%d gfn=0x%llx peers=%u", __entry->vmm, __entry->gfn, __entry->peers)
);

/* All that a guest had announced counts no more; @err: what of it is mergeable for a while yet. */
TRACE_EVENT(ksm_forgotten,
	TP_PROTO(const struct mm_struct *mm, int err),
	TP_ARGS(mm, err),
	TP_STRUCT__entry(
		__field(int, vmm)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->vmm = pvx_ksm_vmm(mm);
		__entry->err = err;
	),
	TP_printk("vmm=%d err=%d", __entry->vmm, __entry->err)
);

/* A range of a VM's memory became mergeable, or no longer is, unless there is an error. */
TRACE_EVENT(ksm_range,
	TP_PROTO(const struct mm_struct *mm, u64 gfn, unsigned long pages, bool mergeable, int err),
	TP_ARGS(mm, gfn, pages, mergeable, err),
	TP_STRUCT__entry(
		__field(const void *, mm)
		__field(u64, gfn)
		__field(unsigned long, pages)
		__field(bool, mergeable)
		__field(int, err)
		__field(int, vmm)
	),
	TP_fast_assign(
		__entry->mm = mm;
		__entry->gfn = gfn;
		__entry->pages = pages;
		__entry->mergeable = mergeable;
		__entry->err = err;
		__entry->vmm = pvx_ksm_vmm(mm);
	),
	TP_printk("mm=%p gfn=0x%llx pages=%lu mergeable=%d err=%d vmm=%d", __entry->mm,
		  __entry->gfn, __entry->pages, __entry->mergeable, __entry->err, __entry->vmm)
);

#endif /* PVX_HOST_KSM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE ksm_trace
#include <trace/define_trace.h>
