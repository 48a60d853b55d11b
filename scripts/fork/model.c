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
/* Each is measured so often; the median counts. */
#define TRIES	9

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

/**
 * struct costs - what a fork and the writes after it took, in nanoseconds
 * @fork: the fork
 * @write: the parent's first write to each page, while the child does nothing
 * @again: its next ones, which are no fault
 */
struct costs {
	double	fork;
	double	write;
	double	again;
};

/* The child holds what it got until we are done. */
static int fork_and_write(char *memory, size_t bytes, struct costs *c)
{
	int pipe_fds[2];
	double begin;
	char byte;
	pid_t pid;

	if (pipe(pipe_fds))
		return -errno;
	begin = now_ns();
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		close(pipe_fds[1]);
		_exit(read(pipe_fds[0], &byte, 1) < 0);
	}
	c->fork = now_ns() - begin;
	write_all(memory, bytes);
	c->write = now_ns() - begin - c->fork;
	write_all(memory, bytes);
	c->again = now_ns() - begin - c->fork - c->write;
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return waitpid(pid, NULL, 0) == pid ? 0 : -errno;
}

static double copy_cost(char *memory, size_t bytes)
{
	double begin, tries[TRIES];
	char *copy = map(bytes);
	size_t at;
	int i;

	if (!copy)
		return 0;
	for (i = 0; i < TRIES; i++) {
		begin = now_ns();
		for (at = 0; at < bytes; at += PAGE)
			memcpy(copy + at, memory + at, PAGE);
		tries[i] = (now_ns() - begin) / bytes;
	}
	munmap(copy, bytes);
	return median(tries);
}

/* Medians of forks in one mode; their counters in all are added to @sum. */
static int measure_forks(int device, uint32_t mode, char *memory, size_t bytes,
			 struct costs *median_of, struct pvx_fork_status *sum)
{
	struct pvx_fork_status before = { .size = sizeof(before) };
	double values[3][TRIES];
	struct costs c = { 0 };
	int i, err;

	*sum = before;
	err = set_mode(device, mode);
	if (err || ioctl(device, PVX_IOC_FORK_STATUS, &before))
		return err ?: -errno;
	for (i = 0; i < TRIES; i++) {
		err = fork_and_write(memory, bytes, &c);
		if (err)
			return err;
		values[0][i] = c.fork;
		values[1][i] = c.write;
		values[2][i] = c.again;
	}
	if (ioctl(device, PVX_IOC_FORK_STATUS, sum))
		return -errno;
	sum->privatised -= before.privatised;
	sum->copy_ns -= before.copy_ns;
	sum->ns -= before.ns;
	sum->threads -= before.threads;
	*median_of = (struct costs){ median(values[0]), median(values[1]), median(values[2]) };
	return set_mode(device, PVX_FORK_OFF);
}

/* t0: what the first write to a page costs that is neither the write nor the copy. */
static int measure_faults(struct model *m, int device, char *memory, size_t bytes)
{
	struct pvx_fork_status none;
	struct costs stock;
	int err = measure_forks(device, PVX_FORK_OFF, memory, bytes, &stock, &none);

	m->guest_copy = copy_cost(memory, bytes);
	m->fault = (stock.write - stock.again) / (bytes / PAGE) - m->guest_copy * PAGE;
	return err ?: m->guest_copy > 0 ? 0 : -ENOMEM;
}

/* 1/gamma and tu: as the threads had it that copied, which work side by side. */
static int measure_batches(struct model *m, int device, char *memory, size_t bytes)
{
	struct pvx_fork_status sum;
	struct costs eager;
	double pages, side_by_side;
	int err = measure_forks(device, PVX_FORK_EAGER, memory, bytes, &eager, &sum);

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
	struct costs stock, eager;
	int err;

	err = measure_forks(device, PVX_FORK_OFF, memory, bytes, &stock, &none) ?:
	      measure_forks(device, PVX_FORK_EAGER, memory, bytes, &eager, &none);
	m->fixed = eager.fork - stock.fork -
		   (m->batch_copy * PAGE + m->table) * (bytes / PAGE);
	if (m->fixed < 0)
		m->fixed = 0;
	return err;
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

/**
 * model_measure() - measure the model's terms
 * @m: the model, filled
 * @device: /dev/pvx_fork
 * @bytes: of memory that it is tried with
 *
 * Each term is measured by itself, and none from what it is to predict. The process must
 * not be one that leaves its children to be reaped by nobody.
 *
 * Return: 0 or a negative errno.
 */
int model_measure(struct model *m, int device, size_t bytes)
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
