// SPDX-License-Identifier: GPL-2.0
/*
 * Is a timer on effective time neither early nor late?
 *
 *   expiries CPU MS COUNT
 *
 * sets the timer on the clock of CPU (-1: the guest's) COUNT times by MS
 * milliseconds, and prints by how much the clock was beyond it when it was read.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "effective.h"

static void fail(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static int64_t effective(int fd, int cpu)
{
	struct pvx_clock_reading reading;

	if (read_clock(fd, cpu, &reading))
		fail("PVX_CLOCK_READ");
	return reading.effective_ns;
}

/* How late the timer was, in ns; below 0: early. */
static int64_t one(int fd, int cpu, int64_t ns)
{
	int64_t at = effective(fd, cpu) + ns;
	uint64_t expirations;

	if (set_timer(fd, PVX_TIMER_ABSTIME, cpu, at, 0, 60 * NSEC_PER_SEC))
		fail("PVX_CLOCK_SETTIME");
	if (read(fd, &expirations, sizeof(expirations)) != sizeof(expirations))
		fail("read");
	return effective(fd, cpu) - at;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	struct sched_param high = { .sched_priority = 1 };
	int fd = open("/dev/pvx_clock", O_RDWR | O_CLOEXEC), i, count, early = 0;
	int64_t *late;

	if (argc != 4 || (count = atoi(argv[3])) <= 0) {
		fprintf(stderr, "usage: expiries CPU MS COUNT\n");
		return 2;
	}
	late = calloc(count, sizeof(*late));
	if (fd < 0 || !late)
		fail("/dev/pvx_clock");
	/* What is measured is the timer, and not who else wants the CPU. */
	if (sched_setscheduler(0, SCHED_FIFO, &high))
		fail("SCHED_FIFO");
	for (i = 0; i < count; i++) {
		late[i] = one(fd, atoi(argv[1]), atoll(argv[2]) * 1000000);
		early += late[i] < 0;
	}
	qsort(late, count, sizeof(*late), compare);
	printf("expiries=%d\nearly=%d\n", count, early);
	printf("late_median_us=%lld\nlate_most_us=%lld\n",
	       (long long)late[count / 2] / 1000, (long long)late[count - 1] / 1000);
	return EXIT_SUCCESS;
}
