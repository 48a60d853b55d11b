// SPDX-License-Identifier: GPL-2.0
/*
 * Waits for spinlocks: how long, for which lock, on whose behalf, and what came in between
 *
 * A wait lies between two tracepoints of the kernel's, on one CPU. Interrupts may wait above
 * it, so each CPU has a stack of waits.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "lockwait.h"

/* <trace/events/lock.h>; mutexes spin as well, but not for long, and sleep then. */
#define LCB_F_SPIN	(1U << 0)
#define LCB_F_MUTEX	(1U << 5)

/* Four contexts, and in each a rwlock with the spinlock inside it. */
#define NESTED_MAX	8
/* Behind the program, the tracepoint and the slow path there are some left for the caller. */
#define FRAMES		12

enum means {
	WAIT_YIELDED	= 1 << 0,
	WAIT_HALTED	= 1 << 1,
};

/**
 * struct wait - one that goes on
 * @lock: address of the lock
 * @caller: as in struct wait_key
 * @since: when it began
 * @turn: of the lock's struct holder then
 * @preempted: of that, too
 * @steal: of the CPU that this had, then
 * @means: enum means
 */
struct wait {
	__u64	lock;
	__u64	caller;
	__u64	since;
	__u64	turn;
	__u64	preempted;
	__u64	steal;
	__u64	means;
};

struct waits_of_cpu {
	__u64		depth;
	struct wait	waits[NESTED_MAX];
};

/**
 * struct holder - who got a lock last, of those that waited for it
 * @turn: how many did
 * @preempted: how often one of these lost its CPU before the next one got the lock
 * @steal: of @cpu when it got the lock
 * @cpu: the last one; -1: there is none yet
 *
 * Written by whoever has just got the lock.
 */
struct holder {
	__u64	turn;
	__u64	preempted;
	__u64	steal;
	__s64	cpu;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct kvm_steal_time {
	__u64 steal;
	__u32 version;
};
#pragma clang attribute pop

/* For each CPU, the time that its vCPU waited for one of the host's. */
extern const struct kvm_steal_time steal_time __ksym __weak;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, WAIT_PAIRS_MAX);
	__type(key, struct wait_key);
	__type(value, struct wait_stats);
} pairs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WAIT_LOCKS_MAX);
	__type(key, __u64);
	__type(value, struct holder);
} holders SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct waits_of_cpu);
} cpus SEC(".maps");

/* Functions that lock, and are no callers. */
const volatile struct text_range lock_text[WAIT_TEXTS];

/* Waits that were given up here, and waits for locks whose holders have no room. */
__u64 dropped;
__u64 without_holder;
/* Whether the host says what it steals. */
__u32 steal_is_told;

/* Too large for the stack. */
static struct wait_stats no_waits;

static struct waits_of_cpu *this_cpu(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cpus, &zero);
}

static struct wait *wait_at(struct waits_of_cpu *c, __u64 i)
{
	/* The compiler may know that the mask changes nothing, the verifier does not. */
	barrier_var(i);
	return &c->waits[i & (NESTED_MAX - 1)];
}

/* The wait that this CPU is in just now. */
static struct wait *innermost(void)
{
	struct waits_of_cpu *c = this_cpu();

	return c && c->depth ? wait_at(c, c->depth - 1) : NULL;
}

static __u64 steal_of(__u32 cpu)
{
	const struct kvm_steal_time *st;

	if (!&steal_time)
		return 0;
	st = bpf_per_cpu_ptr(&steal_time, cpu);
	if (!st)
		return 0;
	if (!steal_is_told && st->version)
		steal_is_told = 1;
	return st->steal;
}

/* --- the beginning of a wait ----------------------------------------------- */

static _Bool locks(__u64 ip)
{
	int i;

#pragma unroll
	for (i = 0; i < WAIT_TEXTS; i++)
		if (ip - lock_text[i].from < lock_text[i].size)
			return 1;
	return 0;
}

/* What is below the functions that lock; above them are the tracepoint and this program. */
static __u64 find_caller(void *ctx)
{
	__u64 frames[FRAMES];
	_Bool inside = 0;
	int i;

	if (bpf_get_stack(ctx, frames, sizeof(frames), 0) < 0)
		return 0;
#pragma unroll
	for (i = 0; i < FRAMES; i++) {
		if (locks(frames[i]))
			inside = 1;
		else if (inside)
			return frames[i];
	}
	return 0;
}

static void note_holder(struct wait *w)
{
	const struct holder *h = bpf_map_lookup_elem(&holders, &w->lock);

	w->turn = h ? h->turn : 0;
	w->preempted = h ? h->preempted : 0;
	w->steal = h && h->cpu >= 0 ? steal_of(h->cpu) : 0;
}

/* --- meanwhile ------------------------------------------------------------- */

/* Of pvx_guest: a lock, and which CPU is in its way. */
SEC("raw_tp/lock_yield")
int on_yield(__u64 *ctx)
{
	struct wait *w = innermost();

	if (w && w->lock == ctx[0])
		w->means |= WAIT_YIELDED;
	return 0;
}

