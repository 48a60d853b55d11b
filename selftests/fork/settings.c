// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/pvx_fork: what it says of this process, and what it refuses
 *
 * Usage: settings get|rules
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kvm_pvx.h>

#include "../lib/tap.h"

static int device;

static int answers(int error, unsigned long command, void *arg)
{
	int status = ioctl(device, command, arg);

	return error ? status < 0 && errno == error : !status;
}

static int get(void)
{
	struct pvx_fork_control control = { .size = sizeof(control) };

	if (ioctl(device, PVX_IOC_FORK_GET, &control))
		err(1, "PVX_IOC_FORK_GET");
	printf("mode=%u side=%u least=%llu\n", control.mode, control.side,
	       (unsigned long long)control.least_bytes);
	return 0;
}

/* One that a newer program gives. */
struct longer {
	struct pvx_fork_control	control;
	__u64			more;
};

static int rules(void)
{
	struct pvx_fork_control right = {
		.size = sizeof(right), .mode = PVX_FORK_EAGER, .least_bytes = 1 << 20,
	}, c;
	struct longer longer = { .control = right };
	struct pvx_fork_status status = { .size = sizeof(status) };

	tap_begin();
	tap_ok(answers(0, PVX_IOC_FORK_SET, &right), "set");
	c = (struct pvx_fork_control){ .size = sizeof(c) };
	tap_ok(answers(0, PVX_IOC_FORK_GET, &c) && c.mode == PVX_FORK_EAGER &&
	       c.side == PVX_FORK_CHILD && c.least_bytes == 1 << 20, "get");
	tap_ok(answers(0, PVX_IOC_FORK_STATUS, &status) && !status.forks && !status.running,
	       "status");
	c = right; c.size = sizeof(c) - 1;
	tap_ok(answers(EINVAL, PVX_IOC_FORK_SET, &c), "a short structure");
	c = right; c.size = 0;
	tap_ok(answers(EINVAL, PVX_IOC_FORK_SET, &c), "none");
	longer.control.size = sizeof(longer);
	tap_ok(answers(0, PVX_IOC_FORK_SET, &longer), "a longer one with nothing behind");
	longer.more = 1;
	tap_ok(answers(E2BIG, PVX_IOC_FORK_SET, &longer), "with something behind");
	c = right; c.size = 1 << 20;
	tap_ok(answers(E2BIG, PVX_IOC_FORK_SET, &c), "a huge one");
	c = right; c.mode = 3;
	tap_ok(answers(EINVAL, PVX_IOC_FORK_SET, &c), "an unknown mode");
	c = right; c.side = 2;
	tap_ok(answers(EINVAL, PVX_IOC_FORK_SET, &c), "an unknown side");
	c = right; c.reserved = 1;
	tap_ok(answers(EINVAL, PVX_IOC_FORK_SET, &c), "a reserved field");
	tap_ok(answers(EFAULT, PVX_IOC_FORK_SET, NULL), "no structure");
	status.size = 8;
	tap_ok(answers(EINVAL, PVX_IOC_FORK_STATUS, &status), "a short status");
	tap_ok(answers(ENOTTY, _IO(PVX_IOC_MAGIC, 0x7f), &c), "an unknown command");
	c = right; c.mode = PVX_FORK_OFF;
	tap_ok(answers(0, PVX_IOC_FORK_SET, &c) && answers(0, PVX_IOC_FORK_GET, &c) &&
	       c.mode == PVX_FORK_OFF && !c.least_bytes, "off again");
	return tap_done();
}

int main(int argc, char **argv)
{
	device = open("/dev/pvx_fork", O_RDWR | O_CLOEXEC);
	if (device < 0)
		err(1, "/dev/pvx_fork");
	if (argc == 2 && !strcmp(argv[1], "get"))
		return get();
	if (argc == 2 && !strcmp(argv[1], "rules"))
		return rules();
	errx(2, "usage: settings get|rules");
}
