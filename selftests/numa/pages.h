/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pages of a guest, and on which of the host's nodes they are
 */
#ifndef SELFTESTS_NUMA_PAGES_H
#define SELFTESTS_NUMA_PAGES_H

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
/* Where not all pages need be looked at. */
#define EVERY	16
#define MPOL_MF_MOVE_ALL	(1 << 2)

/* A VMM, and at what address it has the guest's memory. */
struct vmm {
	int pid;
	unsigned long base;
};

struct pages {
	uint64_t *gfns;
	unsigned long nr;
};

/* From a file of 64-bit guest frame numbers, of which each @every-th. */
static inline struct pages read_pages(const char *path, unsigned long every)
{
	FILE *file = fopen(path, "r");
	struct pages pages = { 0 };
	unsigned long n;
	uint64_t gfn;

	if (!file)
		err(1, "%s", path);
	for (n = 0; fread(&gfn, sizeof(gfn), 1, file) == 1; n++) {
		if (n % every)
			continue;
		pages.gfns = realloc(pages.gfns, (pages.nr + 1) * sizeof(*pages.gfns));
		if (!pages.gfns)
			err(1, "%s", path);
		pages.gfns[pages.nr++] = gfn;
	}
	fclose(file);
	return pages;
}

static inline void count_batch(const struct vmm *vmm, const uint64_t *gfn, unsigned long n,
			       const int *to, int tos, unsigned long *count)
{
	int status[BATCH], nodes[BATCH];
	void *addresses[BATCH];
	unsigned long i;

	for (i = 0; i < n; i++) {
		addresses[i] = (void *)(vmm->base + gfn[i] * PAGE);
		nodes[i] = tos ? to[gfn[i] / HUGE % tos] : 0;
	}
	if (syscall(SYS_move_pages, vmm->pid, n, addresses, tos ? nodes : NULL, status,
		    tos ? MPOL_MF_MOVE_ALL : 0) < 0)
		err(1, "move_pages");
	for (i = 0; i < n; i++)
		if (status[i] >= 0 && status[i] < NODES)
			count[status[i]]++;
}

/*
 * How many pages are on each node. If there are @tos nodes in @to they are moved there first, to
 * these in turn, 2 MiB to each, since a huge page goes as a whole.
 */
static inline void count_pages(const struct vmm *vmm, const struct pages *pages, const int *to,
			       int tos, unsigned long *count)
{
	unsigned long at, left;

	memset(count, 0, NODES * sizeof(*count));
	for (at = 0; at < pages->nr; at += BATCH) {
		left = pages->nr - at;
		count_batch(vmm, pages->gfns + at, left < BATCH ? left : BATCH, to, tos, count);
	}
}

#endif
