// SPDX-License-Identifier: GPL-2.0
/*
 * Find the KVM VMs of a running process and duplicate their descriptors
 *
 * What is read from /proc may be out of date at once. So the process is
 * pinned by a pidfd before anything is read of it, and what was duplicated
 * is looked at again before it is believed to be a VM.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/kcmp.h>

#include "pvxctl.h"

#define VM_LINK	"anon_inode:kvm-vm"

void vmm_release(struct vmm *vmm)
{
	size_t i;

	for (i = 0; i < vmm->count; i++)
		close(vmm->vms[i].fd);
	free(vmm->vms);
	vmm->vms = NULL;
	vmm->count = 0;
}

static bool is_vm_link(int dir, const char *name)
{
	/* one byte more, to tell a longer link from ours */
	char link[sizeof(VM_LINK)];
	ssize_t len;

	len = readlinkat(dir, name, link, sizeof(link));
	return len == strlen(VM_LINK) && !memcmp(link, VM_LINK, len);
}

static int duplicate_vm(int pidfd, int vmm_fd)
{
	char path[32];
	int fd;

	fd = syscall(SYS_pidfd_getfd, pidfd, vmm_fd, 0);
	if (fd < 0)
		return -errno;
	/* The VMM may have put another file behind that number by now. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (is_vm_link(AT_FDCWD, path))
		return fd;
	close(fd);
	return -ENOTTY;
}

/* A VM has but one file, so descriptors of one VM are of the same file. */
static bool has_file(const struct vmm *vmm, int fd)
{
	pid_t self = getpid();
	size_t i;

	for (i = 0; i < vmm->count; i++) {
		if (!syscall(SYS_kcmp, self, self, KCMP_FILE, fd,
			     vmm->vms[i].fd))
			return true;
	}
	return false;
}

static int add_vm(struct vmm *vmm, int pidfd, int vmm_fd)
{
	struct vm *vms;
	int fd;

	fd = duplicate_vm(pidfd, vmm_fd);
	if (fd < 0)
		return fd;
	if (has_file(vmm, fd)) {
		close(fd);
		return 0;
	}
	vms = realloc(vmm->vms, (vmm->count + 1) * sizeof(*vms));
	if (!vms) {
		close(fd);
		return -ENOMEM;
	}
	vmm->vms = vms;
	vms[vmm->count++] = (struct vm){ .fd = fd, .vmm_fd = vmm_fd };
	return 0;
}

static int add_all_vms(struct vmm *vmm, int pidfd)
{
	struct dirent *entry;
	char path[32];
	int ret = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", vmm->pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!ret && (entry = readdir(dir))) {
		if (!is_vm_link(dirfd(dir), entry->d_name))
			continue;
		ret = add_vm(vmm, pidfd, atoi(entry->d_name));
		/* closed, or closed and reused, since we read the link */
		if (ret == -EBADF || ret == -ENOTTY)
			ret = 0;
	}
	closedir(dir);
	return ret;
}

static int read_command(struct vmm *vmm)
{
	char path[32];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", vmm->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	len = read(fd, vmm->command, sizeof(vmm->command) - 1);
	close(fd);
	if (len <= 0)
		return -ESRCH;
	if (vmm->command[len - 1] == '\n')
		len--;
	vmm->command[len] = '\0';
	return 0;
}

int vmm_scan(struct vmm *vmm, pid_t pid, int vmm_fd)
{
	int pidfd, ret;

	*vmm = (struct vmm){ .pid = pid };
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0) {
		/* a thread, or a process about to be gone */
		if (errno == EINVAL || errno == ENOENT)
			return -ESRCH;
		return -errno;
	}
	ret = read_command(vmm);
	if (!ret) {
		if (vmm_fd < 0)
			ret = add_all_vms(vmm, pidfd);
		else
			ret = add_vm(vmm, pidfd, vmm_fd);
	}
	close(pidfd);
	if (ret)
		vmm_release(vmm);
	return ret;
}

static bool has_id(const struct vmm *vmm, size_t count, __u32 id)
{
	size_t i;

	for (i = 0; id && i < count; i++) {
		if (vmm->vms[i].known && vmm->vms[i].query.id == id)
			return true;
	}
	return false;
}

int vmm_query(struct vmm *vmm, int dev)
{
	size_t i, kept = 0;
	int ret = 0;

	for (i = 0; i < vmm->count; i++) {
		struct vm vm = vmm->vms[i];

		vm.query.size = sizeof(vm.query);
		vm.query.vm_fd = vm.fd;
		vm.known = !ioctl(dev, PVX_IOC_QUERY, &vm.query);
		if (!vm.known) {
			warn("process %d: cannot query the VM at fd %d",
			     vmm->pid, vm.vmm_fd);
			ret = -1;
		} else if (has_id(vmm, kept, vm.query.id)) {
			/* has_file() is blind on kernels without kcmp(2) */
			close(vm.fd);
			continue;
		}
		vmm->vms[kept++] = vm;
	}
	vmm->count = kept;
	return ret;
}
