// SPDX-License-Identifier: GPL-2.0
/*
 * Which nodes the memory of another process may be on, by its policies
 *
 * move_pages(2) asks for no more than the cpuset, so it would take memory away from where
 * numactl or the VMM itself has bound it.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mempolicy.h"
#include "tool.h"

/* Seconds for which a process' policies are remembered, and of how many. */
#define KNOWN_S		60
#define KNOWN		64

/* Up to where the next one begins. */
struct range {
	unsigned long	from;
	char		*policy;
};

struct ranges {
	struct range	*range;
	size_t		count;
};

static struct known {
	pid_t			pid;
	unsigned long long	until;
	struct ranges		ranges;
} known[KNOWN];
static unsigned long nr_known;

/* --- what is told ---------------------------------------------------------------- */

static void forget(struct ranges *ranges)
{
	while (ranges->count)
		free(ranges->range[--ranges->count].policy);
	free(ranges->range);
	*ranges = (struct ranges){ 0 };
}

/* "7f0c00000000 bind:0-1 anon=512 ...", and a policy's name may have several words. */
static void take_line(struct ranges *ranges, const char *line)
{
	struct range *more;
	unsigned long from;
	int at;

	if (sscanf(line, "%lx %n", &from, &at) != 1)
		return;
	more = realloc(ranges->range, (ranges->count + 1) * sizeof(*more));
	if (!more)
		err(EXIT_FAILED, "policies");
	ranges->range = more;
	more += ranges->count++;
	*more = (struct range){ .from = from, .policy = strdup(line + at) };
	if (!more->policy)
		err(EXIT_FAILED, "policies");
}

static void read_ranges(FILE *maps, struct ranges *ranges)
{
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, maps) > 0)
		take_line(ranges, line);
	free(line);
}

/* --- what it allows --------------------------------------------------------------- */

static bool begins(const char *policy, const char *name)
{
	return !strncmp(policy, name, strlen(name));
}

/* "0-1,3 ..." */
static bool names_node(const char *list, unsigned int node)
{
	unsigned long from, to;
	char *end;

	do {
		from = to = strtoul(list, &end, 10);
		if (end == list)
			return false;
		if (*end == '-')
			to = strtoul(end + 1, &end, 10);
		if (from <= node && node <= to)
			return true;
		list = end + 1;
	} while (*end == ',');
	return false;
}

static bool allows(const char *policy, unsigned int node)
{
	const char *nodes = strchr(policy, ':');

	if (begins(policy, "default") || begins(policy, "local"))
		return true;
	return (begins(policy, "bind") || begins(policy, "prefer")) && nodes &&
	       names_node(nodes + 1, node);
}

/* All that some of it is in. The last one that begins before may reach into it. */
static bool all_allow(const struct ranges *ranges, unsigned long address,
		      unsigned long long bytes, unsigned int node)
{
	bool found = false;
	size_t i;

	for (i = 0; i < ranges->count && ranges->range[i].from < address + bytes; i++) {
		if (i + 1 < ranges->count && ranges->range[i + 1].from <= address)
			continue;
		if (!allows(ranges->range[i].policy, node))
			return false;
		found = true;
	}
	return found;
}

/* --- of a process ------------------------------------------------------------------ */

static void look_up(struct known *k)
{
	char path[32];
	FILE *maps;

	forget(&k->ranges);
	snprintf(path, sizeof(path), "/proc/%d/numa_maps", k->pid);
	maps = fopen(path, "re");
	if (maps) {
		read_ranges(maps, &k->ranges);
		fclose(maps);
	}
	k->until = tool_now_ns() + KNOWN_S * 1000000000ULL;
}

bool mempolicy_allows(pid_t pid, unsigned long address, unsigned long long bytes,
		      unsigned int node)
{
	struct known *k = known;

	while (k < known + KNOWN && k->pid != pid)
		k++;
	if (k == known + KNOWN) {
		k = &known[nr_known++ % KNOWN];
		k->pid = pid;
		k->until = 0;
	}
	if (k->until <= tool_now_ns())
		look_up(k);
	return all_allow(&k->ranges, address, bytes, node);
}
