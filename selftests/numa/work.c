// SPDX-License-Identifier: GPL-2.0
/*
 * Uses memory of its own at random, by several threads
 *
 * Usage: work MIB THREADS GFNS: writes to the file GFNS, when all is there, the
 * guest frame number of each page, a 64-bit number each; then goes on until it is killed.
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

#define PAGE	4096
#define THREADS_MAX	64

static char *memory;
static size_t pages;

static unsigned long accesses = -1UL;

static void *use(void *seed)
{
	uint64_t x = (uintptr_t)seed | 1;
	unsigned long i;

	for (i = 0; i < accesses; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		*(volatile uint64_t *)(memory + x % pages * PAGE) += x;
	}
	return NULL;
}

/* As /proc/self/pagemap has them. */
static void write_gfns(const char *path)
{
	int map = open("/proc/self/pagemap", O_RDONLY);
	FILE *file = fopen(path, "w");
	uint64_t entry;
	size_t i;

	if (map < 0 || !file)
		err(1, "%s", path);
	for (i = 0; i < pages; i++) {
		if (pread(map, &entry, sizeof(entry), ((uintptr_t)memory / PAGE + i) * 8) != 8)
			err(1, "pagemap");
		entry &= (1ULL << 55) - 1;
		if (!entry || fwrite(&entry, sizeof(entry), 1, file) != 1)
			errx(1, "no frame numbers (are you root?)");
	}
	if (fclose(file))
		err(1, "%s", path);
	close(map);
}

static void tell_gfns(const char *path)
{
	char new[256];

	snprintf(new, sizeof(new), "%s.new", path);
	write_gfns(new);
	if (rename(new, path))
		err(1, "%s", path);
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
	double begin;
	int threads;

	if (argc < 4)
		errx(2, "usage: work MIB THREADS GFNS | work MIB THREADS - ACCESSES");
	pages = strtoul(argv[1], NULL, 10) * (1 << 20) / PAGE;
	threads = atoi(argv[2]);
	memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	if (!pages || threads < 1 || threads > THREADS_MAX || memory == MAP_FAILED)
		err(1, "memory or threads");
	memset(memory, 1, pages * PAGE);
	if (argc > 4)
		accesses = strtoul(argv[4], NULL, 10);
	else
		tell_gfns(argv[3]);
	begin = now();
	use_all(threads);
	printf("accesses_per_s=%.0f\n", threads * accesses / (now() - begin));
	return 0;
}
