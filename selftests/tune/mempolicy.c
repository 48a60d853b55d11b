// SPDX-License-Identifier: GPL-2.0
/*
 * Test of scripts/tune/mempolicy.c, on what kernels tell and on memory of its own
 */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../lib/tap.h"
#include "../../scripts/tune/mempolicy.c"
#include "../../scripts/tune/tool.c"

#define MPOL_BIND	2
#define MIB		(1UL << 20)

const char *argp_program_version;

static const char maps[] =
	"100000 default anon=1 dirty=1 N0=1 kernelpagesize_kB=4\n"
	"200000 bind:0 anon=1 dirty=1 N0=1 kernelpagesize_kB=4\n"
	"300000 bind=static:1-2,5 anon=1 N1=1 kernelpagesize_kB=4\n"
	"400000 prefer:1 file=/dev/zero (deleted):7 anon=1\n"
	"500000 prefer (many):0-1 anon=1\n"
	"600000 interleave:0-1 anon=1\n"
	"700000 local anon=1\n"
	"800000 weighted interleave:0-1 anon=1\n"
	"900000 default file=/tmp/a:1 mapped=1\n";

static const struct {
	const char		*name;
	unsigned long		address;
	unsigned long		bytes;
	unsigned int		node;
	bool			allowed;
} cases[] = {
	{ "without a policy it may go anywhere", 0x100000, MIB, 3, true },
	{ "what is bound stays", 0x200000, MIB, 1, false },
	{ "or comes back", 0x200000, MIB, 0, true },
	{ "to the first of some nodes", 0x300000, MIB, 1, true },
	{ "within a range of them", 0x300000, MIB, 2, true },
	{ "to the last one", 0x300000, MIB, 5, true },
	{ "not in between", 0x300000, MIB, 3, false },
	{ "nor to a node whose number begins so", 0x300000, MIB, 51, false },
	{ "to the node that is preferred", 0x400000, MIB, 1, true },
	{ "not to another one", 0x400000, MIB, 7, false },
	{ "to one of several", 0x500000, MIB, 1, true },
	{ "and to no other", 0x500000, MIB, 2, false },
	{ "what is interleaved stays", 0x600000, MIB, 0, false },
	{ "what is local to whoever uses it may go", 0x700000, MIB, 1, true },
	{ "what is interleaved by weights stays", 0x800000, MIB, 0, false },
	{ "a file's name is no policy", 0x900000, MIB, 2, true },
	{ "in the middle of what is bound", 0x280000, MIB / 4, 1, false },
	{ "where both may go", 0x400000, 2 * MIB, 1, true },
	{ "where the second one may not", 0x100000, 2 * MIB, 1, false },
	{ "where the first one may not", 0x600000, 2 * MIB, 1, false },
	{ "before all that is known", 0x1000, 4096, 0, false },
};

static void test_maps(void)
{
	struct ranges ranges = { 0 };
	FILE *file = fmemopen((void *)maps, strlen(maps), "r");
	size_t i;

	read_ranges(file, &ranges);
	fclose(file);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		tap_ok(all_allow(&ranges, cases[i].address, cases[i].bytes, cases[i].node) ==
		       cases[i].allowed, "%s", cases[i].name);
	forget(&ranges);
	tap_ok(!all_allow(&ranges, 0x100000, MIB, 0), "nothing is known");
}

/* Node 0 is there on any machine. */
static void test_own_memory(void)
{
	const unsigned long size = 4 * MIB, bound = 1;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || access("/proc/self/numa_maps", R_OK)) {
		tap_skip("memory of our own", "this kernel tells no policies");
		return;
	}
	memset(memory, 1, size);
	tap_ok(mempolicy_allows(getpid(), (unsigned long)memory, size, 1), "our own has no policy");
	if (syscall(SYS_mbind, memory + MIB, MIB, MPOL_BIND, &bound, 2, 0)) {
		tap_skip("our own is bound", "this kernel binds no memory");
		return;
	}
	tap_ok(mempolicy_allows(getpid(), (unsigned long)memory, size, 1),
	       "what was told holds for a while");
	known[0].until = 0;
	tap_ok(!mempolicy_allows(getpid(), (unsigned long)memory, size, 1), "then some of it is bound");
	tap_ok(mempolicy_allows(getpid(), (unsigned long)memory, size, 0), "to where all of it may go");
	tap_ok(mempolicy_allows(getpid(), (unsigned long)memory, MIB, 1),
	       "what is before it may go anywhere");
	tap_ok(mempolicy_allows(getpid(), (unsigned long)memory + 2 * MIB, MIB, 1),
	       "so may what is behind");
	tap_ok(!mempolicy_allows(1 << 30, (unsigned long)memory, MIB, 0), "no such process");
}

int main(void)
{
	tap_begin();
	test_maps();
	test_own_memory();
	return tap_done();
}
