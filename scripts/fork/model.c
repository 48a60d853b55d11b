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

/* Stock's and eager forks in turn: medians of each, and of the share that was copying. */
static int measure_forks(int device, char *memory, size_t bytes, struct costs *stock,
			 struct costs *eager, double *copying)
{
	double values[6][TRIES], shares[TRIES];
	struct pvx_fork_status before = { .size = sizeof(before) }, status = before;
	struct costs c;
	int i, err;

	for (i = 0; i < TRIES; i++) {
		err = set_mode(device, PVX_FORK_OFF) ?: fork_and_write(memory, bytes, &c);
		if (err)
			return err;
		values[0][i] = c.fork; values[1][i] = c.write; values[2][i] = c.again;
		err = set_mode(device, PVX_FORK_EAGER);
		if (err || ioctl(device, PVX_IOC_FORK_STATUS, &before))
			return err ?: -errno;
		err = fork_and_write(memory, bytes, &c);
		if (err)
			return err;
		values[3][i] = c.fork; values[4][i] = c.write; values[5][i] = c.again;
		if (ioctl(device, PVX_IOC_FORK_STATUS, &status))
			return -errno;
		shares[i] = status.ns > before.ns ? (double)(status.copy_ns - before.copy_ns) /
						    (status.ns - before.ns) : 0;
	}
	*stock = (struct costs){ median(values[0]), median(values[1]), median(values[2]) };
	*eager = (struct costs){ median(values[3]), median(values[4]), median(values[5]) };
	*copying = median(shares);
	return set_mode(device, PVX_FORK_OFF);
}

/**
 * model_measure() - measure the model's terms
 * @m: the model, filled
 * @device: /dev/pvx_fork
 * @bytes: of memory that it is tried with
 *
 * Return: 0 or a negative errno.
 */
int model_measure(struct model *m, int device, size_t bytes)
{
	const size_t small = 16 * PAGE;
	const double pages = bytes / PAGE;
	struct costs stock, eager;
	double copying, extra;
	char *memory = map(bytes);
	int err;

	if (!memory)
		return -ENOMEM;
	m->guest_copy = copy_cost(memory, bytes);
	/* All that is left of it later is what a child inherits for nothing. */
	err = measure_forks(device, memory, bytes, &stock, &eager, &copying);
	munmap(memory, bytes);
	if (err)
		return err;
	/* What a write costs that is no fault is paid in any case. */
	m->fault = (stock.write - stock.again) / pages - m->guest_copy * PAGE;
	extra = eager.fork - stock.fork + eager.write - eager.again;
	m->batch_copy = extra * copying / bytes;
	m->table = extra * (1 - copying) / pages;

	memory = map(small);
	if (!memory)
		return -ENOMEM;
	err = measure_forks(device, memory, small, &stock, &eager, &copying);
	munmap(memory, small);
	extra = (m->batch_copy * PAGE + m->table) * (small / PAGE);
	m->fixed = eager.fork - stock.fork - extra;
	if (m->fixed < 0)
		m->fixed = 0;
	return err;
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
