// SPDX-License-Identifier: GPL-2.0
/*
 * Fork, then parent and child write to every page: how long that takes, and does each
 * have what it wrote?
 *
 * Usage: writes [-o up|down|random] [-k US] [-m MIB] MIB off|eager|background|inherit
 *               [child|parent [both|alone|reads|more|many [DIR]]]
 *
 * "inherit" leaves the process' setting as it is. Who writes: both at once; the parent
 * alone, while the child keeps what it got; or nobody, both just read. With "more" the
 * parent uses a sixth as much memory more, or what -m says, when copying has ended; with "many"
 * as well, and it has forked seven times before, which live on. Pages are written in ascending
 * order, or as -o says. With -k the parent is killed so many us after it began to fork. With DIR
 * it makes DIR/filled when it has its memory, and forks when there is DIR/go.
 *
 * Prints key=value: us of fork(), of the parent's writes, of its writes once more, of the
 * child's writes, until both are done, and the write faults of each; with "reads" also how many
 * pages of each are not where they were before the fork, for root. Exit status 1 if a process
 * does not have what it wrote, or what it had.
 */
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/kvm_pvx.h>

#define PAGE	4096
#define WORDS	(PAGE / sizeof(uint64_t))

struct writes {
	int64_t	us;
	int64_t	end;
	int64_t	faults;
	int64_t	moved;
	int	wrong;
};

static uint64_t *memory;
/* Where each page was before the fork, as pagemap has it; NULL: that is not asked. */
static uint64_t *frames;
static size_t pages;
static enum { UP, DOWN, RANDOM } order;
static long kill_us;
static size_t more_bytes;

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

static int64_t faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

static int device = -1;

static void ask_for(const char *mode, const char *side)
{
	struct pvx_fork_control control = { .size = sizeof(control), .least_bytes = PAGE };

	if (!strcmp(mode, "off") || !strcmp(mode, "inherit"))
		return;
	control.mode = !strcmp(mode, "eager") ? PVX_FORK_EAGER : PVX_FORK_BACKGROUND;
	control.side = !strcmp(side, "parent") ? PVX_FORK_PARENT : PVX_FORK_CHILD;
	device = open("/dev/pvx_fork", O_RDWR | O_CLOEXEC);
	if (device < 0 || ioctl(device, PVX_IOC_FORK_SET, &control))
		err(1, "/dev/pvx_fork");
}

/* Until what was begun after the fork is done, for a while. */
static void wait_for_copies(void)
{
	struct pvx_fork_status status = { .size = sizeof(status) };
	int i;

	for (i = 0; i < 2000 && device >= 0; i++) {
		if (ioctl(device, PVX_IOC_FORK_STATUS, &status))
			err(1, "/dev/pvx_fork");
		if (!status.running)
			return;
		usleep(10000);
	}
}

/* The page's own words, by who wrote them. */
static uint64_t word_of(size_t page, uint64_t who, size_t i)
{
	return (page * WORDS + i) * 0x9e3779b97f4a7c15ULL + who;
}

static void fill(size_t page, uint64_t who)
{
	size_t i;

	for (i = 0; i < WORDS; i++)
		memory[page * WORDS + i] = word_of(page, who, i);
}

static void set_order(const char *name)
{
	if (!strcmp(name, "up"))
		order = UP;
	else if (!strcmp(name, "down"))
		order = DOWN;
	else if (!strcmp(name, "random"))
		order = RANDOM;
	else
		errx(2, "no order '%s'", name);
}

/* The page that is written to as the i-th one. An odd step reaches all of a power of two. */
static size_t page_at(size_t i)
{
	if (order == DOWN)
		return pages - 1 - i;
	return order == RANDOM ? i * 40503 % pages : i;
}

static void read_frames(uint64_t *to)
{
	const off_t from = (uintptr_t)memory / PAGE * sizeof(*to);
	const ssize_t bytes = pages * sizeof(*to);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || pread(fd, to, bytes, from) != bytes)
		err(1, "/proc/self/pagemap");
	close(fd);
}

static uint64_t *alloc_frames(void)
{
	uint64_t *p = calloc(pages, sizeof(*p));

	if (!p)
		err(1, "memory");
	return p;
}

/* How many pages are not where they were. */
static int64_t count_moved(void)
{
	const uint64_t frame = (1ULL << 55) - 1;
	uint64_t *are;
	int64_t n = 0;
	size_t i;

	if (!frames)
		return 0;
	are = alloc_frames();
	read_frames(are);
	for (i = 0; i < pages; i++)
		n += (are[i] & frame) != (frames[i] & frame);
	free(are);
	return n;
}

/* One word of each page is written, the rest is what it was. */
static struct writes write_all(uint64_t who)
{
	struct writes w = { .faults = faults() };
	int64_t begin = now_us();
	size_t i, page;

	for (i = 0; i < pages; i++) {
		page = page_at(i);
		memory[page * WORDS + page % WORDS] = who;
	}
	w.end = now_us();
	w.us = w.end - begin;
	w.faults = faults() - w.faults;
	return w;
}

/* @who: has written; 0: nobody has. */
static int is_wrong(uint64_t who)
{
	size_t page, i;

	for (page = 0; page < pages; page++)
		for (i = 0; i < WORDS; i++)
			if (memory[page * WORDS + i] !=
			    (who && i == page % WORDS ? who : word_of(page, 1, i)))
				return 1;
	return 0;
}

