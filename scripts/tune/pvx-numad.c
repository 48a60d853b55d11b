// SPDX-License-Identifier: GPL-2.0
/*
 * pvx-numad: moves VMs' memory to the nodes that pvx_host_numa says it would be better on
 */
#include <argp.h>
#include <err.h>
#include <errno.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mempolicy.h"
#include "tool.h"

#define COUNTERS	"/sys/kernel/debug/pvx_host/*/features"
#define ADVICE		"numa_advice"
#define VMM		"numa_vmm="

#define MPOL_MF_MOVE	(1 << 1)
/*
 * Pages that are moved between two pauses, 8 MiB. For each call the kernel waits for all CPUs, so
 * it is not to be called for each page or two.
 */
#define PAGES		2048
/* That part of a node's memory is left free, caches counted as such. */
#define LEFT_PART	32
/* A block that was gone over stays for so many seconds; if it is so again soon, twice as many. */
#define STAY_MIN_S	4
#define STAY_MAX_S	256
/* So many blocks are remembered. */
#define PAST_MAX	4096

struct arguments {
	unsigned long	rate;		/* MiB per second */
	unsigned long	interval;	/* seconds */
	bool		once;
	bool		dry_run;
	bool		verbose;
};

struct advice {
	unsigned long		address;
	unsigned long long	bytes;
	unsigned int		node;
	unsigned int		permille;
};

const char *argp_program_version = "pvx-numad 0.1 (kvm-pvx)";

static const struct argp_option options[] = {
	{ "rate", 'r', "MIB", 0, "what is moved in a second at most (default 64)", 0 },
	{ "interval", 'i', "S", 0, "seconds between two looks (default 1)", 0 },
	{ "once", 'o', NULL, 0, "end after one look", 0 },
	{ "dry-run", 'n', NULL, 0, "only say what would be moved", 0 },
	{ "verbose", 'v', NULL, 0, "say what is moved", 0 },
	{ NULL, 'h', NULL, OPTION_HIDDEN, "as --help", 0 },
	{ 0 },
};

static unsigned long page_size;

/* --- arguments ------------------------------------------------------------- */

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'r':
		a->rate = tool_positive(state, arg);
		break;
	case 'i':
		a->interval = tool_positive(state, arg);
		break;
	case 'o':
		a->once = true;
		break;
	case 'n':
		a->dry_run = a->verbose = true;
		break;
	case 'v':
		a->verbose = true;
		break;
	default:
		return tool_parse_other(key, arg, state);
	}
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Move memory of VMs to the nodes whose CPUs use it most, as pvx_host_numa advises "
	       "where vCPUs cannot go to their memory. What was moved stays for a while, and "
	       "nothing goes to a node that is nearly full, or that its policy does not name.\v"
	       "Needs root, and debugfs. SIGTERM or SIGINT ends it; what was moved stays.\n"
	       "Exit status: 0; 1 if pvx_host_numa is missing or this kernel moves no memory; 2 "
	       "for wrong usage.",
};

/* --- what speaks against it ----------------------------------------------------- */

/* Bytes that may go to a node; 0 also where that cannot be told. */
static unsigned long long left_on(unsigned int node)
{
	unsigned long long kib, all = 0, left = 0;
	char path[64], line[256], key[64];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/meminfo", node);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Node %*u %63[^:]: %llu", key, &kib) != 2)
			continue;
		if (!strcmp(key, "MemTotal"))
			all = kib;
		else if (!strcmp(key, "MemFree") || !strcmp(key, "Inactive(file)"))
			left += kib;
	}
	fclose(file);
	return left > all / LEFT_PART ? (left - all / LEFT_PART) << 10 : 0;
}

/* The blocks that were gone over last, and how long they stay. The oldest make room. */
static struct past {
	int		pid;
	unsigned long	address;
	time_t		until;
	unsigned int	stay_s;
} pasts[PAST_MAX];
static unsigned long nr_pasts;
/* Times that something of a block was moved. */
static unsigned long moves;

static time_t now(void)
{
	return tool_now_ns() / 1000000000;
}

static struct past *past_of(int pid, unsigned long address)
{
	unsigned int i;

	for (i = 0; i < PAST_MAX; i++)
		if (pasts[i].pid == pid && pasts[i].address == address)
			return &pasts[i];
	return NULL;
}

/* Also if nothing of it could be moved, so that others have their turn. */
static void note_tried(int pid, unsigned long address)
{
	struct past *past = past_of(pid, address);

	if (!past) {
		past = &pasts[nr_pasts++ % PAST_MAX];
		*past = (struct past){ .pid = pid, .address = address };
	}
	if (now() > past->until + STAY_MAX_S)
		past->stay_s = 0;
	past->stay_s = past->stay_s ? 2 * past->stay_s : STAY_MIN_S;
	if (past->stay_s > STAY_MAX_S)
		past->stay_s = STAY_MAX_S;
	past->until = now() + past->stay_s;
}

static bool stays(int pid, unsigned long address)
{
	const struct past *past = past_of(pid, address);

	return past && past->until > now();
}

/* --- moving ------------------------------------------------------------------- */

static long move_pages(int pid, unsigned long count, void **pages, const int *nodes, int *status)
{
	return syscall(SYS_move_pages, pid, count, pages, nodes, status, MPOL_MF_MOVE);
}

