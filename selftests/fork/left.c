// SPDX-License-Identifier: GPL-2.0
/*
 * Which memory an eager fork privatises, and which it leaves to the kernel, in TAP
 *
 * To be run by root. It counts what becomes of all memory of this process, which has little
 * besides what it makes for each test.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/kvm_pvx.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>

#include "../lib/tap.h"

#define PAGE	4096
/* Most that a pipe can hold without further ado. */
#define PAGES	256
#define BYTES	(PAGES * PAGE)
/* What a process has besides. */
#define OTHERS	128

static int device;

static __u64 privatised(void)
{
	struct pvx_fork_status status = { .size = sizeof(status) };

	if (ioctl(device, PVX_IOC_FORK_STATUS, &status))
		err(1, "PVX_IOC_FORK_STATUS");
	return status.privatised;
}

/* Return: how many pages a fork privatises. */
static long fork_once(void)
{
	const __u64 before = privatised();
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		err(1, "fork");
	return privatised() - before;
}

static char *map(int flags, int fd)
{
	char *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, flags, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* In small pages, and there. */
static char *anonymous(void)
{
	char *memory = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);

	if (!memory || madvise(memory, BYTES, MADV_NOHUGEPAGE))
		err(1, "memory");
	memset(memory, 1, BYTES);
	return memory;
}

static char *shared(void)
{
	char *memory = map(MAP_SHARED | MAP_ANONYMOUS, -1);

	return memory ? memset(memory, 1, BYTES) : NULL;
}

static char *of_file(void)
{
	int fd = memfd_create("file", MFD_CLOEXEC);
	volatile char *memory;
	size_t i;

	if (fd < 0 || ftruncate(fd, BYTES))
		err(1, "a file");
	memory = map(MAP_PRIVATE, fd);
	close(fd);
	/* Read, so that it has the file's own pages. */
	for (i = 0; memory && i < BYTES; i += PAGE)
		memory[i];
	return (char *)memory;
}

static char *read_only(void)
{
	char *memory = anonymous();

	return mprotect(memory, BYTES, PROT_READ) ? NULL : memory;
}

static char *locked(void)
{
	char *memory = anonymous();

	return mlock(memory, BYTES) ? NULL : memory;
}

static char *with_policy(void)
{
	const unsigned long nodes = 1;
	char *memory = anonymous();

	return syscall(SYS_mbind, memory, BYTES, MPOL_BIND, &nodes, 8, 0) ? NULL : memory;
}

static char *wiped(void)
{
	char *memory = anonymous();

	return madvise(memory, BYTES, MADV_WIPEONFORK) ? NULL : memory;
}

/* Until this process ends. */
static char *with_userfaultfd(void)
{
	char *memory = anonymous();
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { .start = (uintptr_t)memory, .len = BYTES },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	return fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &range) ?
	       NULL : memory;
}

/* As for direct I/O: a pipe has the pages themselves. */
static char *held(void)
{
	char *memory = anonymous();
	struct iovec iov = { .iov_base = memory, .iov_len = BYTES };
	int ends[2];

	return pipe(ends) || fcntl(ends[1], F_SETPIPE_SZ, BYTES) < 0 ||
	       vmsplice(ends[1], &iov, 1, 0) != BYTES ? NULL : memory;
}

static const struct kind {
	const char	*name;
	char		*(*make)(void);
	bool		is_ours;
} kinds[] = {
	{ "anonymous memory is privatised", anonymous, true },
	{ "shared memory is left", shared, false },
	{ "a file's is left", of_file, false },
	{ "what may not be written to is left", read_only, false },
	{ "locked memory is left", locked, false },
	{ "what has a memory policy is left", with_policy, false },
	{ "what is wiped is left", wiped, false },
	{ "userfaultfd's is left", with_userfaultfd, false },
	{ "what a pipe has is left", held, false },
};

static void test(const struct kind *kind, int side)
{
	char *memory = kind->make();
	long n;

	if (!memory) {
		tap_skip(kind->name, strerror(errno));
		return;
	}
	n = fork_once();
	if (!tap_ok(kind->is_ours ? n >= PAGES : n < OTHERS, "%s%s", kind->name,
		    side == PVX_FORK_PARENT ? ", copies would be the parent's" : ""))
		printf("# %ld pages were privatised\n", n);
	munmap(memory, BYTES);
}

static void test_all(int side)
{
	struct pvx_fork_control control = {
		.size = sizeof(control), .mode = PVX_FORK_EAGER, .side = side,
		.least_bytes = PAGE,
	};
	unsigned int i;

	if (ioctl(device, PVX_IOC_FORK_SET, &control))
		err(1, "PVX_IOC_FORK_SET");
	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		test(&kinds[i], side);
}

int main(void)
{
	device = open("/dev/pvx_fork", O_RDWR | O_CLOEXEC);
	if (device < 0)
		err(1, "/dev/pvx_fork");
	tap_begin();
	test_all(PVX_FORK_CHILD);
	test_all(PVX_FORK_PARENT);
	return tap_done();
}
