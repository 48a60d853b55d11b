/* SPDX-License-Identifier: GPL-2.0 */
/*
 * On which node each vCPU of a VM is best
 *
 * A transport problem: vCPUs go to nodes, a node has room for so many, and to have a
 * vCPU on a node costs what it uses of other nodes' memory. It is solved by cancelling
 * negative cycles (M. Klein, A Primal Method for Minimal Cost Flows, 1967): from where
 * the vCPUs are now, as long as moving one from a node to the next one, from there one
 * to a third, and so on, costs less than nothing in sum. A node that has too many is relieved
 * at any price. All other steps are a gain, so what comes out is never worse than to do
 * nothing, and where no cycle is left there is nothing better. Compiles in user space, where
 * it is tested.
 */
#ifndef PVX_HOST_NUMA_PLACE_H
#define PVX_HOST_NUMA_PLACE_H

#ifdef __KERNEL__
#include <linux/sched.h>
#include <linux/types.h>
#define pvx_numa_place_pause()	cond_resched()
#else
#define pvx_numa_place_pause()	((void)0)
#endif

/* More nodes than that are looked at as none. */
#define PVX_NUMA_NODES_MAX	16
/* One that has all the room that is left. */
#define PVX_NUMA_SPARE		PVX_NUMA_NODES_MAX
/* No cycle gains less than 1, but there are to be no surprises. */
#define PVX_NUMA_CYCLES_MAX	1024

/**
 * struct pvx_numa_place - a problem, and its solution
 * @vcpus: how many vCPUs
 * @nodes: how many nodes, at most PVX_NUMA_NODES_MAX
 * @use: how much of each node's memory each vCPU uses, @nodes numbers per vCPU
 * @all: sum of these for each vCPU
 * @room: how many vCPUs each node may have
 * @may: the nodes that each vCPU may be on, a bit for each
 * @now: where each vCPU is; @nodes or more: that is not known, so it is left out, and stays
 * @move_permille: what moving a vCPU costs, of what it uses of all memory
 * @node: out: where each vCPU is to be
 * @load: how many vCPUs each node has
 * @cost: of moving some vCPU from one node to another
 * @who: which vCPU that is
 */
struct pvx_numa_place {
	u32		vcpus;
	u32		nodes;
	const u64	*use;
	const u64	*all;
	u32		room[PVX_NUMA_NODES_MAX];
	const u32	*may;
	const u32	*now;
	u32		move_permille;
	u32		*node;
	u32		load[PVX_NUMA_NODES_MAX];
	s64		cost[PVX_NUMA_NODES_MAX + 1][PVX_NUMA_NODES_MAX + 1];
	u32		who[PVX_NUMA_NODES_MAX][PVX_NUMA_NODES_MAX];
};

#define PVX_NUMA_NEVER	((s64)1 << 60)
/*
 * What it costs less to have one vCPU fewer on a node that has too many; more than all else.
 * One for each round of the search for a cycle is still no overflow.
 */
#define PVX_NUMA_TOO_MANY	((s64)1 << 58)

/**
 * pvx_numa_cost() - what it costs to have a vCPU on a node
 * @p: the problem
 * @vcpu: the vCPU
 * @node: the node
 *
 * Context: any.
 * Return: what that is, less what the vCPU uses of all nodes, which is the same everywhere.
 */
static inline s64 pvx_numa_cost(const struct pvx_numa_place *p, u32 vcpu, u32 node)
{
	/* 1000 times as much, so that the price of a move has no fractions. */
	return (node == p->now[vcpu] ? 0 : (s64)(p->all[vcpu] * p->move_permille)) -
	       (s64)(1000 * p->use[(size_t)vcpu * p->nodes + node]);
}

/**
 * pvx_numa_cost_of() - what a whole placement costs
 * @p: the problem
 * @node: the placement, a node for each vCPU
 *
 * Context: any.
 * Return: a number that is smaller the better it is; of use in comparisons only.
 */
static inline s64 pvx_numa_cost_of(const struct pvx_numa_place *p, const u32 *node)
{
	s64 cost = 0;
	u32 v;

	for (v = 0; v < p->vcpus; v++)
		if (p->now[v] < p->nodes)
			cost += pvx_numa_cost(p, v, node[v]);
	return cost;
}

/**
 * pvx_numa_find_moves() - find the cheapest move from each node to each
 * @p: the problem; @cost and @who are set
 *
 * Context: any.
 */
