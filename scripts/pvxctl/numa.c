// SPDX-License-Identifier: GPL-2.0
/*
 * Where a VM's vCPUs are, and where the memory is that they use
 *
 * As the host's counters have it: numbers of the VM, and a line for each vCPU with the node
 * it is on and the one it is to be on, whether it is held there, its group, and how much it
 * uses of each node's memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pvxctl.h"

#define VCPU	"numa_vcpu"
#define NODES	32

struct numa {
	long long remote;	/* permille; negative: not known */
	long long remote_first;
	unsigned long long decisions;
	unsigned long long moves;
	unsigned long long overruled;
	unsigned long long hold_s;
	unsigned long long block_bytes;
};

struct vcpu {
	unsigned int id;
	unsigned int node;
	unsigned int want;
	unsigned int held;
	unsigned int group;
	unsigned int nodes;
	unsigned long long use[NODES];
	unsigned long long all;
};

static void note_numa(void *data, const char *key, const char *value)
{
	struct numa *numa = data;
	long long n = strtoll(value, NULL, 10);

	if (!strcmp(key, "numa_remote_permille"))
		numa->remote = n;
	else if (!strcmp(key, "numa_remote_first_permille"))
		numa->remote_first = n;
	else if (!strcmp(key, "numa_decisions"))
		numa->decisions = n;
	else if (!strcmp(key, "numa_moves"))
		numa->moves = n;
	else if (!strcmp(key, "numa_overruled"))
		numa->overruled = n;
	else if (!strcmp(key, "numa_hold_s"))
		numa->hold_s = n;
	else if (!strcmp(key, "numa_block_bytes"))
		numa->block_bytes = n;
}

/* Returns false if that is no line of a vCPU's. */
static bool parse_vcpu(struct vcpu *v, const char *key, const char *value)
{
	int used;

	*v = (struct vcpu){ 0 };
	if (sscanf(key, VCPU "%u", &v->id) != 1 ||
	    sscanf(value, "%u %u %u %u%n", &v->node, &v->want, &v->held, &v->group, &used) != 4)
		return false;
	for (value += used; v->nodes < NODES && sscanf(value, "%llu%n", &v->use[v->nodes], &used) == 1;
	     value += used)
		v->all += v->use[v->nodes++];
	return true;
}

static void put_permille(long long permille)
{
	if (permille < 0)
		printf("%8s", "-");
	else
		printf("%6lld.%lld", permille / 10, permille % 10);
}

static void put_vcpu(void *data, const char *key, const char *value)
{
	char want[16];
	struct vcpu v;
	unsigned int n;

	(void)data;
	if (!parse_vcpu(&v, key, value))
		return;
	snprintf(want, sizeof(want), v.held ? "%u" : "(%u)", v.want);
	printf("%7s vCPU %-4u node %2u to %-4s group %-3u", "", v.id, v.node, want, v.group);
	for (n = 0; n < v.nodes; n++)
		printf(" %5.1f %%", v.all ? 100.0 * v.use[n] / v.all : 0.0);
	putchar('\n');
}

void put_numa(const struct vmm *vmm, __u32 id)
{
	struct numa numa = { 0 };

	if (read_feature(id, "numa_", note_numa, &numa))
		return;
	printf("%7d ", vmm->pid);
	put_plain(vmm->command, 15);
	put_permille(numa.remote);
	put_permille(numa.remote_first);
	printf(" %10llu %8llu %10llu %7llu\n", numa.decisions, numa.moves, numa.overruled,
	       numa.hold_s);
	read_feature(id, VCPU, put_vcpu, NULL);
}

static void json_vcpu(void *data, const char *key, const char *value)
{
	bool *first = data;
	struct vcpu v;
	unsigned int n;

	if (!parse_vcpu(&v, key, value))
		return;
	printf("%s{\"vcpu\":%u,\"node\":%u,\"want\":%u,\"held\":%s,\"group\":%u,\"use\":[",
	       *first ? "" : ",", v.id, v.node, v.want, v.held ? "true" : "false", v.group);
	for (n = 0; n < v.nodes; n++)
		printf("%s%llu", n ? "," : "", v.use[n]);
	fputs("]}", stdout);
	*first = false;
}

static void json_permille(const char *key, long long permille)
{
	if (permille < 0)
		printf(",\"%s\":null", key);
	else
		printf(",\"%s\":%lld", key, permille);
}

void json_numa(const struct vmm *vmm, __u32 id, bool *first)
{
	struct numa numa = { 0 };
	bool first_vcpu = true;

	if (read_feature(id, "numa_", note_numa, &numa))
		return;
	printf("%s{\"pid\":%d,\"command\":", *first ? "" : ",", vmm->pid);
	json_string(vmm->command);
	json_permille("remote_permille", numa.remote);
	json_permille("remote_first_permille", numa.remote_first);
	printf(",\"decisions\":%llu,\"moves\":%llu,\"overruled\":%llu,\"hold_s\":%llu,\"block_bytes\":%llu,\"vcpus\":[",
	       numa.decisions, numa.moves, numa.overruled, numa.hold_s, numa.block_bytes);
	read_feature(id, VCPU, json_vcpu, &first_vcpu);
	fputs("]}", stdout);
	*first = false;
}
