// SPDX-License-Identifier: GPL-2.0
/*
 * On which of the host's nodes are pages of a guest?
 *
 * Usage: where PID HVA GFNS [NODE[,NODE...]]: PID is the VMM, which has the guest's memory at
 * HVA, and GFNS a file of 64-bit guest frame numbers. With nodes the pages are moved there
 * first, to these in turn, 2 MiB to each, since a huge page goes as a whole.
 *
 * Prints how many pages are on each node, from node 0 on.
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE	4096
#define BATCH	512
#define HUGE	512
#define NODES	16
#define MPOL_MF_MOVE_ALL	(1 << 2)

/* How many there are. */
static int parse_nodes(char *list, int *nodes)
{
	char *node;
	int n = 0;

	for (node = strtok(list, ","); node && n < NODES; node = strtok(NULL, ","))
		nodes[n++] = atoi(node);
	return n;
}

int main(int argc, char **argv)
{
	int status[BATCH], nodes[BATCH], to[NODES], tos, pid, i, n, last = 0;
	unsigned long base, count[NODES] = { 0 };
	void *addresses[BATCH];
	uint64_t gfns[BATCH];
	FILE *file;

	if (argc < 4)
		errx(2, "usage: where PID HVA GFNS [NODE[,NODE...]]");
	pid = atoi(argv[1]);
	base = strtoul(argv[2], NULL, 16);
	tos = argc > 4 ? parse_nodes(argv[4], to) : 0;
	file = fopen(argv[3], "r");
	if (!file)
		err(1, "%s", argv[3]);
	while ((n = fread(gfns, sizeof(gfns[0]), BATCH, file)) > 0) {
		for (i = 0; i < n; i++) {
			addresses[i] = (void *)(base + gfns[i] * PAGE);
			nodes[i] = tos ? to[gfns[i] / HUGE % tos] : 0;
		}
		if (syscall(SYS_move_pages, pid, n, addresses, tos ? nodes : NULL, status,
			    tos ? MPOL_MF_MOVE_ALL : 0) < 0)
			err(1, "move_pages");
		for (i = 0; i < n; i++)
			if (status[i] >= 0 && status[i] < NODES)
				count[status[i]]++;
	}
	for (i = 0; i < NODES; i++)
		if (count[i])
			last = i;
	for (i = 0; i <= last; i++)
		printf("%lu%c", count[i], i == last ? '\n' : ' ');
	return 0;
}
