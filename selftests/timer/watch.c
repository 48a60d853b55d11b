// SPDX-License-Identifier: GPL-2.0
/*
 * Do the clocks ever go back, or ahead of time?
 *
 *   watch MS CPU...
 *
 * reads the clocks of the CPUs (-1: the guest's) for MS milliseconds, and prints
 * how often it did so and how often they went back or were ahead of
 * CLOCK_MONOTONIC.
 */
#include <stdio.h>
#include <stdlib.h>

#include "effective.h"

#define MOST_CLOCKS	64

int main(int argc, char **argv)
{
	uint64_t last[MOST_CLOCKS] = {}, reads = 0, back = 0, ahead = 0;
	struct pvx_clock_reading reading;
	int64_t end;
	int fd, i;

	if (argc < 3 || argc > MOST_CLOCKS) {
		fprintf(stderr, "usage: watch MS CPU...\n");
		return 2;
	}
	fd = open_clock();
	end = clock_ns(CLOCK_MONOTONIC) + atoll(argv[1]) * 1000000;
	while (clock_ns(CLOCK_MONOTONIC) < end) {
		for (i = 2; i < argc; i++) {
			if (read_clock(fd, atoi(argv[i]), &reading))
				fail("PVX_CLOCK_READ");
			back += reading.effective_ns < last[i];
			ahead += reading.effective_ns > reading.monotonic_ns;
			last[i] = reading.effective_ns;
			reads++;
		}
	}
	printf("reads=%llu\nback=%llu\nahead=%llu\n", (unsigned long long)reads,
	       (unsigned long long)back, (unsigned long long)ahead);
	return EXIT_SUCCESS;
}
