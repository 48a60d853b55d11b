// SPDX-License-Identifier: GPL-2.0
/*
 * Does each process have what it wrote, whatever it and others do after a fork?
 *
 * Usage: integrity SECONDS SEED [MIB [WITHOUT...]]
 *
 * A process has an arena whose pages have four slots each, and notes what it wrote to each
 * slot. Two threads write and check all the time; one of them also changes the arena's
 * mappings, forks, and kills what it forked. A child inherits arena and notes, and
 * does the same. Each fork is eager, in the background or stock's, and privatises either
 * side, at random. WITHOUT: operations, by name, that are left out; "device": forks are as
 * the process was told before.
 *
 * Exit status 0, 1 if a process had not what it wrote, 2 for wrong usage.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/kvm_pvx.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

#define PAGE		4096
#define SLOTS		4
#define WORDS		16	/* of a slot, one in each 256 bytes */
#define THREADS		2
#define DEEPEST		3
#define CHILDREN	4

/* What a slot holds: 0 is zeroes; @next: what is being written, or the same. */
struct note {
	_Atomic uint32_t	now;
	_Atomic uint32_t	next;
};

struct page_notes {
	struct note	slots[SLOTS];
	_Atomic int	may_be_zero;	/* after MADV_FREE, until written to */
};

static char *arena, *elsewhere;
static size_t pages;
static struct page_notes *notes;
/* Who writes or checks reads it, who changes mappings writes it. */
static pthread_rwlock_t mappings;
static double end;
static int depth, device, n_children;
static pid_t children[CHILDREN];
static atomic_int stop;
static char **without;

/* --- randomness and time --------------------------------------------------- */

static __thread uint64_t state;

