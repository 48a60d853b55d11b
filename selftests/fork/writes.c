// SPDX-License-Identifier: GPL-2.0
/*
 * Fork, then parent and child write to every page: how long that takes, and does each
 * have what it wrote?
 *
 * Usage: writes MIB off|eager|background [child|parent]
 *
 * Prints key=value: us of fork(), of the parent's writes, of the child's, until both are
 * done, and the write faults of each. Exit status 1 if a process does not have what it
 * wrote, or what it had.
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
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
	int	wrong;
};

static uint64_t *memory;
static size_t pages;

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

static void ask_for(const char *mode, const char *side)
{
	struct pvx_fork_control control = { .size = sizeof(control) };
	int fd;

	if (!strcmp(mode, "off"))
		return;
	control.mode = !strcmp(mode, "eager") ? PVX_FORK_EAGER : PVX_FORK_BACKGROUND;
	control.side = !strcmp(side, "parent") ? PVX_FORK_PARENT : PVX_FORK_CHILD;
	fd = open("/dev/pvx_fork", O_RDWR);
	if (fd < 0 || ioctl(fd, PVX_IOC_FORK_SET, &control))
		err(1, "/dev/pvx_fork");
	close(fd);
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

/* One word of each page is written, the rest is what it was. */
static struct writes write_all(uint64_t who)
{
	struct writes w = { .faults = faults() };
	int64_t begin = now_us();
	size_t page;

	for (page = 0; page < pages; page++)
		memory[page * WORDS + page % WORDS] = who;
	w.end = now_us();
	w.us = w.end - begin;
	w.faults = faults() - w.faults;
	return w;
}

static int is_wrong(uint64_t who)
{
	size_t page, i;

	for (page = 0; page < pages; page++)
		for (i = 0; i < WORDS; i++)
			if (memory[page * WORDS + i] !=
			    (i == page % WORDS ? who : word_of(page, 1, i)))
				return 1;
	return 0;
}

static void child(int fd)
{
	struct writes w = write_all(3);

	w.wrong = is_wrong(3);
	if (write(fd, &w, sizeof(w)) != sizeof(w))
		_exit(1);
	_exit(0);
}

int main(int argc, char **argv)
{
	struct writes mine, its = { .wrong = 1 };
	int64_t begin, forked;
	int fds[2], status;
	size_t page;
	pid_t pid;

	if (argc < 3)
		errx(2, "usage: writes MIB off|eager|background [child|parent]");
	pages = strtoul(argv[1], NULL, 10) * (1 << 20) / PAGE;
	memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!pages || memory == MAP_FAILED || pipe(fds))
		err(1, "memory");
	madvise(memory, pages * PAGE, MADV_NOHUGEPAGE);
	for (page = 0; page < pages; page++)
		fill(page, 1);
	ask_for(argv[2], argc > 3 ? argv[3] : "child");
	begin = now_us();
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid)
		child(fds[1]);
	forked = now_us();
	mine = write_all(2);
	mine.wrong = is_wrong(2);
	if (read(fds[0], &its, sizeof(its)) != sizeof(its) || wait(&status) != pid || status)
		errx(1, "the child fails");
	printf("fork_us=%lld\nparent_us=%lld\nchild_us=%lld\nboth_us=%lld\n",
	       (long long)(forked - begin), (long long)mine.us, (long long)its.us,
	       (long long)((mine.end > its.end ? mine.end : its.end) - begin));
	printf("parent_faults=%lld\nchild_faults=%lld\n", (long long)mine.faults,
	       (long long)its.faults);
	if (mine.wrong || its.wrong)
		errx(1, "%s has what it did not write", mine.wrong ? "the parent" : "the child");
	return 0;
}
