// SPDX-License-Identifier: GPL-2.0
/*
 * Where the time of vCPU threads goes
 *
 * A thread is a vCPU's from its first entry into a guest on. What passes between two events
 * counts for the state that it was in, so that all states together are all of its time.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <linux/kvm_pvx.h>

#include "vcpu.h"

/* More threads than that are not seen: their entries are missed. */
#define VCPUS_MAX	4096

/* What is used of the kernel's types; CO-RE finds where that is. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct trace_event_raw_kvm_entry {
	unsigned int vcpu_id;
};
struct trace_event_raw_kvm_exit {
	unsigned int exit_reason;
	unsigned int isa;
};
struct trace_event_raw_sched_switch {
	int prev_pid;
	long prev_state;
	int next_pid;
};
struct trace_event_raw_sched_wakeup_template {
	int pid;
};
#pragma clang attribute pop

/* Of ours, whose fields stay where they are: host/yield_trace.h. */
struct yielded {
	__u64	common;
	int	vmm;
	__u32	vcpu;
	__u32	asked;
	__u32	status;
	__u32	boost_us;
};

/* Also of those that are preempted, a flag says so. */
#define TASK_RUNNING	0
#define TASK_REPORT_MAX	0x100

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, VCPUS_MAX);
	__type(key, __u32);
	__type(value, struct vcpu);
} vcpus SEC(".maps");

/* One that nothing is known of yet: too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vcpu);
} blank SEC(".maps");

/* The VMM whose threads count; 0: all do. */
const volatile __u32 only_tgid;

/* Entries of those for which there was no room. */
__u64 missed;

static struct vcpu *find(__u32 tid)
{
	return bpf_map_lookup_elem(&vcpus, &tid);
}

/* Looked at as numbers of 64 bits, which are the same to the compiler and to the verifier. */
static void come_into(struct vcpu *v, __u32 state)
{
	const __u64 now = bpf_ktime_get_ns(), ns = now - v->since;
	const __u64 was = v->state, reason = v->reason;

	v->since = now;
	v->state = state;
	/* Behind: who looks in between misses that time, and does not have it twice. */
	barrier();
	if (was < VCPU_STATES)
		v->ns[was] += ns;
	if (was == VCPU_EXIT && reason < VCPU_REASONS)
		v->exits[reason].ns += ns;
}

static struct vcpu *find_or_make(__u32 vcpu_id)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tid = id, tgid = id >> 32, zero = 0;
	struct vcpu *v = find(tid), *none;

	if (v || (only_tgid && tgid != only_tgid))
		return v;
	none = bpf_map_lookup_elem(&blank, &zero);
	if (!none || bpf_map_update_elem(&vcpus, &tid, none, BPF_NOEXIST)) {
		__sync_fetch_and_add(&missed, 1);
		return NULL;
	}
	v = find(tid);
	if (!v)
		return NULL;
	v->since = bpf_ktime_get_ns();
	v->tgid = tgid;
	v->id = vcpu_id;
	return v;
}

/* libbpf attaches in this order: nothing is known of a thread before on_entry(), the last one. */

static _Bool halts(const struct vcpu *v)
{
	/* SVM_EXIT_HLT and EXIT_REASON_HLT */
	return v->state == VCPU_EXIT && v->reason == (v->isa == VCPU_VMX ? 12 : 0x78);
}

static void leave_cpu(struct vcpu *v, long task_state)
{
	__u32 state = VCPU_PREEMPTED;

	if (task_state != TASK_RUNNING && !(task_state & TASK_REPORT_MAX))
		state = halts(v) ? VCPU_HALTED : VCPU_BLOCKED;
	v->ran = v->state;
	come_into(v, state);
}

static void get_cpu(struct vcpu *v)
{
	if (v->state == VCPU_WAKING)
		v->wakeups++;
	come_into(v, v->ran);
}

SEC("tp/sched/sched_switch")
int on_switch(struct trace_event_raw_sched_switch *ctx)
{
	struct vcpu *prev = find(ctx->prev_pid), *next = find(ctx->next_pid);

	if (prev)
		leave_cpu(prev, ctx->prev_state);
	if (next)
		get_cpu(next);
	return 0;
}

SEC("tp/sched/sched_wakeup")
int on_wakeup(struct trace_event_raw_sched_wakeup_template *ctx)
{
	struct vcpu *v = find(ctx->pid);

	if (v && (v->state == VCPU_HALTED || v->state == VCPU_BLOCKED))
		come_into(v, VCPU_WAKING);
	return 0;
}

SEC("tp/sched/sched_process_exit")
int on_end(void *ctx)
{
	__u32 tid = bpf_get_current_pid_tgid();

	bpf_map_delete_elem(&vcpus, &tid);
	return 0;
}

SEC("tp/kvm/kvm_userspace_exit")
int on_userspace_exit(void *ctx)
{
	struct vcpu *v = find(bpf_get_current_pid_tgid());

	if (v)
		come_into(v, VCPU_VMM);
	return 0;
}

static __u64 index_of(__u32 isa, __u64 reason)
{
	if (isa == VCPU_VMX)
		reason &= 0xffff;
	else if (reason >= VCPU_SVM_HIGH)
		reason = reason - VCPU_SVM_HIGH + VCPU_SVM_HIGH_AT;
	return reason < VCPU_OTHER_REASON ? reason : VCPU_OTHER_REASON;
}

SEC("tp/kvm/kvm_exit")
int on_exit(struct trace_event_raw_kvm_exit *ctx)
{
	struct vcpu *v = find(bpf_get_current_pid_tgid());
	__u64 reason;

	if (!v)
		return 0;
	come_into(v, VCPU_EXIT);
	v->isa = ctx->isa;
	reason = index_of(v->isa, ctx->exit_reason);
	/* The compiler has seen the limit by now, and the verifier is to see it, too. */
	barrier_var(reason);
	v->reason = reason;
	if (reason < VCPU_REASONS)
		v->exits[reason].count++;
	return 0;
}

SEC("tp/kvm/kvm_entry")
int on_entry(struct trace_event_raw_kvm_entry *ctx)
{
	struct vcpu *v = find_or_make(ctx->vcpu_id);

	if (v)
		come_into(v, VCPU_GUEST);
	return 0;
}

/* What follows is attached on demand only. */

SEC("tp/pvx_host/hypercall_done")
int on_call(void *ctx)
{
	struct vcpu *v = find(bpf_get_current_pid_tgid());

	if (v)
		v->calls.calls++;
	return 0;
}

SEC("tp/pvx_host_yield/yielded")
int on_yield(const struct yielded *ctx)
{
	struct vcpu *v = find(bpf_get_current_pid_tgid());

	if (!v)
		return 0;
	v->calls.yields++;
	v->calls.boosted += ctx->status == PVX_YIELD_BOOSTED || ctx->status == PVX_YIELD_WOKEN ||
			    ctx->status == PVX_YIELD_BOOSTED_FAR;
	v->calls.boost_us += ctx->boost_us;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
