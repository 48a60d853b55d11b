// SPDX-License-Identifier: GPL-2.0
/*
 * Placement of vCPUs, against all placements there are, in small random cases
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#include "../../host/numa_place.h"
#include "../lib/random.h"
#include "../lib/tap.h"

#define CASES	1000
#define VCPUS	6
#define NODES	4

static u64 state = 1;

static u64 random_below(u64 n)
{
	return next_random(&state) % n;
}

struct problem {
	struct pvx_numa_place	p;
	u64			use[64 * PVX_NUMA_NODES_MAX];
	u64			all[64];
	u32			now[64];
	u32			may[64];
	u32			node[64];
};

static bool fits(const struct pvx_numa_place *p, const u32 *node)
{
	u32 load[PVX_NUMA_NODES_MAX] = { 0 }, v, n;

	for (v = 0; v < p->vcpus; v++) {
		if (node[v] != p->now[v] && !(p->may[v] >> node[v] & 1))
			return false;
		load[node[v]]++;
	}
	for (n = 0; n < p->nodes; n++)
		if (load[n] > p->room[n])
			return false;
	return true;
}

static u32 room_of_all(const struct pvx_numa_place *p)
{
	u32 n, room = 0;

	for (n = 0; n < p->nodes; n++)
		room += p->room[n];
	return room;
}

static void make(struct problem *q, u32 vcpus, u32 nodes)
{
	u32 v, n;

	memset(q, 0, sizeof(*q));
	q->p = (struct pvx_numa_place){
		.vcpus = vcpus, .nodes = nodes, .use = q->use, .now = q->now, .may = q->may, .node = q->node,
		.move_permille = random_below(3) * 100,
	};
	do {
		for (n = 0; n < nodes; n++)
			q->p.room[n] = random_below(vcpus + 1);
	} while (room_of_all(&q->p) < vcpus);
	q->p.all = q->all;
	for (v = 0; v < vcpus; v++) {
		q->now[v] = random_below(nodes);
		q->may[v] = random_below(4) ? ~0U : random_below(1U << nodes);
		for (n = 0; n < nodes; n++)
			q->all[v] += q->use[v * nodes + n] =
				random_below(2) ? random_below(1000) : 0;
	}
}

/* By counting through all of them. */
static s64 best_of_all(const struct pvx_numa_place *p)
{
	u32 node[VCPUS] = { 0 }, v;
	s64 best = PVX_NUMA_NEVER, cost;

	for (;;) {
		if (fits(p, node)) {
			cost = pvx_numa_cost_of(p, node);
			if (cost < best)
				best = cost;
		}
		for (v = 0; v < p->vcpus && ++node[v] == p->nodes; v++)
			node[v] = 0;
		if (v == p->vcpus)
			return best;
	}
}

/* Where some may not go there may be no way to make all fit: then it is another case. */
static s64 make_one_that_fits(struct problem *q)
{
	s64 best;

	do {
		make(q, 1 + random_below(VCPUS), 1 + random_below(NODES));
		best = best_of_all(&q->p);
	} while (best == PVX_NUMA_NEVER);
	return best;
}

static void against_all(void)
{
	u32 i, worse = 0, does_not_fit = 0, worse_than_now = 0;
	static struct problem q;
	s64 best, got;

	for (i = 0; i < CASES; i++) {
		best = make_one_that_fits(&q);
		pvx_numa_place(&q.p);
		got = pvx_numa_cost_of(&q.p, q.node);
		does_not_fit += !fits(&q.p, q.node);
		worse += fits(&q.p, q.node) && got > best;
		worse_than_now += fits(&q.p, q.now) && got > pvx_numa_cost_of(&q.p, q.now);
	}
	tap_ok(!does_not_fit, "no node gets more than it has room for");
	tap_ok(!worse, "the best of all in %u random cases (%u were not)", CASES, worse);
	tap_ok(!worse_than_now, "never worse than to do nothing");
}

static void large(void)
{
	static struct problem q;
	u32 i, wrong = 0;

	for (i = 0; i < 50; i++) {
		make(&q, 64, PVX_NUMA_NODES_MAX);
		pvx_numa_place(&q.p);
		wrong += !fits(&q.p, q.node) ||
			 (fits(&q.p, q.now) &&
			  pvx_numa_cost_of(&q.p, q.node) > pvx_numa_cost_of(&q.p, q.now));
	}
	tap_ok(!wrong, "64 vCPUs on 16 nodes");
}

static void no_room(void)
{
	static struct problem q;
	u32 v;

	make(&q, 4, 2);
	memset(q.may, 0xff, sizeof(q.may));
	q.p.room[0] = q.p.room[1] = 1;
	pvx_numa_place(&q.p);
	for (v = 0; v < 4 && q.node[v] < 2; v++)
		;
	tap_ok(v == 4, "room for half of them: it ends, and all are somewhere");
}

/* Two on a node for one, who may go to the next one only, where another must make way. */
static void chain(void)
{
	static struct problem q;
	u32 v;

	make(&q, 3, 3);
	for (v = 0; v < 3; v++) {
		memset(q.use + v * 3, 0, 3 * sizeof(q.use[0]));
		q.all[v] = 0;
		q.p.room[v] = 1;
		q.now[v] = v / 2;
		q.may[v] = v < 2 ? 3 : 7;
	}
	q.use[2 * 3 + 1] = q.all[2] = 100;
	pvx_numa_place(&q.p);
	tap_ok(fits(&q.p, q.node), "who must make way does, though it costs");
}

static void hysteresis(void)
{
	static struct problem q;

	memset(&q, 0, sizeof(q));
	q.p = (struct pvx_numa_place){
		.vcpus = 1, .nodes = 2, .use = q.use, .now = q.now, .may = q.may, .node = q.node,
		.room = { 1, 1 }, .move_permille = 200, .all = q.all,
	};
	q.may[0] = 3;
	q.all[0] = 1000;
	q.use[0] = 450;
	q.use[1] = 550;
	pvx_numa_place(&q.p);
	tap_ok(q.node[0] == 0, "a tenth more elsewhere is no reason to move for a fifth");
	q.use[0] = 350;
	q.use[1] = 650;
	pvx_numa_place(&q.p);
	tap_ok(q.node[0] == 1, "three tenths are");
	q.all[0] = q.use[0] = q.use[1] = 0;
	pvx_numa_place(&q.p);
	tap_ok(q.node[0] == 0, "who uses nothing stays");
}

int main(void)
{
	tap_begin();
	against_all();
	large();
	no_room();
	chain();
	hysteresis();
	return tap_done();
}
