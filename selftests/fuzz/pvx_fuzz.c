// SPDX-License-Identifier: GPL-2.0
/*
 * Hypercalls at random, from several vCPUs at once
 *
 * Reading debugfs pvx_fuzz/run makes @calls of them: all that the interface has and others,
 * with arguments and lists that are right, nearly right, or wrong, and with lists that
 * another thread changes while the host reads them. It prints what was answered, a "key=value"
 * per line; "wrong" is how many answers there were that a call may not have, and "changed" how
 * many pages of ours were found other than they must be.
 *
 * The host writes to a guest's memory where it is told to: to targets of PVX_HC_FORK, and to
 * the page that PVX_HC_NUMA names. make_harmless() is the last to look at each call, and sees
 * to it that these are memory of ours, or no memory at all. Lists of PVX_HC_FORK are in memory
 * that never holds anything but such targets, wherever the host begins to read.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/kvm_para.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <linux/kvm_pvx.h>

#include "answers.h"

static unsigned int calls = 20000;
module_param(calls, uint, 0644);
MODULE_PARM_DESC(calls, "Hypercalls of a run (default 20000)");

static unsigned long long seed;
module_param(seed, ullong, 0644);
MODULE_PARM_DESC(seed, "Seed of a run (default 0: another one each time)");

static unsigned int threads;
module_param(threads, uint, 0444);
MODULE_PARM_DESC(threads, "Threads that call, on a CPU each (default 0: one per CPU)");

static bool race = true;
module_param(race, bool, 0644);
MODULE_PARM_DESC(race, "Change lists while the host reads them (default Y)");

static unsigned long end_gfn;
module_param(end_gfn, ulong, 0444);
MODULE_PARM_DESC(end_gfn,
	"Number of the page behind all memory, where no more is taken to be (must be set)");

/*
 * A caller's memory, in pages from its beginning on. What is in none of these areas is there
 * to stay as it is. The pool comes first, so that numbers of two of its pages differ in one
 * byte only.
 */
#define POOL_AT		0
#define POOL_PAGES	256
#define FORK_AT		256
#define FORK_RACED_AT	260
#define FORK_PAGES	4
#define LIST_AT		264
#define LIST_RACED_AT	272
#define LIST_PAGES	8
#define NUMA_AT		281
#define BLOCK_PAGES	512
#define BLOCK_ORDER	9

#define WORDS_OF(pages)	((u32)((pages) * PAGE_SIZE / sizeof(u64)))
/* The longest list in words. */
#define WORDS_MAX	PVX_KSM_WORDS_MAX
static_assert(PVX_NUMA_USES_MAX * sizeof(struct pvx_numa_use) <= WORDS_MAX * sizeof(u64));
static_assert(PVX_FORK_PAIRS_MAX * sizeof(struct pvx_fork_pair) <= WORDS_MAX * sizeof(u64));
static_assert(BLOCK_PAGES == 1 << BLOCK_ORDER);

/* Behind what it writes to of that page, for APIC ids below 256. */
#define NUMA_TAIL	(offsetof(struct pvx_numa_nodes, node) + 256)
#define NUMA_FILL	0x5a
#define NUMA_FILLED	(NUMA_FILL * 0x01010101U)
/* Blocks of 16 MiB mostly, since with others the host forgets all. */
#define NUMA_SHIFT	24
/*
 * One in so many withdraws all, or has other blocks. The host makes room anew once a second only,
 * and looks a second after that.
 */
#define NUMA_SELDOM	1024

/* So often, in calls of a thread, all of its memory is looked at. */
#define CHECK_CALLS	2048

enum fuzz_kind {
	KIND_NEGOTIATE, KIND_NOP, KIND_YIELD, KIND_KSM, KIND_FORK, KIND_NUMA, KIND_OTHER, KINDS,
};

enum fuzz_answer {
	SAID_OK, SAID_ENOSYS, SAID_ARG0, SAID_ARG1, SAID_ARG2, SAID_ARG3, SAID_VERSION, SAID_BUSY,
	SAID_DATA, SAID_ENTRY, SAID_WRONG, ANSWERS,
};

/**
 * struct caller - a thread, and its memory
 * @task: the thread
 * @random: state of its random numbers
 * @block: its memory
 * @gfn: number of the first page of that
 * @left: calls that it has to make
 * @hot: word in each area of raced lists where the last list begins
 * @stamp: what all words of a page are; 0: that is not known
 * @last_stamp: the stamp that was used last
 * @count: answers
 * @wrong: answers that may not be
 * @changed: pages that were found changed
 * @copied: pages that the host copied
 * @raced: calls with a list that was changed meanwhile
 * @told: times that the host was seen to have written to its page
 * @words: the list of the next call, as it is made
 */
