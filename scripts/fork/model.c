// SPDX-License-Identifier: GPL-2.0
/*
 * The cost model of batched fork-copy, and its terms as measured here
 *
 * Copy-on-write costs t0 + p/beta for each page of p bytes that is written to after a
 * fork: a fault, and a copy at the rate beta. Privatising costs p/gamma + tu for each page
 * there is: its part of a batch, copied at the rate gamma, and what is done to tables. If
 * the share phi of the pages is written to,
 *
 *	S = phi (t0/p + 1/beta) / (1/gamma + tu/p)
 *
 * is how many times less privatising costs.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/kvm_pvx.h>

#include "model.h"

#define PAGE	4096
/* In a round each term is measured so often; the median counts. */
#define TRIES	3
/* Rounds, so that a machine whose pace changes has it in few of them. */
#define ROUNDS	5

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, TRIES, sizeof(*values), compare);
	return values[TRIES / 2];
}

static char *map(size_t bytes)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	madvise(memory, bytes, MADV_NOHUGEPAGE);
	memset(memory, 1, bytes);
	return memory;
}

static void write_all(char *memory, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i += PAGE)
		*(volatile char *)(memory + i) += 1;
}

static int set_mode(int device, uint32_t mode)
{
	struct pvx_fork_control control = {
		.size = sizeof(control),
		.mode = mode,
		.side = PVX_FORK_CHILD,
		.least_bytes = PAGE,
	};

	return ioctl(device, PVX_IOC_FORK_SET, &control) ? -errno : 0;
}

/* What fork takes, while the child does nothing and holds what it got. Or a negative errno. */
static double fork_once(void)
{
	int pipe_fds[2];
	double ns;
	char byte;
	pid_t pid;

	if (pipe(pipe_fds))
		return -errno;
	ns = now_ns();
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		close(pipe_fds[1]);
		_exit(read(pipe_fds[0], &byte, 1) < 0);
	}
	ns = now_ns() - ns;
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return waitpid(pid, NULL, 0) == pid ? ns : -errno;
}

/* As the kernel copies a page; a library may choose other instructions. */
static void copy_page(void *to, const void *from)
{
	unsigned long words = PAGE / sizeof(long);

	asm volatile("rep movsq" : "+D" (to), "+S" (from), "+c" (words) : : "memory");
}

/*
 * Pages of the copy are no power of two away from their sources, as a process' are not: caches
 * and TLBs, and all the more those of an emulator, may have one place for both.
 */
#define SKEW	(37 * PAGE)

static double copy_cost(char *memory, size_t bytes)
{
	double begin, tries[TRIES];
	char *copy = map(bytes + SKEW);
	size_t at;
	int i;

	if (!copy)
		return 0;
	for (i = 0; i < TRIES; i++) {
		begin = now_ns();
		for (at = 0; at < bytes; at += PAGE)
			copy_page(copy + at, memory + at);
		tries[i] = (now_ns() - begin) / bytes;
	}
	munmap(copy, bytes + SKEW);
	return median(tries);
}

/* The median of forks in one mode; their counters in all are put into @sum. */
static int measure_forks(int device, uint32_t mode, double *fork_ns, struct pvx_fork_status *sum)
{
	struct pvx_fork_status before = { .size = sizeof(before) };
	double tries[TRIES];
	int i, err;

	*sum = before;
	err = set_mode(device, mode);
	if (err || ioctl(device, PVX_IOC_FORK_STATUS, &before))
		return err ?: -errno;
	for (i = 0; i < TRIES; i++) {
		tries[i] = fork_once();
		if (tries[i] < 0)
			return tries[i];
	}
	if (ioctl(device, PVX_IOC_FORK_STATUS, sum))
		return -errno;
	sum->privatised -= before.privatised;
	sum->copy_ns -= before.copy_ns;
	sum->ns -= before.ns;
	sum->threads -= before.threads;
	*fork_ns = median(tries);
	return set_mode(device, PVX_FORK_OFF);
}

static void read_all(const char *memory, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i += PAGE)
		(void)*(const volatile char *)(memory + i);
}

/*
 * t0: what a write costs to a page that was only read before. All such pages are one page of
 * zeroes, so it is as the write to one that is shared since a fork: a fault, a page of its
 * own, and the flush of the entry; but nothing is copied. Kernels with init_on_alloc, as
 * distributions have it on, zero the page in both.
 */
