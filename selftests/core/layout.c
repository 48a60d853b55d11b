// SPDX-License-Identifier: GPL-2.0
/*
 * The binary interface, spelled out a second time
 *
 * A structure or a constant that changes breaks guests, hosts and tools that
 * were built before. Built with LAYOUT_ONLY this file needs no C library and
 * checks the same while it is compiled, for ABIs that cannot be run here.
 */
#include <linux/kvm_pvx.h>

#define FIELD_SIZE(s, f)	sizeof(((struct s *)0)->f)
/* An array's elements count as unsigned. */
#define FIELD_SIGNED(s, f)						\
	(__builtin_classify_type(((struct s *)0)->f) == 1 &&		\
	 (__typeof__(0 ? ((struct s *)0)->f : ((struct s *)0)->f))(-1) < \
	 (__typeof__(0 ? ((struct s *)0)->f : ((struct s *)0)->f))1)

/* X(constant, value) */
#define CONSTANTS(X)							\
	X(PVX_ABI_VERSION,	1)					\
	X(PVX_HC_BASE,		0x50565800)				\
	X(PVX_HC_COUNT,		0x100)					\
	X(PVX_HC_NEGOTIATE,	0x50565800)				\
	X(PVX_HC_NOP,		0x50565801)				\
	X(PVX_HC_YIELD,		0x50565810)				\
	X(PVX_HC_KSM,		0x50565820)				\
	X(PVX_HC_FORK,		0x50565830)				\
	X(PVX_HC_NUMA,		0x50565840)				\
	X(PVX_HC_TEST,		0x505658fe)				\
	X(PVX_KSM_WORDS_MAX,	2048)					\
	X(PVX_KSM_RUN_WORDS,	2)					\
	X(PVX_KSM_GFN_BITS,	40)					\
	X(PVX_KSM_HASH_BITS,	48)					\
	X(PVX_KSM_WITHDRAWN,	0)					\
	X(PVX_KSM_TEXT,		1)					\
	X(PVX_KSM_FILE,		2)					\
	X(PVX_KSM_CONSTANT,	3)					\
	X(PVX_KSM_AGAIN,	1)					\
	X(PVX_F_YIELD,		0x1)					\
	X(PVX_F_KSM,		0x2)					\
	X(PVX_F_FORK,		0x4)					\
	X(PVX_F_NUMA,		0x8)					\
	X(PVX_F_ALL,		0xf)					\
	X(PVX_F_TEST,		0x4000000000000000)			\
	X(PVX_F_RESERVED,	0x8000000000000000)			\
	X(PVX_E_ARG(0),		2000)					\
	X(PVX_E_ARG(1),		2001)					\
	X(PVX_E_ARG(2),		2002)					\
	X(PVX_E_ARG(3),		2003)					\
	X(PVX_E_VERSION,	2010)					\
	X(PVX_E_UNSUPPORTED,	2011)					\
	X(PVX_E_BUSY,		2012)					\
	X(PVX_E_DATA,		2013)					\
	X(PVX_E_ENTRY(0),	3000)					\
	X(PVX_E_ENTRY(511),	3511)					\
	X(PVX_FORK_PAIRS_MAX,	512)					\
	X(PVX_FORK_OFF,		0)					\
	X(PVX_FORK_EAGER,	1)					\
	X(PVX_FORK_BACKGROUND,	2)					\
	X(PVX_FORK_CHILD,	0)					\
	X(PVX_FORK_PARENT,	1)					\
	X(PVX_NUMA_USES_MAX,	1024)					\
	X(PVX_NUMA_AGAIN,	1)					\
	X(PVX_NUMA_SHIFT_MIN,	21)					\
	X(PVX_NUMA_SHIFT_MAX,	30)					\
	X(PVX_NUMA_WEIGHT_MAX,	65535)					\
	X(PVX_NUMA_GROUP,	0xffffffff)				\
	X(PVX_NUMA_NOWHERE,	255)					\
	X(PVX_NUMA_VCPUS,	4080)					\
	X(PVX_YIELD_BOOSTED,	0)					\
	X(PVX_YIELD_RUNNING,	1)					\
	X(PVX_YIELD_IDLE,	2)					\
	X(PVX_YIELD_UNKNOWN,	3)					\
	X(PVX_YIELD_BUDGET,	4)					\
	X(PVX_YIELD_DECLINED,	5)					\
	X(PVX_YIELD_WOKEN,	6)					\
	X(PVX_YIELD_BOOSTED_FAR, 7)					\
	X(PVX_YIELD_STATUSES,	8)					\
	X(PVX_IOC_MAGIC,	0xba)					\
	X(PVX_IOC_INFO,		0xba00)					\
	X(PVX_IOC_GRANT,	0xba01)					\
	X(PVX_IOC_QUERY,	0xba02)					\
	X(PVX_IOC_GROUP,	0xba03)					\
	X(PVX_GROUP_NAME,	32)					\
	X(PVX_GROUP_JOIN,	1)					\
	X(PVX_CLOCK_SYSTEM,	-1)					\
	X(PVX_TIMER_ABSTIME,	1)					\
	X(PVX_IOC_FORK_SET,	0xba20)					\
	X(PVX_IOC_FORK_GET,	0xba21)					\
	X(PVX_IOC_FORK_STATUS,	0xba22)					\
	X(PVX_CLOCK_READ,	0xba10)					\
	X(PVX_CLOCK_SETTIME,	0xba11)					\
	X(PVX_CLOCK_GETTIME,	0xba12)

