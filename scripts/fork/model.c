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
 * is how many times less privatising costs where there is much to be privatised. A fork that
 * does so also costs something once, c, however little there is: with n bytes, c/n is to be
 * added to the divisor. Where there is little, one thread does it; where several do, c is larger,
 * since who forks wakes the others up, and waits for the last one.
 */
#include <errno.h>
#include <math.h>
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
/* Forks of a kind in a round. */
#define TRIES	3
/* Rounds, so that a machine whose pace changes has it in few of them. */
#define ROUNDS	5
/* What a thread has to do at least, as pvx_guest_fork has it. */
#define BYTES_PER_THREAD	(8 << 20)

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

static double per_page_of_stock(const struct model *m)
{
	return m->fault + m->guest_copy * PAGE;
}

static double threads_for(const struct model *m, double bytes)
{
	return fmin(fmax(floor(bytes / BYTES_PER_THREAD), 1), m->threads);
}

static double per_page_of_batch(const struct model *m, double threads)
{
	return (m->batch_copy * PAGE + m->table) * m->threads / threads;
}

static double fixed_for(const struct model *m, double threads)
{
	return threads > 1 ? fmax(m->together, m->fixed) : m->fixed;
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

/* What a first write to each page takes longer than one more does. */
static double first_writes(char *memory, size_t bytes)
{
	double begin = now_ns(), first;

	write_all(memory, bytes);
	first = now_ns() - begin;
	write_all(memory, bytes);
	return 2 * first - (now_ns() - begin);
}

struct fork_cost {
	double	fork;
	double	writes;
};

/* What fork takes, and writes after it, while the child does nothing and holds what it got. */
static int fork_once(char *memory, size_t bytes, struct fork_cost *cost)
{
	int pipe_fds[2], err;
	char byte;
	pid_t pid;

	if (pipe(pipe_fds))
		return -errno;
	cost->fork = now_ns();
	pid = fork();
	if (pid < 0) {
		err = -errno;
		close(pipe_fds[0]);
		close(pipe_fds[1]);
		return err;
	}
	if (!pid) {
		close(pipe_fds[1]);
		_exit(read(pipe_fds[0], &byte, 1) < 0);
	}
	cost->fork = now_ns() - cost->fork;
	cost->writes = first_writes(memory, bytes);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return waitpid(pid, NULL, 0) == pid ? 0 : -errno;
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

static int fork_often(char *memory, size_t bytes, struct fork_cost *medians)
{
	double forks[TRIES], writes[TRIES];
	struct fork_cost cost = {};
	int i, err;

	for (i = 0; i < TRIES; i++) {
		err = fork_once(memory, bytes, &cost);
		if (err)
			return err;
		forks[i] = cost.fork;
		writes[i] = cost.writes;
	}
	medians->fork = median(forks);
	medians->writes = median(writes);
	return 0;
}

static int fork_and_count(int device, char *memory, size_t bytes, struct fork_cost *medians,
			  struct pvx_fork_status *sum)
{
	struct pvx_fork_status before = { .size = sizeof(before) };
	int err;

	*sum = before;
	if (ioctl(device, PVX_IOC_FORK_STATUS, &before))
		return -errno;
	err = fork_often(memory, bytes, medians);
	if (err || ioctl(device, PVX_IOC_FORK_STATUS, sum))
		return err ?: -errno;
	sum->privatised -= before.privatised;
	sum->copy_ns -= before.copy_ns;
	sum->ns -= before.ns;
	sum->threads -= before.threads;
	return 0;
}

/* The medians of forks in one mode; their counters in all are put into @sum. */
static int measure_forks(int device, uint32_t mode, char *memory, size_t bytes,
			 struct fork_cost *medians, struct pvx_fork_status *sum)
{
	int err = set_mode(device, mode), off;

	if (err)
		return err;
	err = fork_and_count(device, memory, bytes, medians, sum);
	off = set_mode(device, PVX_FORK_OFF);
	return err ?: off;
}

/* t0 and 1/beta: what a write takes after a fork that copies nothing, and its copy of that. */
static int measure_faults(struct model *m, int device, char *memory, size_t bytes)
{
	struct pvx_fork_status none;
	struct fork_cost cost;
	int err = measure_forks(device, PVX_FORK_OFF, memory, bytes, &cost, &none);

	if (err)
		return err;
	m->fork = cost.fork;
	m->guest_copy = copy_cost(memory, bytes);
	m->fault = cost.writes / (bytes / PAGE) - m->guest_copy * PAGE;
	if (m->fault < 0)
		m->fault = 0;
	return m->guest_copy > 0 ? 0 : -ENOMEM;
}

/*
 * 1/gamma and tu: as the threads had it that copied, which work side by side; and what the fork took
 * longer than these did.
 */
static int measure_batches(struct model *m, int device, char *memory, size_t bytes)
{
	double pages;
	struct pvx_fork_status sum;
	struct fork_cost cost;
	int err = measure_forks(device, PVX_FORK_EAGER, memory, bytes, &cost, &sum);

	if (err)
		return err;
	pages = sum.privatised;
	m->threads = (double)sum.threads / TRIES;
	/* Where memory is short, nothing can be told. */
	if (pages < 0.9 * TRIES * (bytes / PAGE) || !sum.threads)
		return -ENOMEM;
	m->batch_copy = sum.copy_ns / m->threads / (pages * PAGE);
	m->table = (sum.ns - sum.copy_ns) / m->threads / pages;
	m->together = fmax(cost.fork - m->fork - sum.ns / m->threads / TRIES, 0);
	return 0;
}

/* c: by a fork that hardly copies anything. */
static int measure_fixed(struct model *m, int device, char *memory, size_t bytes)
{
	struct fork_cost stock, eager;
	struct pvx_fork_status none;
	int err;

	err = measure_forks(device, PVX_FORK_OFF, memory, bytes, &stock, &none) ?:
	      measure_forks(device, PVX_FORK_EAGER, memory, bytes, &eager, &none);
	if (err)
		return err;
	m->fixed = eager.fork - stock.fork -
		   per_page_of_batch(m, threads_for(m, bytes)) * (bytes / PAGE);
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
	return measure_with(m, device, bytes, measure_faults) ?:
	       measure_with(m, device, bytes, measure_batches) ?:
	       measure_with(m, device, 16 * PAGE, measure_fixed);
}

static int compare_rounds(const void *a, const void *b)
{
	double x = model_speedup(a, 1, INFINITY), y = model_speedup(b, 1, INFINITY);

	return (x > y) - (x < y);
}

/**
 * model_measure() - measure the model's terms
 * @m: the model, filled
 * @device: /dev/pvx_fork
 * @bytes: of memory that it is tried with
 *
 * Those of a round are measured one soon after the other, and the round counts that has the
 * middle one of all predictions. Of much less memory the pages may lie to each other as no
 * large process' do. The process must not be one that leaves its children to be reaped by nobody.
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
 * @bytes: that there are; INFINITY for S as the model has it
 */
double model_speedup(const struct model *m, double written, double bytes)
{
	const double threads = threads_for(m, bytes);

	return written * per_page_of_stock(m) /
	       (per_page_of_batch(m, threads) + fixed_for(m, threads) * PAGE / bytes);
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
	double gain, least;
	int n;

	for (n = 1; n <= m->threads; n++) {
		gain = written * per_page_of_stock(m) - per_page_of_batch(m, n);
		least = n > 1 ? n * (double)BYTES_PER_THREAD : 0;
		if (gain > 0)
			return fmax(fixed_for(m, n) / gain * PAGE, least);
	}
	return -1;
}
