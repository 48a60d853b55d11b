// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that the kernel itself cannot read, memfd_secret(2), for as long as it runs:
 * whoever looks at all pages has to leave it alone
 *
 * Exit status 4 if this kernel has none.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BYTES	(1UL << 20)

int main(void)
{
	int fd = syscall(SYS_memfd_secret, 0);
	volatile char *secret;
	size_t at;

	if (fd < 0 && errno == ENOSYS)
		return 4;
	if (fd < 0 || ftruncate(fd, BYTES))
		err(1, "memfd_secret");
	secret = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (secret == MAP_FAILED)
		err(1, "mmap");
	/* Written to, and only read, which leaves pages clean. */
	memset((char *)secret, 1, BYTES / 2);
	for (at = BYTES / 2; at < BYTES; at += 4096)
		(void)secret[at];
	pause();
	return 0;
}