struct caller {
	struct task_struct	*task;
	u64			random;
	void			*block;
	u64			gfn;
	u32			left;
	u32			hot[2];
	u64			stamp[BLOCK_PAGES];
	u64			last_stamp;
	u64			count[KINDS][ANSWERS];
	u64			wrong;
	u64			changed;
	u64			copied;
	u64			raced;
	u64			told;
	u64			words[WORDS_MAX];
};

/**
 * struct call - a call that is made up
 * @nr: its number
 * @a: its arguments
 * @words: length of its list; 0: it has none
 * @list: where that was put
 * @raced: its list is changed meanwhile
 */
struct call {
	u32	nr;
	u64	a[4];
	u32	words;
	u64	*list;
	bool	raced;
};

static struct caller *callers;
static struct task_struct *spoiler;
static atomic_t running;
static DECLARE_COMPLETION(all_done);
static DEFINE_MUTEX(one_at_a_time);

/* --- random numbers -------------------------------------------------------- */

static u64 next_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static u32 below(u64 *state, u32 n)
{
	return (next_random(state) >> 32) * n >> 32;
}

static bool one_in(u64 *state, u32 n)
{
	return !below(state, n);
}

/* --- a caller's memory ------------------------------------------------------ */

static u64 gpa_of(const struct caller *c, u32 page)
{
	return (c->gfn + page) << PAGE_SHIFT;
}

static u64 end_gpa(void)
{
	return (u64)end_gfn << PAGE_SHIFT;
}

static u64 *page_of(const struct caller *c, u32 page)
{
	return c->block + page * PAGE_SIZE;
}

static struct pvx_numa_nodes *nodes_of(const struct caller *c)
{
	return (struct pvx_numa_nodes *)page_of(c, NUMA_AT);
}

static void stamp_page(struct caller *c, u32 page)
{
	c->stamp[page] = ++c->last_stamp;
	memset64(page_of(c, page), c->stamp[page], WORDS_OF(1));
}

static void complain(struct caller *c, u32 page, u32 word)
{
	c->changed++;
	pr_err_ratelimited("page %u of thread %u, word %u: %#llx where %#llx must be\n", page,
			   (u32)(c - callers), word, page_of(c, page)[word], c->stamp[page]);
}

static void check_page(struct caller *c, u32 page)
{
	const u64 *words = page_of(c, page);
	u32 i;

	for (i = 0; i < WORDS_OF(1) && words[i] == c->stamp[page]; i++)
		;
	if (i == WORDS_OF(1))
		return;
	complain(c, page, i);
	stamp_page(c, page);
}

/* The host may write to the beginning of that page at any time, and to no more of it. */
static void check_nodes(struct caller *c)
{
	const void *tail = (void *)nodes_of(c) + NUMA_TAIL;

	if (READ_ONCE(nodes_of(c)->nodes) != NUMA_FILLED) {
		c->told++;
		WRITE_ONCE(nodes_of(c)->nodes, NUMA_FILLED);
	}
	if (!memchr_inv(tail, NUMA_FILL, PAGE_SIZE - NUMA_TAIL))
		return;
	c->changed++;
	pr_err_ratelimited("the page for PVX_HC_NUMA was written to behind its end\n");
	memset((void *)nodes_of(c) + NUMA_TAIL, NUMA_FILL, PAGE_SIZE - NUMA_TAIL);
}

static void check_memory(struct caller *c)
{
	u32 page;

	for (page = 0; page < BLOCK_PAGES; page++) {
		if (c->stamp[page])
			check_page(c, page);
		cond_resched();
	}
	check_nodes(c);
}

static bool is_area(u32 page)
{
	return (page >= FORK_AT && page < LIST_RACED_AT + LIST_PAGES) || page == NUMA_AT;
}

/* Stamps of two threads differ, and none is 0. */
static void begin_memory(struct caller *c)
{
	u32 page;

	c->last_stamp = (u64)(c - callers + 1) << 48;
	for (page = 0; page < BLOCK_PAGES; page++) {
		if (is_area(page))
			c->stamp[page] = 0;
		else
			stamp_page(c, page);
	}
	/* A target that is harmless, wherever a list is begun that was never written. */
	memset64(page_of(c, FORK_AT), c->gfn, WORDS_OF(FORK_PAGES));
	memset64(page_of(c, FORK_RACED_AT), c->gfn, WORDS_OF(FORK_PAGES));
	memset(page_of(c, LIST_AT), 0, LIST_PAGES * PAGE_SIZE);
	memset(page_of(c, LIST_RACED_AT), 0, LIST_PAGES * PAGE_SIZE);
	memset(nodes_of(c), NUMA_FILL, PAGE_SIZE);
}

/* --- values that are likely to break something ------------------------------ */

