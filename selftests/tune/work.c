// SPDX-License-Identifier: GPL-2.0
/*
 * A load of reads and writes that wait for one spinlock of the kernel, that of an eventfd
 *
 * Usage: work THREADS MS: prints how many there were, ops=N.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX	64
/* The clock is looked at once in so many. */
#define BATCH		64

static int fd;
static unsigned long long end_ns;
static _Atomic unsigned long long ops;

static unsigned long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Takes one and gives it back, so that there is always some. */
static void *work(void *unused)
{
	unsigned long long done = 0, one;
	int i;

	(void)unused;
	while (now_ns() < end_ns) {
		for (i = 0; i < BATCH; i++)
			if (read(fd, &one, sizeof(one)) != sizeof(one) ||
			    write(fd, &one, sizeof(one)) != sizeof(one))
				abort();
		done += BATCH;
	}
	ops += done;
	return NULL;
}

int main(int argc, char **argv)
{
	const int threads = argc == 3 ? atoi(argv[1]) : 0;
	pthread_t thread[THREADS_MAX];
	int i;

	if (threads < 1 || threads > THREADS_MAX)
		return 2;
	fd = eventfd(2 * THREADS_MAX, EFD_SEMAPHORE);
	end_ns = now_ns() + strtoull(argv[2], NULL, 10) * 1000000;
	for (i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, work, NULL))
			return 1;
	for (i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	printf("ops=%llu\n", ops);
	return 0;
}