static double fault_cost(size_t bytes)
{
	double begin, first, again, tries[TRIES];
	char *memory;
	int i;

	for (i = 0; i < TRIES; i++) {
		memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);
		if (memory == MAP_FAILED)
			return 0;
		madvise(memory, bytes, MADV_NOHUGEPAGE);
		read_all(memory, bytes);
		begin = now_ns();
		write_all(memory, bytes);
		first = now_ns() - begin;
		write_all(memory, bytes);
		again = now_ns() - begin - first;
		munmap(memory, bytes);
		tries[i] = (first - again) / (bytes / PAGE);
	}
	return median(tries);
}

static int measure_faults(struct model *m, int device, char *memory, size_t bytes)
{
	(void)device;
	m->guest_copy = copy_cost(memory, bytes);
	m->fault = fault_cost(bytes);
	return m->guest_copy > 0 && m->fault > 0 ? 0 : -ENOMEM;
}

/* 1/gamma and tu: as the threads had it that copied, which work side by side. */
static int measure_batches(struct model *m, int device, char *memory, size_t bytes)
{
	double fork_ns, pages, side_by_side;
	struct pvx_fork_status sum;
	int err = measure_forks(device, PVX_FORK_EAGER, &fork_ns, &sum);

	(void)memory;
	if (err)
		return err;
	pages = sum.privatised;
	side_by_side = (double)sum.threads / TRIES;
	/* Where memory is short, nothing can be told. */
	if (pages < 0.9 * TRIES * (bytes / PAGE) || !sum.threads)
		return -ENOMEM;
	m->batch_copy = sum.copy_ns / side_by_side / (pages * PAGE);
	m->table = (sum.ns - sum.copy_ns) / side_by_side / pages;
	return 0;
}

static int measure_fixed(struct model *m, int device, char *memory, size_t bytes)
{
	struct pvx_fork_status none;
	double stock_ns, eager_ns;
	int err;

	(void)memory;
	err = measure_forks(device, PVX_FORK_OFF, &stock_ns, &none) ?:
	      measure_forks(device, PVX_FORK_EAGER, &eager_ns, &none);
	if (err)
		return err;
	m->fixed = eager_ns - stock_ns - (m->batch_copy * PAGE + m->table) * (bytes / PAGE);
	if (m->fixed < 0)
		m->fixed = 0;
	return 0;
}

static int measure_with(struct model *m, int device, size_t bytes,
			int (*measure)(struct model *m, int device, char *memory, size_t bytes))
{
	char *memory = map(bytes);
	int err;

	if (!memory)
		return -ENOMEM;
	err = measure(m, device, memory, bytes);
	munmap(memory, bytes);
	return err;
}

static int measure_round(struct model *m, int device, size_t bytes)
{
	return measure_with(m, device, bytes / 8, measure_faults) ?:
	       measure_with(m, device, bytes, measure_batches) ?:
	       measure_with(m, device, 16 * PAGE, measure_fixed);
}

static double per_page_of_stock(const struct model *m)
{
	return m->fault + m->guest_copy * PAGE;
}

static double per_page_of_batch(const struct model *m)
{
	return m->batch_copy * PAGE + m->table;
}

static int compare_rounds(const void *a, const void *b)
{
	double x = model_speedup(a, 1), y = model_speedup(b, 1);

	return (x > y) - (x < y);
}

/**
 * model_measure() - measure the model's terms
 * @m: the model, filled
 * @device: /dev/pvx_fork
 * @bytes: of memory that it is tried with
 *
 * Each term is measured by itself, and none from what it is to predict. Those of a round are
 * measured one soon after the other, and the round counts that has the middle one of all
 * predictions. The process must not be one that leaves its children to be reaped by nobody.
 *
 * Return: 0 or a negative errno.
 */
int model_measure(struct model *m, int device, size_t bytes)
{
	struct model rounds[ROUNDS];
	int i, err;

	for (i = 0; i < ROUNDS; i++) {
		err = measure_round(&rounds[i], device, bytes);
		if (err)
			return err;
	}
	qsort(rounds, ROUNDS, sizeof(rounds[0]), compare_rounds);
	*m = rounds[ROUNDS / 2];
	return 0;
}

/**
 * model_speedup() - how many times less privatising costs than copy-on-write
 * @m: the model
 * @written: share of the pages that is written to, from 0 to 1
 */
double model_speedup(const struct model *m, double written)
{
	return written * per_page_of_stock(m) / per_page_of_batch(m);
}

/**
 * model_threshold() - from how many bytes on it pays
 * @m: the model
 * @written: share of the pages that is written to, from 0 to 1
 *
 * Return: bytes, or a negative number if it never does.
 */
double model_threshold(const struct model *m, double written)
{
	double gain = written * per_page_of_stock(m) - per_page_of_batch(m);

	return gain > 0 ? m->fixed / gain * PAGE : -1;
}