static u64 edge(struct caller *c)
{
	static const u64 edges[] = {
		0, 1, 7, 8, 15, 16, PAGE_SIZE - 8, PAGE_SIZE - 1, PAGE_SIZE,
		PVX_FORK_PAIRS_MAX, PVX_FORK_PAIRS_MAX + 1, PVX_NUMA_USES_MAX,
		PVX_NUMA_USES_MAX + 1, PVX_KSM_WORDS_MAX, PVX_KSM_WORDS_MAX + 1,
		PVX_NUMA_WEIGHT_MAX, PVX_NUMA_WEIGHT_MAX + 1, S32_MAX, U32_MAX - 1, U32_MAX,
		1ULL << 32, (1ULL << 32) + 1, (1ULL << PVX_KSM_GFN_BITS) - 1,
		1ULL << PVX_KSM_GFN_BITS, 1ULL << PVX_KSM_HASH_BITS, 1ULL << 45, 1ULL << 52,
		S64_MAX, 1ULL << 63, U64_MAX - 7, U64_MAX,
		/* Numbers and addresses of an interrupt controller, another one, firmware. */
		0xfee00, 0xfec00, 0xfffff, 0xfee00000, 0xfec00000, 0xfffff000, 0xfffffff8,
	};

	switch (below(&c->random, 8)) {
	case 0:
		return end_gfn - below(&c->random, 2);
	case 1:
		return end_gpa() - 8 * below(&c->random, 4);
	case 2:
		return gpa_of(c, 1 + below(&c->random, BLOCK_PAGES)) - 8 * below(&c->random, 3);
	default:
		return edges[below(&c->random, ARRAY_SIZE(edges))];
	}
}

static u64 mutate(struct caller *c, u64 value)
{
	switch (below(&c->random, 6)) {
	case 0:
	case 1:
		return value ^ BIT_ULL(below(&c->random, 64));
	case 2:
		return value + 1;
	case 3:
		return value - 1;
	case 4:
		return next_random(&c->random);
	default:
		return edge(c);
	}
}

static void mutate_words(struct caller *c, struct call *call)
{
	u32 i, j, n = 1 + below(&c->random, 3);

	while (n--) {
		i = below(&c->random, call->words);
		j = below(&c->random, call->words);
		switch (below(&c->random, 4)) {
		case 0:
			swap(c->words[i], c->words[j]);
			break;
		case 1:
			c->words[i] = c->words[j];
			break;
		default:
			c->words[i] = mutate(c, c->words[i]);
		}
	}
}

static void mutate_args(struct caller *c, struct call *call)
{
	const u32 i = below(&c->random, 4), j = below(&c->random, 4);

	if (one_in(&c->random, 4))
		swap(call->a[i], call->a[j]);
	else
		call->a[i] = mutate(c, call->a[i]);
	if (one_in(&c->random, 16))
		call->nr ^= BIT(below(&c->random, 32));
}

/* --- calls that are right --------------------------------------------------- */

static void make_negotiate(struct caller *c, struct call *call)
{
	call->nr = PVX_HC_NEGOTIATE;
	call->a[0] = PVX_ABI_VERSION;
	call->a[1] = PVX_F_ALL;
	if (one_in(&c->random, 4))
		call->a[1] = next_random(&c->random) & ~PVX_F_RESERVED;
}

static void make_nop(struct caller *c, struct call *call)
{
	call->nr = PVX_HC_NOP;
}

static void make_yield(struct caller *c, struct call *call)
{
	call->nr = PVX_HC_YIELD;
	call->a[0] = below(&c->random, num_online_cpus() + 1);
}

#define RUN_PAGES	16

/* One in so many withdraws all. */
static void make_ksm(struct caller *c, struct call *call)
{
	const u32 most = one_in(&c->random, 8) ? PVX_KSM_WORDS_MAX : 64;
	u64 gfn = below(&c->random, end_gfn);
	struct pvx_ksm_run *run;
	u32 i, n = 0;

	call->nr = PVX_HC_KSM;
	if (one_in(&c->random, 32))
		return;
	while (n + PVX_KSM_RUN_WORDS + RUN_PAGES <= most && (!n || !one_in(&c->random, 64))) {
		run = (struct pvx_ksm_run *)(c->words + n);
		run->gfn = gfn;
		run->pages = 1 + below(&c->random, RUN_PAGES);
		run->what = below(&c->random, PVX_KSM_CONSTANT + 1);
		n += PVX_KSM_RUN_WORDS;
		/* Few contents, so that pages have peers. */
		for (i = 0; i < run->pages; i++)
			c->words[n++] = below(&c->random, 64);
		gfn += run->pages + below(&c->random, 16);
	}
	call->words = call->a[1] = n;
}