/* X(structure, size) */
#define STRUCTURES(X)							\
	X(pvx_info,	32)						\
	X(pvx_grant,	32)						\
	X(pvx_query,	48)						\
	X(pvx_group,	48)						\
	X(pvx_ksm_run,	16)						\
	X(pvx_fork_pair, 16)						\
	X(pvx_fork_control, 24)						\
	X(pvx_fork_status, 96)						\
	X(pvx_numa_use,	16)						\
	X(pvx_numa_nodes, 4096)						\
	X(pvx_clock_reading, 32)					\
	X(pvx_clock_timer, 40)

/* X(structure, field, offset, size, signed), all fields, in their order */
#define FIELDS(X)							\
	X(pvx_info,	size,			0,	4,	0)	\
	X(pvx_info,	abi_version,		4,	4,	0)	\
	X(pvx_info,	available,		8,	8,	0)	\
	X(pvx_info,	default_features,	16,	8,	0)	\
	X(pvx_info,	vms,			24,	4,	0)	\
	X(pvx_info,	reserved,		28,	4,	0)	\
	X(pvx_grant,	size,			0,	4,	0)	\
	X(pvx_grant,	vm_fd,			4,	4,	1)	\
	X(pvx_grant,	set,			8,	8,	0)	\
	X(pvx_grant,	clear,			16,	8,	0)	\
	X(pvx_grant,	granted,		24,	8,	0)	\
	X(pvx_query,	size,			0,	4,	0)	\
	X(pvx_query,	vm_fd,			4,	4,	1)	\
	X(pvx_query,	granted,		8,	8,	0)	\
	X(pvx_query,	negotiated,		16,	8,	0)	\
	X(pvx_query,	calls,			24,	8,	0)	\
	X(pvx_query,	refused,		32,	8,	0)	\
	X(pvx_query,	id,			40,	4,	0)	\
	X(pvx_query,	reserved,		44,	4,	0)	\
	X(pvx_group,	size,			0,	4,	0)	\
	X(pvx_group,	vm_fd,			4,	4,	1)	\
	X(pvx_group,	flags,			8,	4,	0)	\
	X(pvx_group,	reserved,		12,	4,	0)	\
	X(pvx_group,	name,			16,	32,	0)	\
	X(pvx_ksm_run,	gfn,			0,	8,	0)	\
	X(pvx_ksm_run,	pages,			8,	4,	0)	\
	X(pvx_ksm_run,	what,			12,	4,	0)	\
	X(pvx_fork_pair, source,	0,	8,	0)	\
	X(pvx_fork_pair, target,	8,	8,	0)	\
	X(pvx_fork_control, size,	0,	4,	0)	\
	X(pvx_fork_control, mode,	4,	4,	0)	\
	X(pvx_fork_control, side,	8,	4,	0)	\
	X(pvx_fork_control, reserved,	12,	4,	0)	\
	X(pvx_fork_control, least_bytes,16,	8,	0)	\
	X(pvx_fork_status, size,	0,	4,	0)	\
	X(pvx_fork_status, running,	4,	4,	0)	\
	X(pvx_fork_status, forks,	8,	8,	0)	\
	X(pvx_fork_status, privatised,	16,	8,	0)	\
	X(pvx_fork_status, owned,	24,	8,	0)	\
	X(pvx_fork_status, by_host,	32,	8,	0)	\
	X(pvx_fork_status, by_guest,	40,	8,	0)	\
	X(pvx_fork_status, calls,	48,	8,	0)	\
	X(pvx_fork_status, changed,	56,	8,	0)	\
	X(pvx_fork_status, no_memory,	64,	8,	0)	\
	X(pvx_fork_status, copy_ns,	72,	8,	0)	\
	X(pvx_fork_status, ns,		80,	8,	0)	\
	X(pvx_fork_status, threads,	88,	8,	0)	\
	X(pvx_numa_use,	vcpu,			0,	4,	0)	\
	X(pvx_numa_use,	block,			4,	4,	0)	\
	X(pvx_numa_use,	weight,			8,	4,	0)	\
	X(pvx_numa_use,	reserved,		12,	4,	0)	\
	X(pvx_numa_nodes, seq,			0,	4,	0)	\
	X(pvx_numa_nodes, nodes,		4,	4,	0)	\
	X(pvx_numa_nodes, cookie,		8,	8,	0)	\
	X(pvx_numa_nodes, node,			16,	4080,	0)	\
	X(pvx_clock_reading, size,		0,	4,	0)	\
	X(pvx_clock_reading, cpu,		4,	4,	1)	\
	X(pvx_clock_reading, monotonic_ns,	8,	8,	0)	\
	X(pvx_clock_reading, stolen_ns,		16,	8,	0)	\
	X(pvx_clock_reading, effective_ns,	24,	8,	0)	\
	X(pvx_clock_timer, size,		0,	4,	0)	\
	X(pvx_clock_timer, flags,		4,	4,	0)	\
	X(pvx_clock_timer, cpu,			8,	4,	1)	\
	X(pvx_clock_timer, reserved,		12,	4,	0)	\
	X(pvx_clock_timer, value_ns,		16,	8,	1)	\
	X(pvx_clock_timer, interval_ns,		24,	8,	1)	\
	X(pvx_clock_timer, defer_max_ns,	32,	8,	1)

