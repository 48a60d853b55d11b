// SPDX-License-Identifier: GPL-2.0
/*
 * Readings of a clock on request
 *
 *   readings CPU
 *
 * answers each line on standard input with a line: what the clock of CPU shows,
 * CLOCK_MONOTONIC, and what was stolen, in ns.
 */
#include <stdio.h>
#include <stdlib.h>

#include "effective.h"

int main(int argc, char **argv)
{
	struct pvx_clock_reading reading;
	int fd, c;

	if (argc != 2) {
		fprintf(stderr, "usage: readings CPU\n");
		return 2;
	}
	fd = open_clock();
	while ((c = getchar()) != EOF) {
		if (c != '\n')
			continue;
		if (read_clock(fd, atoi(argv[1]), &reading))
			fail("PVX_CLOCK_READ");
		printf("%llu %llu %llu\n", reading.effective_ns,
		       reading.monotonic_ns, reading.stolen_ns);
		fflush(stdout);
	}
	return EXIT_SUCCESS;
}
