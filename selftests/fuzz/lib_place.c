// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of host/numa_place.h: placements against all that there are, where these are few
 */
#include "input.h"
#include "../../host/numa_place.h"

#define VCPUS_MAX	32
/* So many placements are counted through. */
#define ALL_MAX		1024

static struct {
	struct pvx_numa_place	p;
	u64			use[VCPUS_MAX * PVX_NUMA_NODES_MAX];
	u64			all[VCPUS_MAX];
	u32			now[VCPUS_MAX];
	u32			may[VCPUS_MAX];
	u32			node[VCPUS_MAX];
} q;

static bool is_known(u32 vcpu)
{
	return q.now[vcpu] < q.p.nodes;
}

static bool is_allowed(u32 vcpu, u32 node)
{
	return node == q.now[vcpu] || (node < q.p.nodes && q.may[vcpu] >> node & 1);
}

/* How many vCPUs there are too many, on all nodes. */
static u32 excess_of(const u32 *node)
{
	u32 load[PVX_NUMA_NODES_MAX] = { 0 }, v, n, excess = 0;

	for (v = 0; v < q.p.vcpus; v++)
		if (is_known(v))
			load[node[v]]++;
	for (n = 0; n < q.p.nodes; n++)
		if (load[n] > q.p.room[n])
			excess += load[n] - q.p.room[n];
	return excess;
}

/* The next of all placements; those of unknown vCPUs stay. */
static bool next_placement(u32 *node)
{
	u32 v;

	for (v = 0; v < q.p.vcpus; v++) {
		if (!is_known(v))
			continue;
		do {
			node[v]++;
		} while (node[v] < q.p.nodes && !is_allowed(v, node[v]));
		if (node[v] < q.p.nodes)
			return true;
		for (node[v] = 0; !is_allowed(v, node[v]); node[v]++)
			;
	}
	return false;
}

static void first_placement(u32 *node)
{
	u32 v;

	for (v = 0; v < q.p.vcpus; v++) {
		node[v] = q.now[v];
		if (!is_known(v))
			continue;
		for (node[v] = 0; !is_allowed(v, node[v]); node[v]++)
			;
	}
}

/* Nothing has less excess; and if that is none, nothing costs less. */
static void check_against_all(u32 excess, s64 cost)
{
	u32 node[VCPUS_MAX];

	first_placement(node);
	do {
		must(excess_of(node) >= excess);
		must(excess || excess_of(node) || pvx_numa_cost_of(&q.p, node) >= cost);
	} while (next_placement(node));
}

static bool are_few(void)
{
	u32 v, n = 1;

	for (v = 0; v < q.p.vcpus && n <= ALL_MAX; v++)
		n *= q.p.nodes;
	return n <= ALL_MAX;
}

static void make(struct input *in)
{
	u32 v, n;

	memset(&q, 0, sizeof(q));
	q.p = (struct pvx_numa_place){
		.use = q.use, .all = q.all, .may = q.may, .now = q.now, .node = q.node,
	};
	q.p.vcpus = 1 + take_below(in, VCPUS_MAX);
	q.p.nodes = 1 + take_below(in, PVX_NUMA_NODES_MAX);
	q.p.move_permille = take(in, 2) % 1001;
	/* Small ones half of the time, since only these can be compared. */
	if (take(in, 1) & 1) {
		q.p.vcpus = 1 + q.p.vcpus % 5;
		q.p.nodes = 1 + q.p.nodes % 4;
	}
	for (n = 0; n < q.p.nodes; n++)
		q.p.room[n] = take(in, 1) % (q.p.vcpus + 1);
	for (v = 0; v < q.p.vcpus; v++) {
		q.now[v] = take(in, 1) % (q.p.nodes + 1);
		q.may[v] = take(in, 2);
		for (n = 0; n < q.p.nodes; n++)
			q.all[v] += q.use[v * q.p.nodes + n] = take(in, 1 + n % 4);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { .at = data, .left = size };
	u32 v, before, after;
	s64 cost;

	make(&in);
	before = excess_of(q.now);
	pvx_numa_place(&q.p);
	for (v = 0; v < q.p.vcpus; v++) {
		must(is_known(v) ? q.node[v] < q.p.nodes : q.node[v] == q.now[v]);
		must(is_allowed(v, q.node[v]));
	}
	after = excess_of(q.node);
	cost = pvx_numa_cost_of(&q.p, q.node);
	must(after <= before);
	must(after < before || cost <= pvx_numa_cost_of(&q.p, q.now));
	if (are_few())
		check_against_all(after, cost);
	return 0;
}
