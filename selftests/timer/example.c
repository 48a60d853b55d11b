// SPDX-License-Identifier: GPL-2.0
/*
 * Effective time in a program of your own: reads a clock, waits for a timer
 *
 *   example [CPU [MS]]
 *
 * prints what the clock of CPU (default: the guest's) shows. With MS it then
 * waits for as many milliseconds of effective time, at most 10 s longer than
 * that on the wall clock, and prints how long both took.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "effective.h"

static void show_clock(int fd, int cpu)
{
	struct pvx_clock_reading reading;

	if (read_clock(fd, cpu, &reading))
		fail("PVX_CLOCK_READ");
	printf("monotonic_ns=%llu\nstolen_ns=%llu\neffective_ns=%llu\n",
	       reading.monotonic_ns, reading.stolen_ns, reading.effective_ns);
}

static void wait_for(int fd, int cpu, int64_t ms)
{
	struct pvx_clock_reading begin, end;
	uint64_t expirations;

	if (read_clock(fd, cpu, &begin))
		fail("PVX_CLOCK_READ");
	if (set_timer(fd, PVX_TIMER_ABSTIME, cpu, begin.effective_ns + ms * 1000000,
		      0, 10 * NSEC_PER_SEC))
		fail("PVX_CLOCK_SETTIME");
	if (read(fd, &expirations, sizeof(expirations)) != sizeof(expirations))
		fail("read");
	if (read_clock(fd, cpu, &end))
		fail("PVX_CLOCK_READ");
	printf("waited_wall_us=%llu\nwaited_effective_us=%llu\n",
	       (end.monotonic_ns - begin.monotonic_ns) / 1000,
	       (end.effective_ns - begin.effective_ns) / 1000);
}

int main(int argc, char **argv)
{
	int cpu = argc > 1 ? atoi(argv[1]) : PVX_CLOCK_SYSTEM;
	int fd = open("/dev/pvx_clock", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		fail("/dev/pvx_clock");
	show_clock(fd, cpu);
	if (argc > 2)
		wait_for(fd, cpu, atoll(argv[2]));
	return EXIT_SUCCESS;
}