/* Targets are in one half of the pool, and sources in the other one. */
static void make_fork(struct caller *c, struct call *call)
{
	struct pvx_fork_pair *pairs = (struct pvx_fork_pair *)c->words;
	const u32 half = POOL_PAGES / 2, first = one_in(&c->random, 2) ? half : 0;
	const u32 most = 1 + below(&c->random, one_in(&c->random, 2) ? 8 : half);
	const bool adjacent = one_in(&c->random, 2);
	u32 n, at = below(&c->random, half - most + 1);

	for (n = 0; n < most && at < half; n++) {
		pairs[n].target = c->gfn + first + at;
		pairs[n].source = c->gfn + (half - first) +
				  (adjacent ? at : below(&c->random, half));
		at += one_in(&c->random, 8) ? 2 : 1;
	}
	/* Any memory can be a source. */
	if (one_in(&c->random, 16))
		pairs[below(&c->random, n)].source = below(&c->random, end_gfn);
	call->nr = PVX_HC_FORK;
	call->a[1] = n;
	call->words = n * sizeof(*pairs) / sizeof(u64);
}

static u32 fill_uses(struct caller *c, u32 blocks, u32 most)
{
	struct pvx_numa_use *uses = (struct pvx_numa_use *)c->words;
	u32 vcpu, block, n = 0;

	for (vcpu = 0; vcpu < num_online_cpus() && n < most; vcpu++) {
		for (block = below(&c->random, 4); block < blocks && n < most;
		     block += 1 + below(&c->random, 8))
			uses[n++] = (struct pvx_numa_use){
				.vcpu = vcpu, .block = block,
				.weight = below(&c->random, PVX_NUMA_WEIGHT_MAX + 1),
			};
		if (n < most && one_in(&c->random, 2))
			uses[n++] = (struct pvx_numa_use){
				.vcpu = vcpu, .block = PVX_NUMA_GROUP,
				.weight = below(&c->random, 4),
			};
	}
	return n;
}

static void make_numa(struct caller *c, struct call *call)
{
	const u32 most = 1 + below(&c->random, one_in(&c->random, 8) ? PVX_NUMA_USES_MAX : 16);
	u32 shift = NUMA_SHIFT;

	call->nr = PVX_HC_NUMA;
	if (one_in(&c->random, NUMA_SELDOM))
		return;
	if (one_in(&c->random, NUMA_SELDOM))
		shift = PVX_NUMA_SHIFT_MIN +
			below(&c->random, PVX_NUMA_SHIFT_MAX - PVX_NUMA_SHIFT_MIN + 1);
	call->a[1] = fill_uses(c, max(end_gpa() >> shift, 1ULL), most);
	call->words = call->a[1] * sizeof(struct pvx_numa_use) / sizeof(u64);
	call->a[2] = shift;
	if (!one_in(&c->random, 4))
		call->a[3] = gpa_of(c, NUMA_AT);
}

static void make_other(struct caller *c, struct call *call)
{
	u32 i;

	call->nr = PVX_HC_BASE + below(&c->random, PVX_HC_COUNT);
	if (one_in(&c->random, 4))
		call->nr = next_random(&c->random);
	for (i = 0; i < 4; i++)
		call->a[i] = one_in(&c->random, 2) ? edge(c) : 0;
}

static void (* const makers[])(struct caller *c, struct call *call) = {
	make_negotiate, make_nop, make_yield, make_yield, make_ksm, make_ksm, make_ksm,
	make_fork, make_fork, make_fork, make_fork, make_numa, make_numa, make_numa, make_other,
};

/* --- what must not happen ---------------------------------------------------- */

/*
 * A target, whatever it was before: a page of the pool, or none that there is. Sources need
 * none of that, as long as they stay where sources are.
 */
static u64 tame_target(const struct caller *c, u64 gfn)
{
	if (gfn - c->gfn < POOL_PAGES || gfn >= end_gfn)
		return gfn;
	return c->gfn + gfn % POOL_PAGES;
}

/*
 * A word of a list that is changed while it is read, from any multiple of 8 on, and perhaps
 * byte by byte. Two such words differ in the byte that tells the page of the pool and in those
 * that make it none at all, so what is read is a page of the pool or none, too.
 */
static u64 tame_word(const struct caller *c, u64 word)
{
	return (word & GENMASK_ULL(63, 40)) | c->gfn | word % POOL_PAGES;
}

static void tame_words(struct caller *c, const struct call *call)
{
	u32 i;

	for (i = 0; i < call->words; i++) {
		if (call->raced)
			c->words[i] = tame_word(c, c->words[i]);
		else if (i % 2)
			c->words[i] = tame_target(c, c->words[i]);
	}
}

static bool is_in(u64 gpa, u64 bytes, u64 from, u64 size)
{
	return gpa >= from && gpa - from <= size && bytes <= size - (gpa - from);
}

static bool is_firmware(u64 gpa)
{
	return gpa >> 24 == 0xff;
}

