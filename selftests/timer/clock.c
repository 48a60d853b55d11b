// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/pvx_clock, used as it should be and otherwise
 *
 * In a guest, with pvx_guest_timer loaded, as root.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/tap.h"
#include "effective.h"

#define MS		1000000LL
#define DEVICE		"/dev/pvx_clock"
#define SYS		PVX_CLOCK_SYSTEM
/* No timer here is to be put off for longer. */
#define DEFER		(10 * NSEC_PER_SEC)

/* Is @ret an error, and is it @err? */
#define FAILS(ret, err)	((ret) == -1 && errno == (err))

static int must_open(int flags)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC | flags);

	if (fd < 0) {
		perror(DEVICE);
		exit(EXIT_FAILURE);
	}
	return fd;
}

static uint64_t expirations(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static int readable(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, timeout_ms) == 1 && (p.revents & POLLIN);
}

static void test_clock(void)
{
	int fd = must_open(0), i;
	clockid_t id = FD_TO_CLOCKID(fd);
	int64_t before = clock_ns(CLOCK_MONOTONIC), last = clock_ns(id), now;
	struct timespec res = {};
	bool back = false;

	tap_ok(last > 0, "clock_gettime() reads the clock");
	tap_ok(last <= clock_ns(CLOCK_MONOTONIC), "it is not ahead of CLOCK_MONOTONIC");
	for (i = 0; i < 100000; i++) {
		now = clock_ns(id);
		back |= now < last;
		last = now;
	}
	tap_ok(!back, "it never goes back");
	now = clock_ns(CLOCK_MONOTONIC);
	tap_ok(last > before - 3600 * NSEC_PER_SEC && last <= now,
	       "and goes on");
	tap_ok(!clock_getres(id, &res) && ns_of(res) == 1, "its resolution is 1 ns");
	tap_ok(FAILS(clock_settime(id, &res), EOPNOTSUPP), "it cannot be set");
	tap_ok(FAILS(clock_adjtime(id, &(struct timex){}), EOPNOTSUPP), "nor adjusted");
	close(fd);
	tap_ok(FAILS(clock_gettime(id, &res), EINVAL), "a closed file is no clock");
	tap_ok(FAILS(clock_gettime(FD_TO_CLOCKID(STDIN_FILENO), &res), EINVAL),
	       "nor is another file");
	fd = must_open(0);
	tap_ok(FAILS(ioctl(fd, _IO(PVX_IOC_MAGIC, 0x1f), NULL), ENOTTY),
	       "an unknown ioctl is ENOTTY");
	close(fd);
}

static void test_reading(void)
{
	struct {
		struct pvx_clock_reading known;
		uint64_t more;
	} longer = { .known = { .size = sizeof(longer), .cpu = 0 } };
	struct pvx_clock_reading r, s;
	int fd = must_open(0);

	tap_ok(!read_clock(fd, 0, &r), "CPU 0's clock can be read");
	tap_ok(r.effective_ns <= r.monotonic_ns, "it is not ahead of CLOCK_MONOTONIC");
	tap_ok(!read_clock(fd, SYS, &s) && s.stolen_ns >= r.stolen_ns,
	       "from all is stolen what is stolen from one, or more");
	tap_ok(FAILS(read_clock(fd, -2, &r), EINVAL), "CPU -2 is EINVAL");
	tap_ok(FAILS(read_clock(fd, 1 << 20, &r), EINVAL), "CPU 2^20 is EINVAL");
	r.size = sizeof(r) - 1;
	tap_ok(FAILS(ioctl(fd, PVX_CLOCK_READ, &r), EINVAL), "a short structure is EINVAL");
	tap_ok(!ioctl(fd, PVX_CLOCK_READ, &longer), "a longer one is taken");
	longer.more = 1;
	tap_ok(FAILS(ioctl(fd, PVX_CLOCK_READ, &longer), E2BIG),
	       "unless it says what we do not know");
	tap_ok(FAILS(ioctl(fd, PVX_CLOCK_READ, NULL), EFAULT), "none at all is EFAULT");
	close(fd);
}

static void test_bad_timers(int fd)
{
	struct pvx_clock_timer set = { .size = sizeof(set), .cpu = SYS, .reserved = 1 };

	tap_ok(FAILS(set_timer(fd, 0, SYS, -1, 0, DEFER), EINVAL), "a negative time is EINVAL");
	tap_ok(FAILS(set_timer(fd, 0, SYS, 1, -1, DEFER), EINVAL), "a negative interval is EINVAL");
	tap_ok(FAILS(set_timer(fd, 0, SYS, 1, 0, -1), EINVAL), "a negative bound is EINVAL");
	tap_ok(FAILS(set_timer(fd, 2, SYS, 1, 0, DEFER), EINVAL), "an unknown flag is EINVAL");
	tap_ok(FAILS(set_timer(fd, 0, 1 << 20, 1, 0, DEFER), EINVAL), "an unknown CPU is EINVAL");
	tap_ok(FAILS(ioctl(fd, PVX_CLOCK_SETTIME, &set), EINVAL), "a reserved field is EINVAL");
	tap_ok(FAILS(ioctl(fd, PVX_CLOCK_SETTIME, NULL), EFAULT), "no structure is EFAULT");
	tap_ok(FAILS(read(fd, &set, 7), EINVAL), "a read of 7 bytes is EINVAL");
	tap_ok(!readable(fd, 0), "and none of it set the timer");
}

