// SPDX-License-Identifier: GPL-2.0
/*
 * Takes CPUs away from whatever runs there, in bursts
 *
 *   hog COUNT LEAST_MS MOST_MS SEED CPU...
 *
 * A burst is a task of a real-time class on each of the CPUs, for LEAST_MS to
 * MOST_MS milliseconds. After each comes a rest, so that half of the time is
 * taken. Prints when each began and ended, in seconds. One process for all
 * bursts: to start one for each takes as long as a burst under emulation.
 */
#define _GNU_SOURCE
#include <err.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MS 1000000LL
#define MOST_CPUS 8

static pthread_barrier_t begin, end;
static int64_t until; /* the burst's end, ns of CLOCK_MONOTONIC */

static int64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000 * MS + now.tv_nsec;
}

static void sleep_ns(int64_t ns)
{
	struct timespec time = {ns / (1000 * MS), ns % (1000 * MS)};

	nanosleep(&time, NULL);
}

static void become_realtime(int priority)
{
	struct sched_param param = {.sched_priority = priority};

	if (sched_setscheduler(0, SCHED_FIFO, &param))
		err(1, "SCHED_FIFO");
}

static void *hog(void *cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((intptr_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		err(1, "CPU %d", (int)(intptr_t)cpu);
	become_realtime(50);
	for (;;) {
		pthread_barrier_wait(&begin);
		while (now_ns(CLOCK_MONOTONIC) < until)
			;
		pthread_barrier_wait(&end);
	}
	return NULL;
}

static void burst(int64_t ns)
{
	int64_t began = now_ns(CLOCK_REALTIME) / 1000, ended;

	until = now_ns(CLOCK_MONOTONIC) + ns;
	pthread_barrier_wait(&begin);
	pthread_barrier_wait(&end);
	ended = now_ns(CLOCK_REALTIME) / 1000;
	printf("%lld.%06lld %lld.%06lld\n", (long long)(began / 1000000),
	       (long long)(began % 1000000), (long long)(ended / 1000000),
	       (long long)(ended % 1000000));
	fflush(stdout);
}

static void rest(int64_t start, int64_t taken)
{
	int64_t left = start + 2 * taken - now_ns(CLOCK_MONOTONIC);

	if (left > 0)
		sleep_ns(left);
}

int main(int argc, char **argv)
{
	int64_t start, taken = 0;
	int count, least, most, i;
	pthread_t thread;

	if (argc < 6 || argc - 5 > MOST_CPUS)
		errx(2,
		     "usage: hog COUNT LEAST_MS MOST_MS SEED CPU... (up to %d)",
		     MOST_CPUS);
	count = atoi(argv[1]);
	least = atoi(argv[2]);
	most = atoi(argv[3]);
	srand(atoi(argv[4]));
	if (least < 1 || most < least)
		errx(2, "bursts of %d to %d ms?", least, most);
	pthread_barrier_init(&begin, NULL, argc - 4);
	pthread_barrier_init(&end, NULL, argc - 4);
	for (i = 5; i < argc; i++) {
		if (pthread_create(&thread, NULL, hog,
				   (void *)(intptr_t)atoi(argv[i])))
			errx(1, "no thread");
	}
	/* Above the hogs, so that their end is seen wherever this one runs. */
	become_realtime(51);
	start = now_ns(CLOCK_MONOTONIC);
	for (i = 0; i < count; i++) {
		int64_t ns = (least + rand() % (most - least + 1)) * MS;

		burst(ns);
		taken += ns;
		rest(start, taken);
	}
	return EXIT_SUCCESS;
}
