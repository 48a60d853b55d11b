// SPDX-License-Identifier: GPL-2.0
/*
 * How much of what a guest's vCPUs access is remote?
 *
 * Usage: remote PID HVA TID GFNS [TID GFNS]...: PID is the VMM, which has the guest's memory at HVA,
 * TID the thread of a vCPU, and GFNS a file of 64-bit guest frame numbers, of pages that it accesses
 * all alike. So it is what share of them is on other nodes than the vCPU is just now.
 *
 * Prints that in a million. Fails if it cannot be told.
 */
#include "pages.h"

/* On which a thread is, whatever it is allowed. */
static int cpu_of(int pid, int tid)
{
	char path[64], stat[1024], *field;
	FILE *file;
	size_t n;
	int i;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	file = fopen(path, "r");
	if (!file)
		err(1, "%s", path);
	n = fread(stat, 1, sizeof(stat) - 1, file);
	stat[n] = '\0';
	fclose(file);
	/* The second field ends with the last of these, and this is the 39th. */
	field = strrchr(stat, ')');
	for (i = 2; field && i < 39; i++)
		field = strchr(field + 1, ' ');
	if (!field)
		errx(1, "%s has no such field", path);
	return atoi(field);
}

static int node_of(int cpu)
{
	char path[64];
	int node;

	for (node = 0; node < NODES; node++) {
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/cpu%d", node, cpu);
		if (!access(path, F_OK))
			return node;
	}
	errx(1, "CPU %d has no node", cpu);
}

/* Vcpus of a group have the same pages, and follow each other. */
static const unsigned long *where_are(const struct vmm *vmm, const char *gfns)
{
	static unsigned long count[NODES];
	static const char *counted;
	struct pages pages;

	if (counted && !strcmp(gfns, counted))
		return count;
	pages = read_pages(gfns, EVERY);
	count_pages(vmm, &pages, NULL, 0, count);
	free(pages.gfns);
	counted = gfns;
	return count;
}

static double remote_share(const struct vmm *vmm, int tid, const char *gfns)
{
	const unsigned long *count = where_are(vmm, gfns);
	unsigned long all = 0;
	int node;

	for (node = 0; node < NODES; node++)
		all += count[node];
	if (!all)
		errx(1, "no page of %s is anywhere", gfns);
	return 1 - (double)count[node_of(cpu_of(vmm->pid, tid))] / all;
}

int main(int argc, char **argv)
{
	struct vmm vmm;
	double sum = 0;
	int i;

	if (argc < 5 || argc % 2 == 0)
		errx(2, "usage: remote PID HVA TID GFNS [TID GFNS]...");
	vmm.pid = atoi(argv[1]);
	vmm.base = strtoul(argv[2], NULL, 16);
	for (i = 3; i < argc; i += 2)
		sum += remote_share(&vmm, atoi(argv[i]), argv[i + 1]);
	printf("%.0f\n", 1e6 * sum / ((argc - 3) / 2));
	return 0;
}
