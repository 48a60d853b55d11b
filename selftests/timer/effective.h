/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a program needs for effective time: the clock and the timer
 */
#ifndef EFFECTIVE_H
#define EFFECTIVE_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>

#include <linux/kvm_pvx.h>

/* The clock id of an open file, see clock_getcpuclockid(3) and ptp. */
#define FD_TO_CLOCKID(fd)	((clockid_t)((~(unsigned int)(fd) << 3) | 3))

#define NSEC_PER_SEC	1000000000LL

static inline void fail(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static inline int open_clock(void)
{
	int fd = open("/dev/pvx_clock", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		fail("/dev/pvx_clock");
	return fd;
}

static inline int64_t ns_of(struct timespec ts)
{
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

/* A clock of the kernel's, or FD_TO_CLOCKID(fd); -1 if it cannot be read. */
static inline int64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	return clock_gettime(id, &ts) ? -1 : ns_of(ts);
}

/* Sets the timer of @fd; returns what ioctl() does. */
static inline int set_timer(int fd, uint32_t flags, int cpu, int64_t value,
			    int64_t interval, int64_t defer_max)
{
	struct pvx_clock_timer set = {
		.size = sizeof(set), .flags = flags, .cpu = cpu,
		.value_ns = value, .interval_ns = interval,
		.defer_max_ns = defer_max,
	};

	return ioctl(fd, PVX_CLOCK_SETTIME, &set);
}

static inline int read_clock(int fd, int cpu, struct pvx_clock_reading *reading)
{
	*reading = (struct pvx_clock_reading){ .size = sizeof(*reading), .cpu = cpu };
	return ioctl(fd, PVX_CLOCK_READ, reading);
}

#endif /* EFFECTIVE_H */