static inline void pvx_numa_find_moves(struct pvx_numa_place *p)
{
	u32 v, a, b;
	s64 cost;

	for (a = 0; a <= PVX_NUMA_SPARE; a++)
		for (b = 0; b <= PVX_NUMA_SPARE; b++)
			p->cost[a][b] = PVX_NUMA_NEVER;
	for (a = 0; a < p->nodes; a++) {
		/* Who leaves it leaves room, and room is where it is not full. */
		if (p->load[a] < p->room[a])
			p->cost[a][PVX_NUMA_SPARE] = 0;
		if (p->load[a])
			p->cost[PVX_NUMA_SPARE][a] =
				p->load[a] > p->room[a] ? -PVX_NUMA_TOO_MANY : 0;
	}
	for (v = 0; v < p->vcpus; v++) {
		a = p->node[v];
		for (b = 0; a < p->nodes && b < p->nodes; b++) {
			if (a == b || (b != p->now[v] && !(p->may[v] >> b & 1)))
				continue;
			cost = pvx_numa_cost(p, v, b) - pvx_numa_cost(p, v, a);
			if (cost >= p->cost[a][b])
				continue;
			p->cost[a][b] = cost;
			p->who[a][b] = v;
		}
	}
}

/**
 * pvx_numa_find_cycle() - find moves that cost less than nothing together
 * @p: the problem, with what pvx_numa_find_moves() found
 * @before: set to where each node is reached from
 *
 * Bellman and Ford's search.
 *
 * Context: any.
 * Return: a node on a negative cycle; -1 if there is none.
 */
static inline int pvx_numa_find_cycle(const struct pvx_numa_place *p, int *before)
{
	s64 reached[PVX_NUMA_NODES_MAX + 1] = { 0 };
	int a, b, i, last = -1;

	for (a = 0; a <= PVX_NUMA_SPARE; a++)
		before[a] = -1;
	for (i = 0; i <= PVX_NUMA_SPARE; i++) {
		last = -1;
		for (a = 0; a <= PVX_NUMA_SPARE; a++) {
			for (b = 0; b <= PVX_NUMA_SPARE; b++) {
				if (p->cost[a][b] == PVX_NUMA_NEVER ||
				    reached[a] + p->cost[a][b] >= reached[b])
					continue;
				reached[b] = reached[a] + p->cost[a][b];
				before[b] = a;
				last = b;
			}
		}
		if (last < 0)
			return -1;
	}
	/* So far back, it is on the cycle and not only behind it. */
	for (i = 0; i <= PVX_NUMA_SPARE; i++)
		last = before[last];
	return last;
}

/**
 * pvx_numa_move() - make the cheapest move from one node to another
 * @p: the problem
 * @from: the node that one vCPU leaves
 * @to: where that goes
 *
 * Context: any.
 */
static inline void pvx_numa_move(struct pvx_numa_place *p, u32 from, u32 to)
{
	if (from == PVX_NUMA_SPARE || to == PVX_NUMA_SPARE)
		return;
	p->node[p->who[from][to]] = to;
	p->load[from]--;
	p->load[to]++;
}

/**
 * pvx_numa_cancel_cycle() - make the placement better by one cycle of moves
 * @p: the problem
 *
 * Context: any.
 * Return: false if there is no such cycle.
 */
static inline bool pvx_numa_cancel_cycle(struct pvx_numa_place *p)
{
	int before[PVX_NUMA_NODES_MAX + 1], first, at;

	pvx_numa_find_moves(p);
	first = pvx_numa_find_cycle(p, before);
	if (first < 0)
		return false;
	at = first;
	do {
		pvx_numa_move(p, before[at], at);
		at = before[at];
	} while (at != first);
	return true;
}

/**
 * pvx_numa_place() - find where each vCPU is to be
 * @p: the problem; @node, @load and what comes behind are set
 *
 * No node has more vCPUs than it has room for in the end, if they may go elsewhere; who is
 * on a node that is too full now may have to leave it for that.
 *
 * Context: process context, may sleep; takes up to PVX_NUMA_CYCLES_MAX times vcpus * nodes
 * + nodes^3 steps, and a few of these usually.
 */
static inline void pvx_numa_place(struct pvx_numa_place *p)
{
	u32 v, i;

	for (i = 0; i < PVX_NUMA_NODES_MAX; i++)
		p->load[i] = 0;
	for (v = 0; v < p->vcpus; v++) {
		p->node[v] = p->now[v];
		if (p->now[v] < p->nodes)
			p->load[p->now[v]]++;
	}
	for (i = 0; i < PVX_NUMA_CYCLES_MAX && pvx_numa_cancel_cycle(p); i++)
		pvx_numa_place_pause();
}

#endif /* PVX_HOST_NUMA_PLACE_H */
