/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All that differs between the kernels the guest modules are built for
 *
 * Supported: 6.1 and 6.12. What Module.symvers tells is probed (PVX_HAVE_*, set
 * by the Makefile).
 */
#ifndef PVX_GUEST_COMPAT_H
#define PVX_GUEST_COMPAT_H

#include <linux/device/class.h>
#include <linux/ftrace.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/page_idle.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/swap.h>
#include <linux/version.h>
#include <asm/current.h>

/* The arguments of a traced function, and where its caller goes on. */
#ifdef arch_ftrace_regs	/* opaque from 6.13 on */
#define pvx_fregs(fregs)	(&arch_ftrace_regs(fregs)->regs)
#else
#define pvx_fregs(fregs)	(&(fregs)->regs)
#endif
#define pvx_set_ip(fregs, to)	(pvx_fregs(fregs)->ip = (to))

/* Another CPU's preempt_count() and current, as of some moment ago. */
#ifdef PVX_HAVE_pcpu_hot
#define pvx_raw_preempt_count(cpu)	READ_ONCE(per_cpu(pcpu_hot.preempt_count, cpu))
#define pvx_current_of(cpu)	READ_ONCE(per_cpu(pcpu_hot.current_task, cpu))
#else
#define pvx_raw_preempt_count(cpu)	READ_ONCE(per_cpu(__preempt_count, cpu))
#define pvx_current_of(cpu)	READ_ONCE(per_cpu(current_task, cpu))
#endif

static inline int pvx_preempt_count_of(int cpu)
{
	return pvx_raw_preempt_count(cpu) & ~PREEMPT_NEED_RESCHED;
}

/* From 6.13 on an hrtimer and its function are set up in one call. */
static inline void pvx_hrtimer_setup(struct hrtimer *timer,
				     enum hrtimer_restart (*function)(struct hrtimer *timer))
{
#ifdef PVX_HAVE_hrtimer_setup
	hrtimer_setup(timer, function, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
#else
	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
	timer->function = function;
#endif
}

/* Of RCU: exported, but in no public header. */
extern int rcu_cpu_stall_suppress;
int rcu_jiffies_till_stall_check(void);
unsigned long rcu_get_gp_seq(void);

/* How a class names its devices; what it takes is const from 6.2 on. */
#define pvx_devnode(function)	\
	((typeof(((struct class *)NULL)->devnode))(function))

/* Since 6.5 a table may go at any time, and a function that is not exported looks for it. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#define PVX_TABLES_MAY_GO
#endif

/*
 * Reverse mappings: of pages up to 6.1, of folios in 6.12. mm_call() is fork_mm.c's way
 * of calling what is not exported.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#define PVX_RMAP_OF_FOLIOS
#define PVX_ORDER_MAX				MAX_PAGE_ORDER
#define pvx_page_mapcount(page)			folio_mapcount(page_folio(page))
#define pvx_pte_mkwrite(entry)			pte_clear_saveddirty(pte_mkwrite_novma(entry))
#define pvx_add_new_anon_rmap(page, vma, addr)	\
	mm_call(folio_add_new_anon_rmap)(page_folio(page), vma, addr, RMAP_EXCLUSIVE)
#define pvx_lru_cache_add(page, vma)		mm_call(folio_add_lru_vma)(page_folio(page), vma)
#define pvx_remove_rmap(page, vma)		\
	mm_call(folio_remove_rmap_ptes)(page_folio(page), page, 1, vma)
#define pvx_move_anon_rmap(page, vma)		mm_call(folio_move_anon_rmap)(page_folio(page), vma)
#else
#define PVX_ORDER_MAX				(MAX_ORDER - 1)
#define pvx_page_mapcount(page)			page_mapcount(page)
#define pvx_pte_mkwrite(entry)			pte_mkwrite(entry)
#define pvx_add_new_anon_rmap(page, vma, addr)	mm_call(page_add_new_anon_rmap)(page, vma, addr)
#define pvx_lru_cache_add(page, vma)		\
	mm_call(lru_cache_add_inactive_or_unevictable)(page, vma)
#define pvx_remove_rmap(page, vma)		mm_call(page_remove_rmap)(page, vma, false)
#define pvx_move_anon_rmap(page, vma)		mm_call(page_move_anon_rmap)(page, vma)
#endif

/* Shadow stacks for user space came with 6.6. */
#ifndef VM_SHADOW_STACK
#define VM_SHADOW_STACK	VM_NONE
#endif

/* In no header, or there for what is no module only. */
int __isolate_free_page(struct page *page, unsigned int order);
void flush_tlb_mm_range(struct mm_struct *mm, unsigned long start, unsigned long end,
			unsigned int stride_shift, bool freed_tables);

/*
 * The tracepoints that perf lock listens to are exported from 6.2 on. Before that they are
 * found by their names, and called as the kernel does it for those with several listeners.
 */
#ifdef PVX_HAVE___tracepoint_contention_begin
#include <trace/events/lock.h>

struct pvx_contention {
};

static inline void pvx_contention_find(struct pvx_contention *c)
{
}

static __always_inline void pvx_contention_begin(struct pvx_contention *c, void *lock)
{
	trace_contention_begin(lock, LCB_F_SPIN);
}

static __always_inline void pvx_contention_end(struct pvx_contention *c, void *lock)
{
	trace_contention_end(lock, 0);
}
#else
#include <linux/tracepoint.h>

/* LCB_F_SPIN, of a header that refers to what is not exported. */
#define PVX_LCB_F_SPIN	1U

struct pvx_contention {
	struct tracepoint *begin;
	struct tracepoint *end;
};

static inline void pvx_contention_note(struct tracepoint *tp, void *data)
{
	struct pvx_contention *c = data;

	if (!strcmp(tp->name, "contention_begin"))
		c->begin = tp;
	else if (!strcmp(tp->name, "contention_end"))
		c->end = tp;
}

static inline void pvx_contention_find(struct pvx_contention *c)
{
	for_each_kernel_tracepoint(pvx_contention_note, c);
}

/* Preemption is off. */
static __always_inline bool pvx_has_listeners(const struct tracepoint *tp)
{
	return tp && unlikely(rcu_access_pointer(tp->funcs)) && cpu_online(raw_smp_processor_id());
}

static __always_inline void pvx_contention_begin(struct pvx_contention *c, void *lock)
{
	int (*report)(void *data, void *lock, unsigned int flags);

	if (!pvx_has_listeners(c->begin))
		return;
	report = c->begin->iterator;
	report(NULL, lock, PVX_LCB_F_SPIN);
}

static __always_inline void pvx_contention_end(struct pvx_contention *c, void *lock)
{
	int (*report)(void *data, void *lock, int ret);

	if (!pvx_has_listeners(c->end))
		return;
	report = c->end->iterator;
	report(NULL, lock, 0);
}
#endif

/*
 * Whose accessed mark was taken is not to pass for idle: not to reclaim, nor to others that look
 * for idle memory. Kernels without a mark for that have it as used as those do that drop an entry.
 */
static inline void pvx_keep_young(struct page *page)
{
#ifdef CONFIG_PAGE_IDLE_FLAG
	folio_set_young(page_folio(page));
#else
	mark_page_accessed(page);
#endif
}

#endif /* PVX_GUEST_COMPAT_H */