/*
 * May the host take that for a list of pairs? Only if it is one of ours, the targets where
 * targets are; if it does not get as far as reading it; or if it cannot, up to the end.
 */
static bool is_harmless_list(const struct caller *c, u64 gpa, u64 count)
{
	const u64 bytes = count * sizeof(struct pvx_fork_pair);

	if (gpa % sizeof(u64) || !count || count > PVX_FORK_PAIRS_MAX)
		return true;
	if (is_in(gpa, bytes, gpa_of(c, FORK_AT), FORK_PAGES * PAGE_SIZE))
		return gpa % sizeof(struct pvx_fork_pair) == 0;
	if (is_in(gpa, bytes, gpa_of(c, FORK_RACED_AT), FORK_PAGES * PAGE_SIZE))
		return true;
	return (gpa >= end_gpa() || gpa + bytes > end_gpa()) && !is_firmware(gpa);
}

/* The host keeps writing to that page. */
static bool is_harmless_page(const struct caller *c, u64 gpa)
{
	return gpa % PAGE_SIZE || !gpa || gpa == gpa_of(c, NUMA_AT) || gpa >= end_gpa();
}

/*
 * KVM's own calls write to memory, or send interrupts, wherever they are told to; their
 * numbers are small.
 */
static u32 harmless_number(u32 nr)
{
	return nr - PVX_HC_BASE < PVX_HC_COUNT ? nr : nr | BIT(16);
}

static void make_harmless(const struct caller *c, struct call *call)
{
	call->nr = harmless_number(call->nr);
	if (call->nr == PVX_HC_FORK && !is_harmless_list(c, call->a[0], call->a[1]))
		call->a[0] = gpa_of(c, FORK_AT);
	if (call->nr == PVX_HC_NUMA && !is_harmless_page(c, call->a[3]))
		call->a[3] = gpa_of(c, NUMA_AT);
}

/* --- making it up ------------------------------------------------------------- */

/* Where it begins: with the area, anywhere, or so that it or an entry of it ends with a page. */
static u32 place(struct caller *c, u32 size, u32 bytes, u32 entry)
{
	const u32 room = size - bytes;
	u32 at = 0;

	switch (below(&c->random, 4)) {
	case 0:
		at = below(&c->random, room + 1);
		break;
	case 1:
		at = PAGE_SIZE - bytes % PAGE_SIZE;
		break;
	case 2:
		at = PAGE_SIZE - entry;
		break;
	}
	at = min(at, room);
	return at - at % entry;
}

static void put_list(struct caller *c, struct call *call)
{
	const bool fork = call->nr == PVX_HC_FORK;
	const u32 area = fork ? (call->raced ? FORK_RACED_AT : FORK_AT) :
				(call->raced ? LIST_RACED_AT : LIST_AT);
	const u32 size = (fork ? FORK_PAGES : LIST_PAGES) * PAGE_SIZE;
	const u32 entry = fork ? sizeof(struct pvx_fork_pair) : sizeof(u64);
	const u32 at = place(c, size, call->words * sizeof(u64), entry);
	u64 *list = page_of(c, area) + at / sizeof(u64);
	u32 i;

	if (fork)
		tame_words(c, call);
	for (i = 0; i < call->words; i++)
		WRITE_ONCE(list[i], c->words[i]);
	call->list = list;
	if (call->raced)
		WRITE_ONCE(c->hot[fork], at / sizeof(u64));
	call->a[0] = gpa_of(c, area) + at;
}

/* Half of them are as they should be. */
static void make_up(struct caller *c, struct call *call)
{
	makers[below(&c->random, ARRAY_SIZE(makers))](c, call);
	call->raced = race && one_in(&c->random, 4);
	if (call->words && one_in(&c->random, 4))
		mutate_words(c, call);
	if (call->words)
		put_list(c, call);
	if (one_in(&c->random, 4))
		mutate_args(c, call);
	make_harmless(c, call);
}

/* --- what became of it -------------------------------------------------------- */

static enum fuzz_kind kind_of(u32 nr)
{
	switch (nr) {
	case PVX_HC_NEGOTIATE:
		return KIND_NEGOTIATE;
	case PVX_HC_NOP:
		return KIND_NOP;
	case PVX_HC_YIELD:
		return KIND_YIELD;
	case PVX_HC_KSM:
		return KIND_KSM;
	case PVX_HC_FORK:
		return KIND_FORK;
	case PVX_HC_NUMA:
		return KIND_NUMA;
	default:
		return KIND_OTHER;
	}
}