/* For what is left of the time that moving so many pages is to take. */
static void pause_for(unsigned long pages, unsigned long rate, unsigned long long since_ns)
{
	const double all = 1e6 * pages * page_size / rate / (1 << 20);
	const double used = (tool_now_ns() - since_ns) / 1e3;

	if (used < all)
		tool_wait_us(all - used);
}

/* Of these pages, those that are elsewhere. Returns how many, or -1 with errno. */
static long find_elsewhere(int pid, void **pages, unsigned long count, int node)
{
	unsigned long i, found = 0;
	int status[PAGES];

	if (move_pages(pid, count, pages, NULL, status))
		return -1;
	for (i = 0; i < count; i++)
		if (status[i] >= 0 && status[i] != node)
			pages[found++] = pages[i];
	return found;
}

/* Returns how many of the pages were moved, or -1 with errno. */
static long move_some(const struct arguments *a, int pid, void **pages, unsigned long count,
		      int node)
{
	const unsigned long long since = tool_now_ns();
	int nodes[PAGES], status[PAGES];
	long found = find_elsewhere(pid, pages, count, node), i, moved = 0;

	if (found <= 0 || a->dry_run)
		return found;
	for (i = 0; i < found; i++) {
		nodes[i] = node;
		/* It stays so for pages that are not got to. */
		status[i] = -1;
	}
	if (move_pages(pid, found, pages, nodes, status) < 0)
		return -1;
	for (i = 0; i < found; i++)
		moved += status[i] == node;
	pause_for(found, a->rate, since);
	return moved;
}

/*
 * Of one VM nothing may be movable just now: it ends, or must not use that node, or the node
 * is full.
 */
static bool is_of_one_vm(int error)
{
	switch (error) {
	case EACCES:
	case EBUSY:
	case EINVAL:
	case ENODEV:
	case ENOENT:
	case ENOMEM:
	case EPERM:
	case ESRCH:
		return true;
	}
	return false;
}

/*
 * Up to @until, so that no VM has it all, however large its blocks. False if it cannot be done at
 * all.
 */
static bool move(const struct arguments *a, int pid, const struct advice *advice, time_t until)
{
	unsigned long long at, end = advice->address + advice->bytes;
	unsigned long n, all = 0;
	void *pages[PAGES];
	bool good = true;
	long got;

	for (at = advice->address; at < end && now() <= until && !tool_ended;) {
		for (n = 0; n < PAGES && at < end; n++, at += page_size)
			pages[n] = (void *)(unsigned long)at;
		got = move_some(a, pid, pages, n, advice->node);
		if (got < 0) {
			good = is_of_one_vm(errno);
			if (!good || a->verbose)
				warn("process %d, node %u", pid, advice->node);
			break;
		}
		all += got;
	}
	if (at >= end && !a->dry_run)
		note_tried(pid, advice->address);
	moves += all && !a->dry_run;
	if (all && a->verbose)
		printf("process %d: %#lx: %lu pages %s to node %u, for %u.%u %% of what it uses\n",
		       pid, advice->address, all, a->dry_run ? "would go" : "moved",
		       advice->node, advice->permille / 10, advice->permille % 10);
	fflush(stdout);
	return good;
}

/* --- advice ------------------------------------------------------------------- */

static bool is_advice(const char *line, struct advice *a)
{
	return !strncmp(line, ADVICE, strlen(ADVICE)) &&
	       sscanf(strchr(line, '=') ?: "", "=%lx %llu %u %u", &a->address, &a->bytes,
		      &a->node, &a->permille) == 4;
}

static bool may_move(int pid, const struct advice *a)
{
	return !stays(pid, a->address) && left_on(a->node) >= a->bytes &&
	       mempolicy_allows(pid, a->address, a->bytes, a->node);
}

static bool follow_file(const struct arguments *a, FILE *file)
{
	const time_t old = now() + a->interval;
	struct advice advice;
	char line[4096];
	bool good = true;
	int pid = 0;

	/* Moving takes its time, and by then other memory may be more worth it. */
	while (good && !tool_ended && now() <= old && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, VMM, strlen(VMM)))
			pid = atoi(line + strlen(VMM));
		if (pid > 0 && is_advice(line, &advice) && may_move(pid, &advice))
			good = move(a, pid, &advice, old);
	}
	return good;
}

static bool look(const struct arguments *a)
{
	bool good = true;
	glob_t files;
	size_t i;
	FILE *file;

	if (glob(COUNTERS, 0, NULL, &files))
		return true;
	for (i = 0; i < files.gl_pathc && good && !tool_ended; i++) {
		file = fopen(files.gl_pathv[i], "re");
		/* The VM may have ended. */
		if (!file)
			continue;
		good = follow_file(a, file);
		fclose(file);
	}
	globfree(&files);
	return good;
}

int main(int argc, char **argv)
{
	struct arguments a = { .rate = 64, .interval = 1 };
	unsigned long before;

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	page_size = sysconf(_SC_PAGESIZE);
	if (access("/sys/module/pvx_host_numa", F_OK))
		errx(EXIT_FAILED, "pvx_host_numa is not loaded");
	tool_end_on_signals();
	while (!tool_ended) {
		before = moves;
		if (!look(&a))
			return EXIT_FAILED;
		if (a.once)
			break;
		/* To move takes its time; then there may be more to be moved. */
		if (moves == before)
			tool_wait(a.interval);
	}
	return 0;
}
