// SPDX-License-Identifier: GPL-2.0
/*
 * On which of the host's nodes are pages of a guest?
 *
 * Usage: where PID HVA GFNS [NODE[,NODE...] | until NODE PERCENT]: PID is the VMM, which has the
 * guest's memory at HVA, and GFNS a file of 64-bit guest frame numbers. With nodes the pages are
 * moved there first, to these in turn. With "until" it waits until PERCENT of them are on NODE, a
 * minute at most, and to disturb little it does not look at all of them.
 *
 * Prints how many pages are on each node, from node 0 on.
 */
#include <time.h>
#include "pages.h"

#define UNTIL_S	60

/* Where pages are to go, in turn. */
static int to[NODES], tos;

static void parse_nodes(char *list)
{
	char *node;

	for (node = strtok(list, ","); node && tos < NODES; node = strtok(NULL, ","))
		to[tos++] = atoi(node);
}

static void look_until(const struct vmm *vmm, const struct pages *pages, unsigned int node,
		       unsigned long percent, unsigned long *count)
{
	const time_t end = time(NULL) + UNTIL_S;

	if (node >= NODES)
		errx(2, "there is no node %u", node);
	while (count_pages(vmm, pages, NULL, 0, count), 100 * count[node] < percent * pages->nr) {
		if (time(NULL) >= end)
			errx(1, "not so many are on node %u", node);
		usleep(50000);
	}
}

int main(int argc, char **argv)
{
	const int until = argc == 7 && !strcmp(argv[4], "until");
	unsigned long count[NODES];
	struct pages pages;
	struct vmm vmm;
	int i, last = 0;

	if (argc != 4 && argc != 5 && !until)
		errx(2, "usage: where PID HVA GFNS [NODE[,NODE...] | until NODE PERCENT]");
	vmm.pid = atoi(argv[1]);
	vmm.base = strtoul(argv[2], NULL, 16);
	pages = read_pages(argv[3], until ? EVERY : 1);
	if (argc == 5)
		parse_nodes(argv[4]);
	if (until)
		look_until(&vmm, &pages, atoi(argv[5]), atoi(argv[6]), count);
	else
		count_pages(&vmm, &pages, to, tos, count);
	for (i = 0; i < NODES; i++)
		if (count[i])
			last = i;
	for (i = 0; i <= last; i++)
		printf("%lu%c", count[i], i == last ? '\n' : ' ');
	return 0;
}