static enum fuzz_answer answer_of(s64 ret)
{
	if (ret >= 0)
		return SAID_OK;
	if (ret <= -PVX_E_ENTRY(0))
		return SAID_ENTRY;
	switch (-ret) {
	case KVM_ENOSYS:
		return SAID_ENOSYS;
	case PVX_E_ARG(0):
		return SAID_ARG0;
	case PVX_E_ARG(1):
		return SAID_ARG1;
	case PVX_E_ARG(2):
		return SAID_ARG2;
	case PVX_E_ARG(3):
		return SAID_ARG3;
	case PVX_E_VERSION:
		return SAID_VERSION;
	case PVX_E_BUSY:
		return SAID_BUSY;
	case PVX_E_DATA:
		return SAID_DATA;
	default:
		return SAID_WRONG;
	}
}

static void note_wrong(struct caller *c, const struct call *call, s64 ret)
{
	c->wrong++;
	pr_err_ratelimited("call %#x with %#llx %#llx %#llx %#llx may not answer %lld\n", call->nr,
			   call->a[0], call->a[1], call->a[2], call->a[3], ret);
}

static void note(struct caller *c, const struct call *call, s64 ret)
{
	bool right = pvx_fuzz_may_answer(call->nr, call->a, ret);

	/* Where there is no memory, no page can be. */
	if (call->nr == PVX_HC_NUMA && ret >= 0 && call->a[3] >= end_gpa())
		right = false;
	c->count[kind_of(call->nr)][right ? answer_of(ret) : SAID_WRONG]++;
	if (!right)
		note_wrong(c, call, ret);
}

/* One pair of a list that only we have written to. */
static bool note_copy(struct caller *c, const struct pvx_fork_pair *pair)
{
	const u64 source = pair->source - c->gfn, target = pair->target - c->gfn;

	if (target >= POOL_PAGES)
		return false;
	if (source < POOL_PAGES)
		c->stamp[target] = c->stamp[source];
	else
		stamp_page(c, target);
	return true;
}

static bool is_stamp(const struct caller *c, u64 word)
{
	u32 page;

	for (page = 0; page < POOL_PAGES; page++)
		if (c->stamp[page] == word)
			return true;
	return false;
}

/* Nobody knows what list the host has read; but what it copied must be pages of the pool. */
static void note_raced_copies(struct caller *c)
{
	u32 page;
	u64 word;

	for (page = 0; page < POOL_PAGES; page++) {
		word = page_of(c, page)[0];
		if (word == c->stamp[page])
			continue;
		if (is_stamp(c, word)) {
			c->stamp[page] = word;
			continue;
		}
		complain(c, page, 0);
		stamp_page(c, page);
	}
}

static void note_copies(struct caller *c, const struct call *call, s64 copied)
{
	const u64 at = call->a[0] - gpa_of(c, FORK_AT);
	const struct pvx_fork_pair *pairs = (void *)page_of(c, FORK_AT) + at;
	s64 i;

	c->copied += copied;
	if (call->a[0] - gpa_of(c, FORK_RACED_AT) < FORK_PAGES * PAGE_SIZE) {
		note_raced_copies(c);
		return;
	}
	if (at >= FORK_PAGES * PAGE_SIZE) {
		note_wrong(c, call, copied);
		return;
	}
	for (i = 0; i < copied; i++) {
		if (note_copy(c, &pairs[i]))
			continue;
		note_wrong(c, call, copied);
		return;
	}
}

/* --- threads ------------------------------------------------------------------ */

static s64 hypercall(const struct call *call)
{
	return kvm_hypercall4(call->nr, call->a[0], call->a[1], call->a[2], call->a[3]);
}

/* The host does not care whether the guest takes interrupts, and must not. */
static s64 do_call(struct caller *c, const struct call *call)
{
	unsigned long flags;
	s64 ret;

	if (!one_in(&c->random, 8))
		return hypercall(call);
	local_irq_save(flags);
	ret = hypercall(call);
	local_irq_restore(flags);
	return ret;
}

static void negotiate_all(struct caller *c)
{
	const struct call call = {
		.nr = PVX_HC_NEGOTIATE, .a = { PVX_ABI_VERSION, PVX_F_ALL },
	};

	note(c, &call, do_call(c, &call));
}

/* Of an area in which others write. */
static bool was_changed(const struct caller *c, const struct call *call)
{
	return call->raced && call->words &&
	       memcmp(call->list, c->words, call->words * sizeof(u64));
}

static void call_once(struct caller *c)
{
	struct call call = { 0 };
	s64 ret;

	make_up(c, &call);
	ret = do_call(c, &call);
	note(c, &call, ret);
	c->raced += was_changed(c, &call);
	if (call.nr == PVX_HC_FORK && ret > 0 && ret <= call.a[1])
		note_copies(c, &call, ret);
	/* The pool is to have many contents, and the guest most of what it may have. */
	if (one_in(&c->random, 4))
		stamp_page(c, below(&c->random, POOL_PAGES));
	if (call.nr == PVX_HC_NEGOTIATE || (ret == -KVM_ENOSYS && one_in(&c->random, 4)))
		negotiate_all(c);
}