static uint64_t random_u64(void)
{
	state += 0x9e3779b97f4a7c15ULL;
	uint64_t z = state;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static uint64_t below(uint64_t n)
{
	return random_u64() % n;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* --- pages ----------------------------------------------------------------- */

static volatile uint64_t *word(size_t page, int slot, int i)
{
	return (volatile uint64_t *)(arena + page * PAGE + i * 256 + slot * 64);
}

static uint64_t value(size_t page, int slot, int i, uint32_t stamp)
{
	return stamp ? ((uint64_t)stamp << 32 | page << 8 | slot << 4 | i) : 0;
}

static void write_slot(size_t page, int slot, uint32_t stamp)
{
	struct note *note = &notes[page].slots[slot];
	int i;

	atomic_store(&note->next, stamp);
	for (i = 0; i < WORDS; i++)
		*word(page, slot, i) = value(page, slot, i, stamp);
	atomic_store(&note->now, stamp);
}

static void die(const char *what, size_t page, int slot, int i)
{
	struct note *note = &notes[page].slots[slot];

	printf("# pid %d depth %d: %s page %zu (%p) slot %d word %d is %#llx, noted %#x, next %#x, may be zero: %d\n",
	       getpid(), depth, what, page, (void *)word(page, slot, i), slot, i,
	       (unsigned long long)*word(page, slot, i), note->now, note->next,
	       notes[page].may_be_zero);
	fflush(stdout);
	_exit(1);
}

static int page_is_zero(size_t page)
{
	int slot, i;

	for (slot = 0; slot < SLOTS; slot++)
		for (i = 0; i < WORDS; i++)
			if (*word(page, slot, i))
				return 0;
	return 1;
}

static void forget(size_t page)
{
	int slot;

	for (slot = 0; slot < SLOTS; slot++) {
		notes[page].slots[slot].now = 0;
		notes[page].slots[slot].next = 0;
	}
	notes[page].may_be_zero = 0;
}

static int is_gone(size_t page)
{
	return notes[page].may_be_zero && page_is_zero(page);
}

static void check(size_t page, const char *what)
{
	struct note *note;
	uint64_t has;
	int slot, i;

	for (slot = 0; slot < SLOTS; slot++) {
		note = &notes[page].slots[slot];
		for (i = 0; i < WORDS; i++) {
			has = *word(page, slot, i);
			if (has == value(page, slot, i, note->now) ||
			    has == value(page, slot, i, note->next))
				continue;
			/* It may go at any time, and so may have just now. */
			if (is_gone(page))
				return;
			die(what, page, slot, i);
		}
	}
}

/*
 * A write makes it stay, or finds that it is gone; then it is known which. Were it read first
 * and then written, it could go in between.
 */
static void resolve(size_t page)
{
	if (!notes[page].may_be_zero)
		return;
	__atomic_fetch_or(word(page, 0, 0), 0, __ATOMIC_SEQ_CST);
	if (page_is_zero(page))
		forget(page);
	notes[page].may_be_zero = 0;
}

static void write_page(size_t page)
{
	resolve(page);
	write_slot(page, below(SLOTS), random_u64() >> 32 | 1);
}

/* What a thread that is not here any more was writing. */
static void settle(void)
{
	struct note *note;
	size_t page;
	int slot;

	for (page = 0; page < pages; page++) {
		resolve(page);
		for (slot = 0; slot < SLOTS; slot++) {
			note = &notes[page].slots[slot];
			if (note->now != note->next)
				write_slot(page, slot, note->next);
		}
	}
}

/* --- mappings -------------------------------------------------------------- */

struct range {
	size_t	first;
	size_t	count;
	char	*begin;
	size_t	bytes;
};

static struct range any_range(void)
{
	struct range r = { .first = below(pages) };

	r.count = 1 + below(below(4) ? 32 : pages - r.first);
	if (r.count > pages - r.first)
		r.count = pages - r.first;
	r.begin = arena + r.first * PAGE;
	r.bytes = r.count * PAGE;
	return r;
}

static void must(int ok, const char *what)
{
	if (ok)
		return;
	printf("# pid %d: %s: %s\n", getpid(), what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

static void forget_range(const struct range *r)
{
	size_t i;

	for (i = 0; i < r->count; i++)
		forget(r->first + i);
}

static void do_mprotect(void)
{
	struct range r = any_range();

	must(!mprotect(r.begin, r.bytes, PROT_READ), "mprotect");
	check(r.first, "read-only");
	must(!mprotect(r.begin, r.bytes, PROT_READ | PROT_WRITE), "mprotect");
}

static void do_munmap(void)
{
	struct range r = any_range();
	char *got;

	must(!munmap(r.begin, r.bytes), "munmap");
	got = mmap(r.begin, r.bytes, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	must(got == r.begin, "mmap");
	forget_range(&r);
}

/* There and back. */
static void do_mremap(void)
{
	struct range r = any_range();
	const int flags = MREMAP_MAYMOVE | MREMAP_FIXED;

	/* Other operations may have made several mappings of it, which cannot go at once. */
	if (mremap(r.begin, r.bytes, r.bytes, flags, elsewhere) == MAP_FAILED) {
		must(errno == EFAULT, "mremap");
		return;
	}
	if (below(2))
		sched_yield();
	must(mremap(elsewhere, r.bytes, r.bytes, flags, r.begin) == r.begin, "mremap back");
	must(mmap(elsewhere, r.bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		  0) == elsewhere, "mmap elsewhere");
}

static void do_dontneed(void)
{
	struct range r = any_range();

	must(!madvise(r.begin, r.bytes, MADV_DONTNEED), "MADV_DONTNEED");
	forget_range(&r);
}

static void do_free(void)
{
	struct range r = any_range();
	size_t i;

	for (i = 0; i < r.count; i++)
		notes[r.first + i].may_be_zero = 1;
	must(!madvise(r.begin, r.bytes, MADV_FREE), "MADV_FREE");
}

/* What a kernel does not have changes nothing. */
static void advise(int advice)
{
	struct range r = any_range();

	madvise(r.begin, r.bytes, advice);
}

static void do_pageout(void)
{
	advise(MADV_PAGEOUT);
}

static void do_merge(void)
{
	advise(below(2) ? MADV_MERGEABLE : MADV_UNMERGEABLE);
}

static void do_huge(void)
{
	advise(below(2) ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

static void do_dontfork(void)
{
	struct range r = any_range();

	/* The child would not have it, so only for a moment. */
	madvise(r.begin, r.bytes, MADV_DONTFORK);
	madvise(r.begin, r.bytes, MADV_DOFORK);
}

/* Three mappings in one table, which become one again. */
static void do_dontdump(void)
{
	struct range r = any_range();

	madvise(r.begin, r.bytes, MADV_DONTDUMP);
	usleep(below(3000));
	madvise(r.begin, r.bytes, MADV_DODUMP);
}

static void do_mlock(void)
{
	struct range r = any_range();

	if (!mlock(r.begin, r.bytes < (1 << 20) ? r.bytes : 1 << 20))
		munlock(r.begin, r.bytes);
}

/* --- processes ------------------------------------------------------------- */

static void live(int seconds);

/* At random, where there is a device. */
static void choose_setting(void)
{
	struct pvx_fork_control control = {
		.size = sizeof(control),
		.mode = below(3),
		.side = below(2),
		.least_bytes = PAGE,
	};

	if (device >= 0)
		ioctl(device, PVX_IOC_FORK_SET, &control);
}

static int was_killed(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static void wait_for(int i, int killed)
{
	int status;

	must(waitpid(children[i], &status, 0) == children[i], "waitpid");
	children[i] = children[--n_children];
	if (status && !(killed && was_killed(status))) {
		printf("# pid %d: a child has status %#x\n", getpid(), status);
		fflush(stdout);
		_exit(1);
	}
}

static void do_fork(void)
{
	uint64_t seed = random_u64();
	pid_t pid;

	if (depth == DEEPEST)
		return;
	if (n_children == CHILDREN)
		wait_for(below(CHILDREN), 0);
	choose_setting();
	pid = fork();
	/* Where memory is scarce that may fail. */
	if (pid < 0)
		return;
	if (pid) {
		children[n_children++] = pid;
		return;
	}
	depth++;
	n_children = 0;
	state = seed;
	settle();
	live(1 + below(4));
}

static void do_kill(void)
{
	int i;

	if (!n_children)
		return;
	i = below(n_children);
	kill(children[i], SIGKILL);
	wait_for(i, 1);
}

static void do_vfork(void)
{
	pid_t pid = vfork();
	int status;

	if (!pid) {
		execl("/bin/true", "true", NULL);
		_exit(0);
	}
	must(pid > 0 && waitpid(pid, &status, 0) == pid && !status, "vfork");
}

static void do_exec(void)
{
	pid_t pid;
	int status;

	choose_setting();
	pid = fork();
	if (!pid) {
		execl("/bin/true", "true", NULL);
		_exit(0);
	}
	must(pid < 0 || (waitpid(pid, &status, 0) == pid && !status), "fork and exec");
}

/* fork(2) without the C library's. */
static void do_clone(void)
{
	uint32_t stamp = random_u64() >> 32 | 1;
	size_t page = below(pages / THREADS) * THREADS;
	pid_t pid;
	int status;

	write_page(page);
	write_slot(page, 0, stamp);
	choose_setting();
	pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (!pid) {
		check(page, "cloned");
		write_slot(page, 1, stamp + 2);
		check(page, "cloned and written");
		_exit(0);
	}
	check(page, "parent's");
	must(pid < 0 || (waitpid(pid, &status, 0) == pid && !status), "clone");
}

static const struct operation {
	const char	*name;
	void		(*act)(void);
	int		changes;	/* mappings */
	int		one_in;		/* how often */
} operations[] = {
	{ "mprotect", do_mprotect, 1, 20 },
	{ "munmap", do_munmap, 1, 60 },
	{ "mremap", do_mremap, 1, 40 },
	{ "dontneed", do_dontneed, 1, 60 },
	{ "free", do_free, 1, 60 },
	{ "pageout", do_pageout, 0, 60 },
	{ "merge", do_merge, 1, 60 },
	{ "huge", do_huge, 1, 60 },
	{ "dontfork", do_dontfork, 1, 100 },
	{ "dontdump", do_dontdump, 1, 60 },
	{ "mlock", do_mlock, 1, 100 },
	{ "fork", do_fork, 0, 15 },
	{ "kill", do_kill, 0, 60 },
	{ "vfork", do_vfork, 0, 200 },
	{ "exec", do_exec, 0, 100 },
	{ "clone", do_clone, 0, 50 },
};

static int is_left_out(const char *what)
{
	char **name;

	for (name = without; *name; name++)
		if (!strcmp(*name, what))
			return 1;
	return 0;
}

static void operate(void)
{
	const struct operation *op = &operations[below(sizeof(operations) / sizeof(*op))];

	if (below(op->one_in) || is_left_out(op->name))
		return;
	if (op->changes)
		pthread_rwlock_wrlock(&mappings);
	op->act();
	if (op->changes)
		pthread_rwlock_unlock(&mappings);
}

/* --- threads --------------------------------------------------------------- */

/* Each thread has every THREADS'th page for its own. */
static void write_and_check(int thread)
{
	size_t page;
	int i;

	pthread_rwlock_rdlock(&mappings);
	for (i = 0; i < 64; i++) {
		page = below(pages / THREADS) * THREADS + thread;
		if (below(2))
			write_page(page);
		else
			check(page, "checked");
	}
	pthread_rwlock_unlock(&mappings);
}

static void *other_thread(void *seed)
{
	state = (uintptr_t)seed;
	while (!stop)
		write_and_check(1);
	return NULL;
}

/* Else who changes mappings waits as long as the other thread likes, and nobody forks. */
static void init_mappings(void)
{
	pthread_rwlockattr_t writers_first;

	pthread_rwlockattr_init(&writers_first);
	pthread_rwlockattr_setkind_np(&writers_first, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&mappings, &writers_first);
	pthread_rwlockattr_destroy(&writers_first);
}

/* What a process does from fork to exit; also the first one, which returns. */
static void live(int seconds)
{
	double until = now() + seconds;
	pthread_t thread;
	size_t page;

	if (until > end)
		until = end;
	stop = 0;
	init_mappings();
	for (page = 0; page < pages; page++)
		check(page, "inherited");
	must(!pthread_create(&thread, NULL, other_thread, (void *)(uintptr_t)random_u64()),
	     "pthread_create");
	while (now() < until) {
		write_and_check(0);
		operate();
	}
	stop = 1;
	pthread_join(thread, NULL);
	for (page = 0; page < pages; page++)
		check(page, "at last");
	/* Some go before their children do. */
	while (n_children && (!depth || below(4)))
		wait_for(0, 0);
	if (depth)
		_exit(0);
}

static int wait_for_orphans(void)
{
	int status, wrong = 0;

	while (wait(&status) > 0)
		wrong |= status && !was_killed(status);
	return wrong;
}

static void *map(size_t bytes, int protection)
{
	void *got = mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (got == MAP_FAILED)
		err(1, "memory");
	return got;
}

int main(int argc, char **argv)
{
	size_t mib = argc > 3 ? strtoul(argv[3], NULL, 10) : 8;
	static char *none[] = { NULL };
	int seconds;

	if (argc < 3 || !mib)
		errx(2, "usage: integrity SECONDS SEED [MIB [WITHOUT...]]");
	seconds = atoi(argv[1]);
	state = strtoull(argv[2], NULL, 0);
	without = argc > 4 ? argv + 4 : none;
	pages = mib * (1 << 20) / PAGE;
	arena = map(pages * PAGE, PROT_READ | PROT_WRITE);
	elsewhere = map(pages * PAGE, PROT_NONE);
	notes = map(pages * sizeof(*notes), PROT_READ | PROT_WRITE);
	device = is_left_out("device") ? -1 : open("/dev/pvx_fork", O_RDWR | O_CLOEXEC);
	end = now() + seconds;
	/* Who outlives its parent comes to us. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	live(seconds);
	return wait_for_orphans();
}
