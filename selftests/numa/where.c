// SPDX-License-Identifier: GPL-2.0
/*
 * On which of the host's nodes are pages of a guest?
 *
 * Usage: where PID HVA GFNS [NODE[,NODE...] | until NODE PERCENT]: PID is the VMM, which has the
 * guest's memory at HVA, and GFNS a file of 64-bit guest frame numbers. With nodes the pages are
 * moved there first, to these in turn, 2 MiB to each, since a huge page goes as a whole. With
 * "until" it waits until PERCENT of them are on NODE, a minute at most, and to disturb little it
 * looks at each sixteenth only.
 *
 * Prints how many pages are on each node, from node 0 on.
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE	4096
#define BATCH	512
#define HUGE	512
#define NODES	16
#define EVERY	16
#define UNTIL_S	60
#define MPOL_MF_MOVE_ALL	(1 << 2)

static int pid;
static unsigned long base;
static uint64_t *gfns;
static unsigned long nr_gfns;
static unsigned long count[NODES];
/* Where pages are to go, in turn. */
static int to[NODES], tos;

static void read_gfns(const char *path, unsigned long every)
{
	FILE *file = fopen(path, "r");
	unsigned long n;
	uint64_t gfn;

	if (!file)
		err(1, "%s", path);
	for (n = 0; fread(&gfn, sizeof(gfn), 1, file) == 1; n++) {
		if (n % every)
			continue;
		gfns = realloc(gfns, (nr_gfns + 1) * sizeof(*gfns));
		if (!gfns)
			err(1, "%s", path);
		gfns[nr_gfns++] = gfn;
	}
	fclose(file);
}

static void parse_nodes(char *list)
{
	char *node;

	for (node = strtok(list, ","); node && tos < NODES; node = strtok(NULL, ","))
		to[tos++] = atoi(node);
}

static void look_at(const uint64_t *gfn, unsigned long n)
{
	int status[BATCH], nodes[BATCH];
	void *addresses[BATCH];
	unsigned long i;

	for (i = 0; i < n; i++) {
		addresses[i] = (void *)(base + gfn[i] * PAGE);
		nodes[i] = tos ? to[gfn[i] / HUGE % tos] : 0;
	}
	if (syscall(SYS_move_pages, pid, n, addresses, tos ? nodes : NULL, status,
		    tos ? MPOL_MF_MOVE_ALL : 0) < 0)
		err(1, "move_pages");
	for (i = 0; i < n; i++)
		if (status[i] >= 0 && status[i] < NODES)
			count[status[i]]++;
}

static void look(void)
{
	unsigned long at;

	memset(count, 0, sizeof(count));
	for (at = 0; at < nr_gfns; at += BATCH)
		look_at(gfns + at, nr_gfns - at < BATCH ? nr_gfns - at : BATCH);
}

static void look_until(unsigned int node, unsigned long percent)
{
	const time_t end = time(NULL) + UNTIL_S;

	if (node >= NODES)
		errx(2, "there is no node %u", node);
	while (look(), 100 * count[node] < percent * nr_gfns) {
		if (time(NULL) >= end)
			errx(1, "not so many are on node %u", node);
		usleep(50000);
	}
}

int main(int argc, char **argv)
{
	const int until = argc == 7 && !strcmp(argv[4], "until");
	int i, last = 0;

	if (argc != 4 && argc != 5 && !until)
		errx(2, "usage: where PID HVA GFNS [NODE[,NODE...] | until NODE PERCENT]");
	pid = atoi(argv[1]);
	base = strtoul(argv[2], NULL, 16);
	read_gfns(argv[3], until ? EVERY : 1);
	if (argc == 5)
		parse_nodes(argv[4]);
	if (until)
		look_until(atoi(argv[5]), atoi(argv[6]));
	else
		look();
	for (i = 0; i < NODES; i++)
		if (count[i])
			last = i;
	for (i = 0; i <= last; i++)
		printf("%lu%c", count[i], i == last ? '\n' : ' ');
	return 0;
}