static int wait_to_stop(void)
{
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static int call_again_and_again(void *arg)
{
	struct caller *c = arg;

	while (c->left && !kthread_should_stop()) {
		call_once(c);
		if (--c->left % CHECK_CALLS == 0)
			check_memory(c);
		cond_resched_tasks_rcu_qs();
	}
	if (atomic_dec_and_test(&running))
		complete(&all_done);
	return wait_to_stop();
}

/* A word near where the last list began, or any other one of the area. */
static u64 *hot_word(const struct caller *c, u64 *random, bool fork)
{
	const u32 words = WORDS_OF(fork ? FORK_PAGES : LIST_PAGES);
	const u32 at = READ_ONCE(c->hot[fork]) + below(random, one_in(random, 2) ? words : 16);

	return page_of(c, fork ? FORK_RACED_AT : LIST_RACED_AT) + at % words;
}

static void spoil(const struct caller *c, u64 *random)
{
	u64 *word = hot_word(c, random, true);

	WRITE_ONCE(*word, tame_word(c, one_in(random, 16) ? next_random(random) :
							    below(random, POOL_PAGES)));
	word = hot_word(c, random, false);
	WRITE_ONCE(*word, one_in(random, 2) ? *word ^ BIT_ULL(below(random, 64)) :
					      below(random, 64));
	if (!one_in(random, 64))
		return;
	WRITE_ONCE(nodes_of(c)->seq, below(random, 4));
	WRITE_ONCE(nodes_of(c)->cookie, below(random, 4));
}

static int spoil_again_and_again(void *arg)
{
	u64 random = *(u64 *)arg;
	u32 i;

	while (!kthread_should_stop()) {
		for (i = 0; i < 64; i++)
			spoil(&callers[below(&random, threads)], &random);
		cond_resched_tasks_rcu_qs();
	}
	return 0;
}

static u64 seed_of(u64 from, u32 thread)
{
	u64 x = from + 0x9e3779b97f4a7c15ULL * (thread + 1);

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	x ^= x >> 31;
	return x ? x : 1;
}

static void begin_caller(struct caller *c, u32 i, u64 from)
{
	c->random = seed_of(from, i);
	c->left = calls / threads + (i < calls % threads);
	memset(c->count, 0, sizeof(c->count));
	c->wrong = c->changed = c->copied = c->raced = c->told = 0;
	begin_memory(c);
}

static int make_thread(struct caller *c, u32 i, u32 cpu)
{
	struct task_struct *task = kthread_create(call_again_and_again, c, "pvx_fuzz/%u", i);

	if (IS_ERR(task))
		return PTR_ERR(task);
	kthread_bind(task, cpu);
	c->task = task;
	return 0;
}

static void stop(struct task_struct **task)
{
	if (*task)
		kthread_stop(*task);
	*task = NULL;
}

static int start_spoiler(u64 *random)
{
	struct task_struct *task = kthread_run(spoil_again_and_again, random, "pvx_fuzz/spoil");

	if (IS_ERR(task))
		return PTR_ERR(task);
	spoiler = task;
	return 0;
}

/* All are there before the first one begins, since they change each other's lists. */
static int start(u64 from, u64 *random)
{
	u32 i, cpu = cpumask_first(cpu_online_mask);
	int err = 0;

	for (i = 0; i < threads && !err; i++) {
		begin_caller(&callers[i], i, from);
		err = make_thread(&callers[i], i, cpu);
		cpu = cpumask_next(cpu, cpu_online_mask);
		if (cpu >= nr_cpu_ids)
			cpu = cpumask_first(cpu_online_mask);
	}
	*random = seed_of(from, threads);
	if (!err && race)
		err = start_spoiler(random);
	if (err)
		return err;
	atomic_set(&running, threads);
	reinit_completion(&all_done);
	for (i = 0; i < threads; i++)
		wake_up_process(callers[i].task);
	return 0;
}

static int run(u64 from)
{
	u64 random;
	int err;
	u32 i;

	err = start(from, &random);
	if (!err && wait_for_completion_interruptible(&all_done))
		err = -EINTR;
	for (i = 0; i < threads; i++)
		stop(&callers[i].task);
	stop(&spoiler);
	for (i = 0; i < threads && !err; i++)
		check_memory(&callers[i]);
	return err;
}

/* --- what is seen ---------------------------------------------------------------- */

static void show_counts(struct seq_file *m)
{
	static const char * const kinds[KINDS] = {
		[KIND_NEGOTIATE] = "negotiate", [KIND_NOP] = "nop", [KIND_YIELD] = "yield",
		[KIND_KSM] = "ksm", [KIND_FORK] = "fork", [KIND_NUMA] = "numa",
		[KIND_OTHER] = "other",
	};
	static const char * const answers[ANSWERS] = {
		[SAID_OK] = "ok", [SAID_ENOSYS] = "enosys", [SAID_ARG0] = "arg0",
		[SAID_ARG1] = "arg1", [SAID_ARG2] = "arg2", [SAID_ARG3] = "arg3",
		[SAID_VERSION] = "version", [SAID_BUSY] = "busy", [SAID_DATA] = "data",
		[SAID_ENTRY] = "entry", [SAID_WRONG] = "wrong",
	};
	u32 i, kind, said;
	u64 n;

	for (kind = 0; kind < KINDS; kind++) {
		for (said = 0; said < ANSWERS; said++) {
			for (n = 0, i = 0; i < threads; i++)
				n += callers[i].count[kind][said];
			if (n)
				seq_printf(m, "%s_%s=%llu\n", kinds[kind], answers[said], n);
		}
	}
}

static void show(struct seq_file *m)
{
	u64 wrong = 0, changed = 0, copied = 0, raced = 0, told = 0;
	u32 i;

	for (i = 0; i < threads; i++) {
		wrong += callers[i].wrong;
		changed += callers[i].changed;
		copied += callers[i].copied;
		raced += callers[i].raced;
		told += callers[i].told;
	}
	seq_printf(m, "wrong=%llu\nchanged=%llu\ncopied=%llu\nraced=%llu\ntold=%llu\n", wrong,
		   changed, copied, raced, told);
	show_counts(m);
}

/* Prints less than a page, so it is not called twice for one reader. */
static int run_show(struct seq_file *m, void *unused)
{
	const u64 from = seed ? seed : get_random_u64();
	const ktime_t begin = ktime_get();
	int err;

	mutex_lock(&one_at_a_time);
	err = run(from);
	if (!err) {
		seq_printf(m, "seed=%llu\nthreads=%u\ncalls=%u\nms=%lld\n", from, threads, calls,
			   ktime_ms_delta(ktime_get(), begin));
		show(m);
	}
	mutex_unlock(&one_at_a_time);
	return err;
}
DEFINE_SHOW_ATTRIBUTE(run);

static struct dentry *dir;

/* --- begin and end ---------------------------------------------------------------- */

static void free_callers(void)
{
	u32 i;

	for (i = 0; i < threads; i++)
		free_pages((unsigned long)callers[i].block, BLOCK_ORDER);
	kvfree(callers);
}

static int alloc_block(struct caller *c)
{
	c->block = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN,
					   BLOCK_ORDER);
	if (!c->block)
		return -ENOMEM;
	c->gfn = virt_to_phys(c->block) >> PAGE_SHIFT;
	/* Or end_gfn is not what it should be, and nothing is harmless. */
	return c->gfn + BLOCK_PAGES <= end_gfn ? 0 : -EINVAL;
}