#ifdef LAYOUT_ONLY

#define ASSERT_CONSTANT(c, v)						\
	_Static_assert((c) == (v), #c);
#define ASSERT_STRUCTURE(s, n)						\
	_Static_assert(sizeof(struct s) == (n), #s);
#define ASSERT_FIELD(s, f, o, n, g)					\
	_Static_assert(__builtin_offsetof(struct s, f) == (o) &&	\
		       FIELD_SIZE(s, f) == (n) &&			\
		       FIELD_SIGNED(s, f) == (g), #s "." #f);

CONSTANTS(ASSERT_CONSTANT)
STRUCTURES(ASSERT_STRUCTURE)
FIELDS(ASSERT_FIELD)

#else

#include <stddef.h>
#include <string.h>

#include "../lib/tap.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static const struct constant {
	const char *name;
	unsigned long long is, must;
} constants[] = {
#define CONSTANT(c, v)	{ #c, c, v },
	CONSTANTS(CONSTANT)
};

static const struct structure {
	const char *name;
	size_t is, must;
} structures[] = {
#define STRUCTURE(s, n)	{ #s, sizeof(struct s), n },
	STRUCTURES(STRUCTURE)
};

static const struct field {
	const char *structure, *name;
	size_t offset, must_offset, size, must_size;
	bool is_signed, must_signed;
} fields[] = {
#define FIELD(s, f, o, n, g)						\
	{ #s, #f, offsetof(struct s, f), o, FIELD_SIZE(s, f), n,	\
	  FIELD_SIGNED(s, f), g },
	FIELDS(FIELD)
};

static void test_constants(void)
{
	const struct constant *c;

	for (c = constants; c < constants + ARRAY_SIZE(constants); c++)
		if (!tap_ok(c->is == c->must, "%s", c->name))
			printf("# 0x%llx, not 0x%llx\n", c->is, c->must);
}

/* The fields checked are all there are, with nothing between them. */
static bool is_packed(const struct structure *s)
{
	const struct field *f;
	size_t end = 0;

	for (f = fields; f < fields + ARRAY_SIZE(fields); f++) {
		if (strcmp(f->structure, s->name))
			continue;
		if (f->offset != end)
			return false;
		end += f->size;
	}
	return end == s->is;
}

static void test_structures(void)
{
	const struct structure *s;
	const struct field *f;

	for (s = structures; s < structures + ARRAY_SIZE(structures); s++) {
		tap_ok(s->is == s->must, "size of struct %s", s->name);
		tap_ok(is_packed(s), "struct %s has no hidden padding", s->name);
	}
	for (f = fields; f < fields + ARRAY_SIZE(fields); f++)
		tap_ok(f->offset == f->must_offset && f->size == f->must_size &&
		       f->is_signed == f->must_signed,
		       "struct %s, %s", f->structure, f->name);
}

/* Rules that the numbers keep among themselves. */
static void test_rules(void)
{
	size_t i;

	tap_ok(PVX_HC_BASE > 0xffff && PVX_HC_BASE + PVX_HC_COUNT > PVX_HC_BASE,
	       "the block is far from upstream's and inside 32 bits");
	for (i = 0; i < ARRAY_SIZE(constants); i++)
		if (!strncmp(constants[i].name, "PVX_HC_", 7) &&
		    constants[i].is - PVX_HC_BASE >= PVX_HC_COUNT &&
		    constants[i].is != PVX_HC_COUNT)
			break;
	tap_ok(i == ARRAY_SIZE(constants), "each hypercall is in the block");
	tap_ok(!(PVX_F_ALL & PVX_F_RESERVED), "no feature is reserved");
	tap_ok(!(PVX_F_ALL & PVX_F_TEST), "the tests' feature is none of them");
	tap_ok(_IOC_SIZE(PVX_IOC_INFO) == 0 && _IOC_SIZE(PVX_IOC_GRANT) == 0 &&
	       _IOC_SIZE(PVX_IOC_QUERY) == 0, "no ioctl's number has a size");
}

/* --- is all of the header checked? --------------------------------------- */

/* The name of our own that a line of the header defines, or an empty one. */
static void defined_name(const char *line, char name[64])
{
	name[0] = '\0';
	if (sscanf(line, "#define %63[A-Z0-9_]", name) != 1 &&
	    sscanf(line, "struct %63[a-z0-9_] {", name) != 1 &&
	    sscanf(line, "\t%63[A-Z0-9_]", name) != 1)
		name[0] = '\0';
	if (strncmp(name, "PVX_", 4) && strncmp(name, "pvx_", 4))
		name[0] = '\0';
}

static bool is_checked(const char *name)
{
	size_t i, len = strlen(name);
	char end;

	for (i = 0; i < ARRAY_SIZE(constants); i++) {
		if (strncmp(constants[i].name, name, len))
			continue;
		/* A macro with an argument stands here with each. */
		end = constants[i].name[len];
		if (end == '\0' || end == '(')
			return true;
	}
	for (i = 0; i < ARRAY_SIZE(structures); i++)
		if (!strcmp(structures[i].name, name))
			return true;
	return false;
}

static void test_complete(const char *header)
{
	unsigned int found = 0, missed = 0;
	FILE *file = fopen(header, "r");
	char line[256], name[64];

	if (!file) {
		tap_skip("all of the header is checked", "cannot read it");
		return;
	}
	while (fgets(line, sizeof(line), file)) {
		defined_name(line, name);
		if (!name[0])
			continue;
		found++;
		if (is_checked(name))
			continue;
		printf("# %s is not checked\n", name);
		missed++;
	}
	fclose(file);
	tap_ok(found > 20 && !missed, "all of the header is checked: %u names",
	       found);
}

int main(void)
{
	tap_begin();
	test_constants();
	test_structures();
	test_rules();
	test_complete(PVX_UAPI_HEADER);
#ifdef HAVE_M32
	tap_ok(true, "all of it is the same for 32-bit programs");
#else
	tap_skip("all of it is the same for 32-bit programs",
		 "the compiler has no -m32");
#endif
	return tap_done();
}

#endif /* !LAYOUT_ONLY */