/* The kernel's own slow path halts nowhere else. */
SEC("fentry/kvm_wait")
int on_halt(void *ctx)
{
	struct wait *w = innermost();

	if (w)
		w->means |= WAIT_HALTED;
	return 0;
}

/* --- its end --------------------------------------------------------------- */

static struct holder *find_holder(__u64 lock)
{
	const struct holder nobody = { .cpu = -1 };
	struct holder *h = bpf_map_lookup_elem(&holders, &lock);

	if (h)
		return h;
	bpf_map_update_elem(&holders, &lock, &nobody, BPF_NOEXIST);
	return bpf_map_lookup_elem(&holders, &lock);
}

/*
 * Had a vCPU that held the lock in this wait lost its CPU? The last one that had waited for it is
 * taken for its holder until the next one gets it. Whoever takes a free lock without a wait is
 * not seen. The caller has just got the lock.
 */
static _Bool holder_was_preempted(const struct wait *w)
{
	const __u32 self = bpf_get_smp_processor_id();
	struct holder *h = find_holder(w->lock);
	_Bool was;

	if (!h) {
		__sync_fetch_and_add(&without_holder, 1);
		return 0;
	}
	if (h->cpu >= 0 && h->cpu != self &&
	    steal_of(h->cpu) != (h->turn == w->turn ? w->steal : h->steal))
		h->preempted++;
	was = h->preempted != w->preempted;
	h->cpu = self;
	h->steal = steal_of(self);
	h->turn++;
	return was;
}

static struct wait_stats *find_stats(const struct wait *w)
{
	struct wait_key key = { .lock = w->lock, .caller = w->caller };
	struct wait_stats *s = bpf_map_lookup_elem(&pairs, &key);

	if (s)
		return s;
	bpf_map_update_elem(&pairs, &key, &no_waits, BPF_NOEXIST);
	s = bpf_map_lookup_elem(&pairs, &key);
	if (s)
		return s;
	key.lock = 0;
	key.caller = 0;
	return bpf_map_lookup_elem(&pairs, &key);
}

static __u64 bucket_of(__u64 ns)
{
	__u64 rest = ns >> (WAIT_FIRST_LOG2 - 1), bucket = 0;
	int step;

#pragma unroll
	for (step = 32; step; step /= 2)
		if (rest >> step) {
			rest >>= step;
			bucket += step;
		}
	return bucket < WAIT_BUCKETS ? bucket : WAIT_BUCKETS - 1;
}

static void count(const struct wait *w, __u64 ns)
{
	const _Bool preempted = holder_was_preempted(w);
	struct wait_stats *s = find_stats(w);
	__u64 bucket = bucket_of(ns);

	if (!s)
		return;
	s->count++;
	s->ns += ns;
	if (preempted)
		s->preempted++;
	if (w->means & WAIT_HALTED)
		s->halted++;
	else if (w->means & WAIT_YIELDED)
		s->yielded++;
	/* The compiler has seen the limit by now, and the verifier is to see it, too. */
	barrier_var(bucket);
	if (bucket < WAIT_BUCKETS)
		s->buckets[bucket]++;
}

/* Which of this CPU's waits is for @lock: the innermost one of these. */
static __u64 find_wait(struct waits_of_cpu *c, __u64 lock)
{
	__u64 depth = c->depth;
	int i;

#pragma unroll
	for (i = 0; i < NESTED_MAX; i++) {
		if (!depth)
			break;
		depth--;
		if (wait_at(c, depth)->lock == lock)
			return depth;
	}
	return NESTED_MAX;
}

SEC("tp_btf/contention_end")
int on_end(__u64 *ctx)
{
	const __u64 now = bpf_ktime_get_ns();
	struct waits_of_cpu *c = this_cpu();
	struct wait *w;
	__u64 depth;

	if (!c)
		return 0;
	depth = find_wait(c, ctx[0]);
	if (depth >= NESTED_MAX)
		return 0;
	w = wait_at(c, depth);
	count(w, now - w->since);
	/* Last: until then an interrupt's wait goes above it. */
	c->depth = depth;
	return 0;
}

/* The last one, as libbpf attaches in this order: a wait that begins is seen to end, too. */
SEC("tp_btf/contention_begin")
int on_begin(__u64 *ctx)
{
	const __u64 now = bpf_ktime_get_ns(), flags = ctx[1];
	struct waits_of_cpu *c = this_cpu();
	struct wait *w;
	__u64 depth;

	if (!c || (flags & (LCB_F_SPIN | LCB_F_MUTEX)) != LCB_F_SPIN)
		return 0;
	depth = c->depth;
	if (depth >= NESTED_MAX) {
		/* So many cannot be: ends of some were missed. */
		__sync_fetch_and_add(&dropped, depth);
		depth = 0;
	}
	w = wait_at(c, depth);
	w->lock = ctx[0];
	w->since = now;
	w->means = 0;
	w->caller = find_caller(ctx);
	note_holder(w);
	/* Last: an interrupt up to here does not see it. */
	c->depth = depth + 1;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
