// SPDX-License-Identifier: GPL-2.0
/*
 * Uses memory of its own at random, by several threads
 *
 * Usage: work MIB THREADS GFNS [huge]: writes to the file GFNS, when all is there, the
 * guest frame number of each page, a 64-bit number each; then goes on until it is killed. Pages are
 * all small or all huge, so that nobody makes huge ones of them later, which are elsewhere.
 * Usage: work MIB THREADS - ACCESSES: ends when each thread has made so many, and prints how
 * many there were in a second.
 */
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../lib/random.h"

#define PAGE	4096
#define HUGE	(2 << 20)
#define THREADS_MAX	64

static char *memory;
static size_t pages;

static unsigned long accesses = -1UL;

static void *use(void *seed)
{
	uint64_t x = (uintptr_t)seed | 1;
	unsigned long i;

	for (i = 0; i < accesses; i++) {
		next_random(&x);
		*(volatile uint64_t *)(memory + x % pages * PAGE) += x;
	}
	return NULL;
}

/* As /proc/self/pagemap has them. */
static uint64_t *read_gfns(void)
{
	const ssize_t bytes = pages * sizeof(uint64_t);
	int map = open("/proc/self/pagemap", O_RDONLY);
	uint64_t *gfns = malloc(bytes);
	size_t i;

	if (map < 0 || !gfns ||
	    pread(map, gfns, bytes, (uintptr_t)memory / PAGE * sizeof(*gfns)) != bytes)
		err(1, "pagemap");
	for (i = 0; i < pages; i++) {
		gfns[i] &= (1ULL << 55) - 1;
		if (!gfns[i])
			errx(1, "no frame numbers (are you root?)");
	}
	close(map);
	return gfns;
}

static void check_huge(const uint64_t *gfns)
{
	size_t i;

	for (i = 0; i < pages; i++)
		if (gfns[i] % (HUGE / PAGE) != i % (HUGE / PAGE))
			errx(1, "page %zu is not part of a huge one", i);
}

static void tell_gfns(const char *path, int huge)
{
	uint64_t *gfns = read_gfns();
	char new[256];
	FILE *file;

	if (huge)
		check_huge(gfns);
	snprintf(new, sizeof(new), "%s.new", path);
	file = fopen(new, "w");
	if (!file || fwrite(gfns, sizeof(*gfns), pages, file) != pages || fclose(file) ||
	    rename(new, path))
		err(1, "%s", path);
	free(gfns);
}

static void use_all(int threads)
{
	pthread_t thread[THREADS_MAX];
	int i;

	for (i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, use, (void *)(uintptr_t)(2 * i + getpid())))
			errx(1, "pthread_create");
	for (i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	int threads, huge = argc > 4 && !strcmp(argv[4], "huge");
	double begin;

	if (argc < 4 || (argc < 5 && !strcmp(argv[3], "-")))
		errx(2, "usage: work MIB THREADS GFNS [huge] | work MIB THREADS - ACCESSES");
	pages = strtoul(argv[1], NULL, 10) * (1 << 20) / PAGE;
	threads = atoi(argv[2]);
	memory = aligned_alloc(HUGE, pages * PAGE);
	if (!pages || threads < 1 || threads > THREADS_MAX || !memory ||
	    madvise(memory, pages * PAGE, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE))
		err(1, "memory or threads");
	memset(memory, 1, pages * PAGE);
	if (strcmp(argv[3], "-"))
		tell_gfns(argv[3], huge);
	else
		accesses = strtoul(argv[4], NULL, 10);
	begin = now();
	use_all(threads);
	printf("accesses_per_s=%.0f\n", threads * accesses / (now() - begin));
	return 0;
}
