// SPDX-License-Identifier: GPL-2.0
/*
 * An example of policies: whom a directed yield is for, and how long a waiter spins
 *
 * The first is for hosts, the second for guests; pvx-policy attaches what is there.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <linux/kvm_pvx_tune.h>

/* Ids beyond these are not in the mask of who waits. */
#define IDS	64

static _Bool waits(const struct pvx_choose_target *c, __u32 id)
{
	return id < IDS && ((c->waiting >> id) & 1);
}

/*
 * Who was asked for may have come back while the call was under way. Then the host CPU goes to
 * the next vCPU that waits for one, instead of being used to spin on.
 */
SEC("raw_tp.w/pvx_choose_target")
int choose_target(struct bpf_raw_tracepoint_args *ctx)
{
	struct pvx_choose_target *c = (void *)ctx->args[0];
	__u32 i, id = c->asked;

	if (id >= IDS || waits(c, id))
		return 0;
	for (i = 1; i < IDS; i++) {
		id = (c->asked + i) % IDS;
		if (id != c->caller && waits(c, id)) {
			c->target = id;
			return 0;
		}
	}
	return 0;
}

/* Locks that share an element spoil it for each other, and nothing else. */
#define LOCKS	1024

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LOCKS);
	__type(key, __u32);
	__type(value, __u32);
} last_ns SEC(".maps");

/*
 * By default each CPU remembers how long it has spun last, for all locks. Here it is remembered
 * for each lock, by all CPUs.
 */
SEC("raw_tp.w/pvx_choose_spin")
int choose_spin(struct bpf_raw_tracepoint_args *ctx)
{
	struct pvx_choose_spin *c = (void *)ctx->args[0];
	__u32 element = (c->lock >> 6) % LOCKS;
	__u32 *last = bpf_map_lookup_elem(&last_ns, &element);

	if (!last)
		return 0;
	if (c->searches)
		*last = c->spin_ns;
	else if (*last)
		c->spin_ns = *last;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
