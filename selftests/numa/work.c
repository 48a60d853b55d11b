// SPDX-License-Identifier: GPL-2.0
/*
 * Uses memory of its own at random, by several threads
 *
 * Usage: work MIB THREADS GFNS: writes to the file GFNS, when all is there, the
 * guest frame number of each page, a 64-bit number each; then goes on until it is killed.
 */
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE	4096

static char *memory;
static size_t pages;

static __attribute__((noreturn)) void *use(void *seed)
{
	uint64_t x = (uintptr_t)seed | 1;

	for (;;) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		*(volatile uint64_t *)(memory + x % pages * PAGE) += x;
	}
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

int main(int argc, char **argv)
{
	pthread_t thread;
	char path[256];
	int i;

	if (argc != 4)
		errx(2, "usage: work MIB THREADS GFNS");
	pages = strtoul(argv[1], NULL, 10) * (1 << 20) / PAGE;
	memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	if (!pages || memory == MAP_FAILED)
		err(1, "memory");
	memset(memory, 1, pages * PAGE);
	snprintf(path, sizeof(path), "%s.new", argv[3]);
	write_gfns(path);
	if (rename(path, argv[3]))
		err(1, "%s", argv[3]);
	for (i = 1; i < atoi(argv[2]); i++)
		if (pthread_create(&thread, NULL, use, (void *)(uintptr_t)(i + getpid())))
			errx(1, "pthread_create");
	use((void *)(uintptr_t)getpid());
}