static struct writes act(uint64_t who, bool writes)
{
	struct writes w = { .end = now_us() };

	return writes ? write_all(who) : w;
}

static void child(int results, int go_on, bool writes)
{
	struct writes w = act(3, writes);
	char byte;

	/* What it got, it keeps as long as the parent writes. */
	if (!writes && read(go_on, &byte, 1) != 1)
		_exit(1);
	w.moved = count_moved();
	w.wrong = is_wrong(writes ? 3 : 0);
	_exit(write(results, &w, sizeof(w)) != sizeof(w));
}

static void wait_to_go(const char *dir)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/filled", dir);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	if (fd < 0)
		err(1, "%s", path);
	close(fd);
	snprintf(path, sizeof(path), "%s/go", dir);
	while (access(path, F_OK))
		usleep(20000);
}

/* The child has no timers of its parent's. */
static void be_killed_later(void)
{
	const struct itimerspec when = {
		.it_value = { .tv_sec = kill_us / 1000000, .tv_nsec = kill_us % 1000000 * 1000 },
	};
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
	timer_t timer;

	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &when, NULL))
		err(1, "timer");
}

static void use_more(size_t bytes)
{
	void *more = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (more == MAP_FAILED)
		err(1, "more memory");
	memset(more, 1, bytes);
	munmap(more, bytes);
}

/* Who are killed when we end. */
static void fork_some(int some)
{
	while (some--) {
		switch (fork()) {
		case -1:
			err(1, "fork");
		case 0:
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			pause();
			_exit(0);
		}
	}
}

static void fill_memory(void)
{
	size_t page;

	memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!pages || memory == MAP_FAILED)
		err(1, "memory");
	madvise(memory, pages * PAGE, MADV_NOHUGEPAGE);
	for (page = 0; page < pages; page++)
		fill(page, 1);
}

static int act_all(int argc, char **argv, const char *who)
{
	const bool child_writes = !strcmp(who, "both");
	const bool parent_writes = child_writes || !strcmp(who, "alone");
	struct writes mine, again, its = { .wrong = 1 };
	int64_t begin, forked, end;
	int results[2], go_on[2], status;
	pid_t pid;

	if (argc < 3)
		errx(2, "usage: writes [-o up|down|random] [-k US] [-m MIB] MIB "
		     "off|eager|background|inherit "
		     "[child|parent [both|alone|reads|more|many [DIR]]]");
	pages = strtoul(argv[1], NULL, 10) * (1 << 20) / PAGE;
	fill_memory();
	ask_for(argv[2], argc > 3 ? argv[3] : "child");
	if (argc > 5)
		wait_to_go(argv[5]);
	if (!strcmp(who, "reads")) {
		frames = alloc_frames();
		read_frames(frames);
	}
	if (!strcmp(who, "many"))
		fork_some(7);
	if (pipe(results) || pipe(go_on))
		err(1, "pipe");
	if (kill_us)
		be_killed_later();
	begin = now_us();
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	forked = now_us();
	if (!pid) {
		close(results[0]);
		close(go_on[1]);
		child(results[1], go_on[0], child_writes);
	}
	close(results[1]);
	mine = act(2, parent_writes);
	again = act(2, parent_writes);
	if (!parent_writes)
		wait_for_copies();
	mine.moved = count_moved();
	if (!strcmp(who, "more") || !strcmp(who, "many"))
		use_more(more_bytes ? more_bytes : pages * PAGE / 6);
	mine.wrong = is_wrong(parent_writes ? 2 : 0);
	if (write(go_on[1], "", 1) != 1 || read(results[0], &its, sizeof(its)) != sizeof(its) ||
	    wait(&status) != pid || status)
		errx(1, "the child fails");
	end = child_writes && its.end > mine.end ? its.end : mine.end;
	printf("fork_us=%lld\nparent_us=%lld\nagain_us=%lld\nchild_us=%lld\nboth_us=%lld\n",
	       (long long)(forked - begin), (long long)mine.us, (long long)again.us,
	       (long long)its.us, (long long)(end - begin));
	printf("parent_faults=%lld\nchild_faults=%lld\n", (long long)mine.faults,
	       (long long)its.faults);
	if (frames)
		printf("parent_moved=%lld\nchild_moved=%lld\n", (long long)mine.moved,
		       (long long)its.moved);
	if (mine.wrong || its.wrong)
		errx(1, "%s has what it did not write", mine.wrong ? "the parent" : "the child");
	return 0;
}

/* What stands before the others; returns how many arguments that were. */
static int parse_options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "+o:k:m:")) != -1) {
		if (option == 'o')
			set_order(optarg);
		else if (option == 'k')
			kill_us = atol(optarg);
		else if (option == 'm')
			more_bytes = strtoul(optarg, NULL, 10) << 20;
		else
			exit(2);
	}
	return optind - 1;
}

int main(int argc, char **argv)
{
	const int options = parse_options(argc, argv);
	const char *who;

	argc -= options;
	argv += options;
	who = argc > 4 ? argv[4] : "both";
	return act_all(argc, argv, who);
}