static int alloc_callers(void)
{
	int err = 0;
	u32 i;

	callers = kvcalloc(threads, sizeof(*callers), GFP_KERNEL);
	if (!callers)
		return -ENOMEM;
	for (i = 0; i < threads && !err; i++)
		err = alloc_block(&callers[i]);
	if (err)
		free_callers();
	return err;
}

static int __init pvx_fuzz_init(void)
{
	int err;

	/* Elsewhere a hypercall is an undefined instruction. */
	if (!kvm_para_available())
		return -ENODEV;
	if (!end_gfn || end_gfn > U32_MAX)
		return -EINVAL;
	if (!threads || threads > num_online_cpus())
		threads = num_online_cpus();
	err = alloc_callers();
	if (err)
		return err;
	dir = debugfs_create_dir(KBUILD_MODNAME, NULL);
	debugfs_create_file("run", 0400, dir, NULL, &run_fops);
	return 0;
}

/* The host writes to a page of ours until it is told that it must not; it may be busy. */
static void withdraw(void)
{
	u32 i;

	for (i = 0; i < threads; i++)
		WRITE_ONCE(nodes_of(&callers[i])->cookie, 0);
	for (i = 0; i < 20; i++) {
		kvm_hypercall4(PVX_HC_NEGOTIATE, PVX_ABI_VERSION, PVX_F_ALL, 0, 0);
		kvm_hypercall4(PVX_HC_KSM, 0, 0, 0, 0);
		if (kvm_hypercall4(PVX_HC_NUMA, 0, 0, 0, 0) != -PVX_E_BUSY)
			break;
		msleep(200);
	}
	/* Where we may not say so any more, it does that by itself, as soon as it gets to it. */
	msleep(2000);
}

static void __exit pvx_fuzz_exit(void)
{
	debugfs_remove_recursive(dir);
	withdraw();
	free_callers();
}

module_init(pvx_fuzz_init);
module_exit(pvx_fuzz_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("Hypercalls of kvm-pvx at random");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
