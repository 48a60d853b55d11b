/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file whose pages never come: of a FUSE file system whose server answers all but reads
 */
#ifndef PVX_SELFTESTS_HUNG_FILE_H
#define PVX_SELFTESTS_HUNG_FILE_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <linux/fuse.h>

#define HUNG_NODE	2

static size_t hung_size;

static struct fuse_attr hung_attr(uint64_t node)
{
	return (struct fuse_attr){
		.ino = node,
		.size = node == HUNG_NODE ? hung_size : 0,
		.mode = node == HUNG_NODE ? 0100600 : 0040700,
		.nlink = 1,
		.blksize = 4096,
	};
}

static void hung_answer(int fuse, uint64_t unique, int error, const void *data, size_t size)
{
	struct {
		struct fuse_out_header	head;
		char			data[256];
	} out = { .head = { .len = sizeof(out.head) + size, .error = error, .unique = unique } };

	memcpy(out.data, data, size);
	if (write(fuse, &out, out.head.len) != (ssize_t)out.head.len)
		perror("/dev/fuse");
}

static void hung_serve_one(int fuse, const struct fuse_in_header *in)
{
	const struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION,
		.max_write = 4096, .max_readahead = 4096,
	};
	const struct fuse_entry_out entry = { .nodeid = HUNG_NODE, .attr = hung_attr(HUNG_NODE) };
	const struct fuse_attr_out attr = { .attr = hung_attr(in->nodeid) };
	const struct fuse_open_out open = { 0 };

	switch (in->opcode) {
	case FUSE_INIT:
		hung_answer(fuse, in->unique, 0, &init, sizeof(init));
		break;
	case FUSE_LOOKUP:
		hung_answer(fuse, in->unique, 0, &entry, sizeof(entry));
		break;
	case FUSE_GETATTR:
		hung_answer(fuse, in->unique, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
		hung_answer(fuse, in->unique, 0, &open, sizeof(open));
		break;
	case FUSE_READ:
	case FUSE_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		hung_answer(fuse, in->unique, -ENOSYS, NULL, 0);
	}
}

static void *hung_serve(void *fuse)
{
	static char request[1 << 17];

	while (read(*(int *)fuse, request, sizeof(request)) > 0)
		hung_serve_one(*(int *)fuse, (void *)request);
	return NULL;
}

/* As root. The server ends with the process. Returns the file, open for reading, or -1. */
static int hung_file_open(size_t size)
{
	static int fuse;
	char folder[] = "/tmp/hung.XXXXXX", path[64], options[64];
	pthread_t server;
	int fd;

	hung_size = size;
	fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse < 0 || !mkdtemp(folder))
		return -1;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
	if (mount("hung", folder, "fuse", MS_NOSUID | MS_NODEV, options) ||
	    pthread_create(&server, NULL, hung_serve, &fuse))
		return -1;
	snprintf(path, sizeof(path), "%s/file", folder);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	umount2(folder, MNT_DETACH);
	rmdir(folder);
	return fd;
}

#endif /* PVX_SELFTESTS_HUNG_FILE_H */
