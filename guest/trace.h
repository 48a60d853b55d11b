/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of the guest's modules; fields are only ever appended
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pvx_guest

#if !defined(PVX_GUEST_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define PVX_GUEST_TRACE_H

#include <linux/tracepoint.h>
#include <net/inet_connection_sock.h>

#include <linux/kvm_pvx_tune.h>

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

/* Waiters are ours from now on, or stock's, since @steal_permille of a vCPU's time is stolen. */
TRACE_EVENT(lock_engaged,
	TP_PROTO(bool engaged, u32 steal_permille),
	TP_ARGS(engaged, steal_permille),
	TP_STRUCT__entry(
		__field(bool, engaged)
		__field(u32, steal_permille)
	),
	TP_fast_assign(
		__entry->engaged = engaged;
		__entry->steal_permille = steal_permille;
	),
	TP_printk("engaged=%d steal_permille=%u", __entry->engaged, __entry->steal_permille)
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

/* No event: BPF programs choose here, see policy.c. */
#ifdef DECLARE_TRACE_WRITABLE
DECLARE_TRACE_WRITABLE(pvx_choose_spin,
	TP_PROTO(struct pvx_choose_spin *choice),
	TP_ARGS(choice),
	sizeof(struct pvx_choose_spin)
);
#else
DECLARE_TRACE(pvx_choose_spin,
	TP_PROTO(struct pvx_choose_spin *choice),
	TP_ARGS(choice)
);
#endif

/* A BPF program has a waiter spin for @ns where by default it would for @default_ns. */
TRACE_EVENT(spin_chosen,
	TP_PROTO(void *lock, u32 default_ns, u32 ns),
	TP_ARGS(lock, default_ns, ns),
	TP_STRUCT__entry(
		__field(void *, lock)
		__field(u32, default_ns)
		__field(u32, ns)
	),
	TP_fast_assign(
		__entry->lock = lock;
		__entry->default_ns = default_ns;
		__entry->ns = ns;
	),
	TP_printk("lock=%p default_ns=%u ns=%u", __entry->lock,
		  __entry->default_ns, __entry->ns)
);

/*
 * A timer of TCP's has expired @age_ms after it was set, @stolen_ms of which were
 * stolen; so it is put off for @defer_ms, or does its work (0).
 */
TRACE_EVENT(tcp_expired,
	TP_PROTO(const struct sock *sk, u32 age_ms, u32 stolen_ms, u32 defer_ms),
	TP_ARGS(sk, age_ms, stolen_ms, defer_ms),
	TP_STRUCT__entry(
		__field(const void *, sk)
		__field(u16, family)
		__field(u16, sport)
		__field(u16, dport)
		__field(u8, pending)
		__field(u32, age_ms)
		__field(u32, stolen_ms)
		__field(u32, defer_ms)
	),
	TP_fast_assign(
		__entry->sk = sk;
		__entry->family = sk->sk_family;
		__entry->sport = ntohs(inet_sk(sk)->inet_sport);
		__entry->dport = ntohs(inet_sk(sk)->inet_dport);
		__entry->pending = inet_csk(sk)->icsk_pending;
		__entry->age_ms = age_ms;
		__entry->stolen_ms = stolen_ms;
		__entry->defer_ms = defer_ms;
	),
	TP_printk("sk=%p family=%u sport=%u dport=%u pending=%u age_ms=%u stolen_ms=%u defer_ms=%u",
		  __entry->sk, __entry->family, __entry->sport, __entry->dport,
		  __entry->pending, __entry->age_ms, __entry->stolen_ms,
		  __entry->defer_ms)
);

/* A timer of TCP's does what stock's does, for want of a place to note it. */
TRACE_EVENT(tcp_crowded,
	TP_PROTO(const struct sock *sk),
	TP_ARGS(sk),
	TP_STRUCT__entry(
		__field(const void *, sk)
	),
	TP_fast_assign(
		__entry->sk = sk;
	),
	TP_printk("sk=%p", __entry->sk)
);

/* The running CPU's silence is shorter by @stolen_s than it looks. */
TRACE_EVENT(softlockup_corrected,
	TP_PROTO(u32 stolen_s),
	TP_ARGS(stolen_s),
	TP_STRUCT__entry(
		__field(u32, stolen_s)
	),
	TP_fast_assign(
		__entry->stolen_s = stolen_s;
	),
	TP_printk("stolen_s=%u", __entry->stolen_s)
);

/* A grace period is @age_ms old, but from some CPU @stolen_ms were stolen. */
TRACE_EVENT(rcu_stall_held,
	TP_PROTO(u32 age_ms, u32 stolen_ms),
	TP_ARGS(age_ms, stolen_ms),
	TP_STRUCT__entry(
		__field(u32, age_ms)
		__field(u32, stolen_ms)
	),
	TP_fast_assign(
		__entry->age_ms = age_ms;
		__entry->stolen_ms = stolen_ms;
	),
	TP_printk("age_ms=%u stolen_ms=%u", __entry->age_ms, __entry->stolen_ms)
);

/* A timer on @cpu's clock, or all's, is not due: it is looked at again in @ns. */
TRACE_EVENT(timer_deferred,
	TP_PROTO(int cpu, u64 ns),
	TP_ARGS(cpu, ns),
	TP_STRUCT__entry(
		__field(int, cpu)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->cpu = cpu;
		__entry->ns = ns;
	),
	TP_printk("cpu=%d ns=%llu", __entry->cpu, __entry->ns)
);

/* A batch of candidates for KSM went to the host, or did not. */
TRACE_EVENT(ksm_sent,
	TP_PROTO(u32 pages, s64 ret),
	TP_ARGS(pages, ret),
	TP_STRUCT__entry(
		__field(u32, pages)
		__field(s64, ret)
	),
	TP_fast_assign(
		__entry->pages = pages;
		__entry->ret = ret;
	),
	TP_printk("pages=%u ret=%lld", __entry->pages, __entry->ret)
);

/*
 * @pid has forked, which shares about @pages; @threads copy, 0: none, since, @err, it has fewer
 * pages than that pays for, too many of its forks are worked on, or there is no memory for that.
 */
TRACE_EVENT(fork_begun,
	TP_PROTO(int pid, u32 mode, u32 side, u64 pages, u32 threads, int err),
	TP_ARGS(pid, mode, side, pages, threads, err),
	TP_STRUCT__entry(
		__field(int, pid)
		__field(u32, mode)
		__field(u32, side)
		__field(u64, pages)
		__field(u32, threads)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->pid = pid;
		__entry->mode = mode;
		__entry->side = side;
		__entry->pages = pages;
		__entry->threads = threads;
		__entry->err = err;
	),
	TP_printk("pid=%d mode=%u side=%u pages=%llu threads=%u err=%d", __entry->pid,
		  __entry->mode, __entry->side, __entry->pages, __entry->threads, __entry->err)
);

/* After a fork of @pid a job has ended, or its share; @privatised: pages of all its forks. */
TRACE_EVENT(fork_done,
	TP_PROTO(int pid, u64 privatised),
	TP_ARGS(pid, privatised),
	TP_STRUCT__entry(
		__field(int, pid)
		__field(u64, privatised)
	),
	TP_fast_assign(
		__entry->pid = pid;
		__entry->privatised = privatised;
	),
	TP_printk("pid=%d privatised=%llu", __entry->pid, __entry->privatised)
);

/* The host was told of @entries shares of memory, or was not. */
TRACE_EVENT(numa_sent,
	TP_PROTO(u32 entries, s64 ret),
	TP_ARGS(entries, ret),
	TP_STRUCT__entry(
		__field(u32, entries)
		__field(s64, ret)
	),
	TP_fast_assign(
		__entry->entries = entries;
		__entry->ret = ret;
	),
	TP_printk("entries=%u ret=%lld", __entry->entries, __entry->ret)
);

#endif /* PVX_GUEST_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
