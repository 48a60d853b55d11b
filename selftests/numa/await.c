// SPDX-License-Identifier: GPL-2.0
/*
 * Waits with poll(2) until /sys/kernel/pvx_numa/changes has another number
 *
 * Usage: await SECONDS FILE
 *
 * There is a FILE as soon as it waits. Prints "changed", or "same" if it has not by then.
 */
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHANGES	"/sys/kernel/pvx_numa/changes"

/* That is also what tells the kernel that we know of all changes up to now. */
static void read_number(int fd, char *number, size_t size)
{
	ssize_t n = pread(fd, number, size - 1, 0);

	if (n <= 0)
		err(1, CHANGES);
	number[n] = '\0';
}

int main(int argc, char **argv)
{
	struct pollfd file = { .fd = open(CHANGES, O_RDONLY), .events = POLLPRI };
	char before[32], after[32];
	int n;

	if (argc != 3)
		errx(2, "usage: await SECONDS FILE");
	if (file.fd < 0)
		err(1, CHANGES);
	read_number(file.fd, before, sizeof(before));
	if (creat(argv[2], 0644) < 0)
		err(1, "%s", argv[2]);
	n = poll(&file, 1, atoi(argv[1]) * 1000);
	if (n < 0)
		err(1, "poll");
	read_number(file.fd, after, sizeof(after));
	if (!n != !strcmp(before, after))
		errx(1, "poll(2) says %d, and it is %s after %s", n, after, before);
	puts(n ? "changed" : "same");
	return 0;
}