static void test_huge(int fd)
{
	struct pvx_clock_timer got = { .size = sizeof(got) };
	static const uint32_t flags[] = { 0, PVX_TIMER_ABSTIME };
	size_t i;

	for (i = 0; i < 2; i++) {
		tap_ok(!set_timer(fd, flags[i], SYS, INT64_MAX, INT64_MAX, INT64_MAX),
		       "a huge %s time is taken", i ? "absolute" : "relative");
		tap_ok(!readable(fd, 50), "and does not come");
	}
	tap_ok(!ioctl(fd, PVX_CLOCK_GETTIME, &got) && got.value_ns > INT64_MAX / 2,
	       "and it says so");
	tap_ok(!set_timer(fd, 0, SYS, 1, INT64_MAX, INT64_MAX) && readable(fd, 1000) &&
	       expirations(fd) == 1 && !readable(fd, 50), "an interval may be huge");
}

static void test_timer(void)
{
	struct pvx_clock_timer got = { .size = sizeof(got) };
	int fd = must_open(O_NONBLOCK);
	clockid_t id = FD_TO_CLOCKID(fd);
	uint64_t n;
	int64_t at;

	tap_ok(FAILS(read(fd, &n, sizeof(n)), EAGAIN), "a timer that was not set is EAGAIN");
	at = clock_ns(id) + 50 * MS;
	tap_ok(!set_timer(fd, PVX_TIMER_ABSTIME, SYS, at, 0, DEFER), "an absolute time is taken");
	tap_ok(readable(fd, 5000) && clock_ns(id) >= at, "it comes, and not too early");
	tap_ok(expirations(fd) == 1 && !readable(fd, 0), "and is read once");
	tap_ok(!set_timer(fd, PVX_TIMER_ABSTIME, SYS, 1, 0, DEFER) && readable(fd, 1000),
	       "one that has passed comes at once");
	tap_ok(!set_timer(fd, 0, 0, 20 * MS, 10 * MS, DEFER) && readable(fd, 5000),
	       "a relative time on CPU 0's clock comes");
	expirations(fd);
	usleep(100000);
	n = expirations(fd);
	tap_ok(n >= 3 && n <= 500, "an interval counts what was missed (%llu)",
	       (unsigned long long)n);
	tap_ok(!ioctl(fd, PVX_CLOCK_GETTIME, &got) && got.value_ns <= 10 * MS &&
	       got.interval_ns == 10 * MS && got.defer_max_ns == DEFER && !got.cpu,
	       "it says how it is set");
	tap_ok(!set_timer(fd, 0, SYS, 0, 0, 0) && !readable(fd, 50), "it can be taken back");
	tap_ok(!ioctl(fd, PVX_CLOCK_GETTIME, &got) && !got.value_ns, "and says so");
	tap_ok(!set_timer(fd, 0, SYS, 1, 1, DEFER) && readable(fd, 1000) &&
	       expirations(fd) > 0, "an interval of 1 ns is no flood");
	test_bad_timers((set_timer(fd, 0, SYS, 0, 0, 0), fd));
	test_huge(fd);
	close(fd);
}

static void test_blocking(void)
{
	int fd = must_open(0);
	int64_t from = clock_ns(FD_TO_CLOCKID(fd));

	set_timer(fd, 0, SYS, 50 * MS, 0, DEFER);
	tap_ok(expirations(fd) == 1 && clock_ns(FD_TO_CLOCKID(fd)) >= from + 50 * MS,
	       "a read waits for the expiration");
	close(fd);
}

static void test_fork(void)
{
	int fd = must_open(0), status = -1;
	pid_t child;

	set_timer(fd, 0, SYS, 50 * MS, 0, DEFER);
	child = fork();
	if (!child)
		_exit(expirations(fd) == 1 ? 0 : 1);
	close(fd);
	waitpid(child, &status, 0);
	tap_ok(!status, "a child reads the timer that its parent set and closed");
}

/* Also shows, with the kernel's log, that a set timer may be closed. */
static void test_limit(void)
{
	struct rlimit limit = { .rlim_cur = 64, .rlim_max = 64 };
	int status = -1, i, fd = -1;
	pid_t child = fork();

	if (!child) {
		if (setrlimit(RLIMIT_NOFILE, &limit) || setresuid(65534, 65534, 65534))
			_exit(2);
		for (i = 0; i < 100; i++) {
			fd = open(DEVICE, O_RDWR);
			if (fd < 0)
				break;
			if (set_timer(fd, 0, SYS, 1 + i % 8 * MS, MS, DEFER))
				_exit(3);
		}
		_exit(fd < 0 && errno == EMFILE && i > 50 ? 0 : 4);
	}
	waitpid(child, &status, 0);
	tap_ok(!status, "a user without rights sets timers up to its limit of files (status %x)",
	       status);
}

int main(void)
{
	tap_begin();
	if (access(DEVICE, F_OK))
		tap_skip_all("there is no " DEVICE);
	test_clock();
	test_reading();
	test_timer();
	test_blocking();
	test_fork();
	test_limit();
	return tap_done();
}
