// SPDX-License-Identifier: GPL-2.0
/*
 * Is a timer on effective time neither early nor late?
 *
 *   expiries CPU|stock MS COUNT
 *
 * sets the timer on the clock of CPU (-1: the guest's) COUNT times by MS
 * milliseconds, and prints by how much the clock was beyond it when it was read,
 * and for how long the clock stood still meanwhile. "stock" is a timerfd on
 * CLOCK_MONOTONIC, for comparison.
 */
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "effective.h"

static int64_t effective(int fd, int cpu)
{
	struct pvx_clock_reading reading;

	if (read_clock(fd, cpu, &reading))
		fail("PVX_CLOCK_READ");
	return reading.effective_ns;
}

static void expire(int fd)
{
	uint64_t expirations;

	if (read(fd, &expirations, sizeof(expirations)) != sizeof(expirations))
		fail("read");
}

/* How late the timer was, in ns; below 0: early. */
static int64_t one(int fd, int cpu, int64_t ns)
{
	int64_t at = effective(fd, cpu) + ns;

	if (set_timer(fd, PVX_TIMER_ABSTIME, cpu, at, 0, 60 * NSEC_PER_SEC))
		fail("PVX_CLOCK_SETTIME");
	expire(fd);
	return effective(fd, cpu) - at;
}

static int64_t one_stock(int fd, int64_t ns)
{
	int64_t at = clock_ns(CLOCK_MONOTONIC) + ns;
	struct itimerspec set = {
		.it_value = { at / NSEC_PER_SEC, at % NSEC_PER_SEC },
	};

	if (timerfd_settime(fd, TFD_TIMER_ABSTIME, &set, NULL))
		fail("timerfd_settime");
	expire(fd);
	return clock_ns(CLOCK_MONOTONIC) - at;
}

/* How far the clock is behind CLOCK_MONOTONIC, in ns. */
static int64_t behind(int fd, int cpu)
{
	return clock_ns(CLOCK_MONOTONIC) - effective(fd, cpu);
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	struct sched_param high = { .sched_priority = 1 };
	bool stock = argc > 1 && !strcmp(argv[1], "stock");
	int count = argc == 4 ? atoi(argv[3]) : 0, early = 0, cpu, i, fd;
	int64_t *late, stolen;

	if (count <= 0) {
		fprintf(stderr, "usage: expiries CPU|stock MS COUNT\n");
		return 2;
	}
	fd = stock ? timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC) :
		     open_clock();
	cpu = stock ? 0 : atoi(argv[1]);
	late = calloc(count, sizeof(*late));
	if (fd < 0 || !late)
		fail("cannot open the clock");
	/* What is measured is the timer, and not who else wants CPU or memory. */
	if (sched_setscheduler(0, SCHED_FIFO, &high) ||
	    mlockall(MCL_CURRENT | MCL_FUTURE))
		fail("SCHED_FIFO, mlockall");
	stolen = stock ? 0 : behind(fd, cpu);
	for (i = 0; i < count; i++) {
		int64_t ns = atoll(argv[2]) * 1000000;

		late[i] = stock ? one_stock(fd, ns) : one(fd, cpu, ns);
		early += late[i] < 0;
	}
	stolen = stock ? 0 : behind(fd, cpu) - stolen;
	qsort(late, count, sizeof(*late), compare);
	printf("expiries=%d\nearly=%d\nstolen_ms=%lld\n", count, early,
	       (long long)stolen / 1000000);
	printf("late_median_us=%lld\nlate_9_of_10_us=%lld\nlate_most_us=%lld\n",
	       (long long)late[count / 2] / 1000,
	       (long long)late[(count * 9 - 1) / 10] / 1000,
	       (long long)late[count - 1] / 1000);
	return EXIT_SUCCESS;
}
