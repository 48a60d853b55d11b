// SPDX-License-Identifier: GPL-2.0
/*
 * The rules of /dev/kvm-pvx, kept and broken
 *
 * Runs on a KVM host that has pvx_host loaded, as root, with VMs of its own
 * that never run. It counts contexts, so no guest may come or go meanwhile.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/kvm.h>
#include <linux/kvm_pvx.h>

#include "../lib/tap.h"

#define DEVICE		"/dev/kvm-pvx"
#define DEBUGFS		"/sys/kernel/debug/pvx_host"
#define UNKNOWN_FEATURE	(1ULL << 61)
#define PAGE		4096
#define MANY		16

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static int dev, kvm, vm;

static const struct command {
	const char *name;
	unsigned long nr;
	size_t size;
	bool takes_vm;
} commands[] = {
	{ "info", PVX_IOC_INFO, sizeof(struct pvx_info), false },
	{ "grant", PVX_IOC_GRANT, sizeof(struct pvx_grant), true },
	{ "query", PVX_IOC_QUERY, sizeof(struct pvx_query), true },
	{ "group", PVX_IOC_GROUP, sizeof(struct pvx_group), true },
};

/* 0 or a negative error. */
static int call(unsigned long nr, void *arg)
{
	return ioctl(dev, nr, arg) ? -errno : 0;
}

static void expect(int ret, int must, const char *command, const char *what)
{
	if (!tap_ok(ret == must, "%s: %s", command, what))
		printf("# returned %d, not %d\n", ret, must);
}

static int new_vm(void)
{
	return ioctl(kvm, KVM_CREATE_VM, 0);
}

static int grant(int fd, __u64 set, __u64 clear, __u64 *granted)
{
	struct pvx_grant g = {
		.size = sizeof(g), .vm_fd = fd, .set = set, .clear = clear,
	};
	int ret = call(PVX_IOC_GRANT, &g);

	if (granted)
		*granted = g.granted;
	return ret;
}

static struct pvx_query query(int fd)
{
	struct pvx_query q = { .size = sizeof(q), .vm_fd = fd };

	if (call(PVX_IOC_QUERY, &q))
		q.id = UINT_MAX;
	return q;
}

static struct pvx_info info(void)
{
	struct pvx_info i = { .size = sizeof(i) };

	if (call(PVX_IOC_INFO, &i))
		i.vms = UINT_MAX;
	return i;
}

/* --- the structures' common rules ---------------------------------------- */

/* Two pages; the fields that all structures have stand at the same place. */
static union {
	struct {
		__u32	size;
		__s32	vm_fd;
	};
	unsigned char bytes[2 * PAGE];
} arg;

/* @c with @size, and @tail in the last byte if that is one more than it has. */
static int call_sized(const struct command *c, __u32 size, unsigned char tail)
{
	memset(&arg, 0, sizeof(arg));
	arg.size = size;
	arg.vm_fd = vm;
	if (size > c->size && size <= sizeof(arg))
		arg.bytes[size - 1] = tail;
	return call(c->nr, &arg);
}

static bool is_zero(const unsigned char *bytes, size_t count)
{
	while (count && !bytes[count - 1])
		count--;
	return !count;
}

static void test_sizes(const struct command *c)
{
	expect(call_sized(c, 0, 0), -EINVAL, c->name, "size 0");
	expect(call_sized(c, 4, 0), -EINVAL, c->name, "size of the size alone");
	expect(call_sized(c, c->size - 1, 0), -EINVAL, c->name, "a byte too short");
	expect(call_sized(c, c->size, 0), 0, c->name, "its size");
	tap_ok(arg.size == c->size, "%s: leaves the size alone", c->name);
	expect(call_sized(c, c->size + 8, 0), 0, c->name, "8 bytes more, all 0");
	tap_ok(arg.size == c->size + 8 && is_zero(arg.bytes + c->size, 8),
	       "%s: leaves what it does not know alone", c->name);
	expect(call_sized(c, c->size + 1, 0), 0, c->name, "a byte more, 0");
	expect(call_sized(c, c->size + 1, 1), -E2BIG, c->name, "a byte more, 1");
	expect(call_sized(c, c->size + 8, 1), -E2BIG, c->name,
	       "8 bytes more, the last of them 1");
	expect(call_sized(c, PAGE, 0), 0, c->name, "a page, all 0");
	expect(call_sized(c, PAGE, 1), -E2BIG, c->name,
	       "a page, the last byte 1");
	/* Bytes of 0 or not, and mapped or not: nobody looks at them. */
	expect(call_sized(c, PAGE + 1, 0), -E2BIG, c->name,
	       "a byte more than a page, all 0");
	expect(call_sized(c, 2 * PAGE, 0), -E2BIG, c->name, "two pages, all 0");
	expect(call_sized(c, 1U << 31, 0), -E2BIG, c->name, "2 GiB");
	expect(call_sized(c, UINT_MAX, 0), -E2BIG, c->name, "4 GiB less one");

	memset(&arg, 0xff, sizeof(arg));
	expect(call(c->nr, &arg), -E2BIG, c->name, "all bits 1");
}

static void test_pointers(const struct command *c)
{
	char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	__u32 *at;

	expect(call(c->nr, NULL), -EFAULT, c->name, "no structure");
	expect(call(c->nr, (void *)-4096L), -EFAULT, c->name, "a kernel address");
	if (map == MAP_FAILED || munmap(map + PAGE, PAGE)) {
		tap_skip("pointers", "no memory");
		return;
	}
	at = (__u32 *)(map + PAGE - 8);
	at[0] = c->size;
	at[1] = vm;
	expect(call(c->nr, at), -EFAULT, c->name, "cut off by unmapped memory");
	at = (__u32 *)map;
	at[0] = c->size;
	at[1] = vm;
	mprotect(map, PAGE, PROT_READ);
	expect(call(c->nr, at), -EFAULT, c->name, "read-only memory");
	munmap(map, PAGE);
}

static void test_reserved(void)
{
	struct pvx_query q = { .size = sizeof(q), .vm_fd = vm, .reserved = 1 };
	struct pvx_group g = { .size = sizeof(g), .vm_fd = vm, .reserved = 1 };
	struct pvx_info i = { .size = sizeof(i), .reserved = 1 };

	expect(call(PVX_IOC_INFO, &i), -EINVAL, "info", "reserved field set");
	expect(call(PVX_IOC_QUERY, &q), -EINVAL, "query", "reserved field set");
	expect(call(PVX_IOC_GROUP, &g), -EINVAL, "group", "reserved field set");
}

static void test_info(void)
{
	struct pvx_info i = info();

	tap_ok(i.abi_version == PVX_ABI_VERSION, "info: ABI version");
	tap_ok(!(i.available & PVX_F_RESERVED), "info: features available");
	tap_ok(!(i.default_features & ~PVX_F_ALL), "info: default features");
}

/* --- descriptors --------------------------------------------------------- */

static int call_fd(const struct command *c, int fd)
{
	memset(&arg, 0, sizeof(arg));
	arg.size = c->size;
	arg.vm_fd = fd;
	return call(c->nr, &arg);
}

static int new_vcpu(int fd)
{
	/* Without it the vCPU's APIC flips a static key of KVM's. */
	if (ioctl(fd, KVM_CREATE_IRQCHIP, 0))
		return -1;
	return ioctl(fd, KVM_CREATE_VCPU, 0);
}

static void test_fds(const struct command *c, int vcpu)
{
	int null = open("/dev/null", O_RDWR);
	int path = open("/dev/null", O_PATH);
	int copy = dup(vm);

	expect(call_fd(c, -1), -EBADF, c->name, "descriptor -1");
	expect(call_fd(c, INT_MAX), -EBADF, c->name, "a number too high");
	expect(call_fd(c, path), -EBADF, c->name, "O_PATH");
	expect(call_fd(c, null), -ENOTTY, c->name, "/dev/null");
	expect(call_fd(c, kvm), -ENOTTY, c->name, "/dev/kvm");
	expect(call_fd(c, dev), -ENOTTY, c->name, DEVICE);
	if (vcpu >= 0)
		expect(call_fd(c, vcpu), -ENOTTY, c->name, "a vCPU");
	else
		tap_skip("a vCPU", "cannot make one");
	expect(call_fd(c, copy), 0, c->name, "a VM");
	close(copy);
	expect(call_fd(c, copy), -EBADF, c->name, "a closed one");
	close(path);
	close(null);
}

/* --- grants -------------------------------------------------------------- */

static void test_fresh(int fd)
{
	struct pvx_query q = query(fd);

	tap_ok(!q.id && !q.granted && !q.negotiated && !q.calls && !q.refused,
	       "query: nothing is known of a new VM");
}

static void test_features(int fd)
{
	__u64 granted = 0;
	struct pvx_query q;

	expect(grant(fd, PVX_F_YIELD, 0, &granted), 0, "grant", "a feature");
	tap_ok(granted & PVX_F_YIELD, "grant: says that it is granted");
	q = query(fd);
	tap_ok(q.id && q.granted == granted, "query: says the same");
	tap_ok(!q.negotiated && !q.calls && !q.refused,
	       "query: no guest has called");

	expect(grant(fd, UNKNOWN_FEATURE, 0, NULL), -EINVAL, "grant",
	       "an unknown feature");
	expect(grant(fd, PVX_F_RESERVED, 0, NULL), -EINVAL, "grant",
	       "the reserved bit");
	expect(grant(fd, PVX_F_YIELD | UNKNOWN_FEATURE, 0, NULL), -EINVAL,
	       "grant", "one known and one unknown");
	expect(grant(fd, PVX_F_YIELD, PVX_F_YIELD, NULL), -EINVAL, "grant",
	       "granted and revoked at once");
	expect(grant(fd, 0, UNKNOWN_FEATURE | PVX_F_RESERVED, &granted), 0,
	       "grant", "revoking unknown features");
	tap_ok(granted == q.granted && query(fd).granted == q.granted,
	       "grant: all that changed nothing");

	expect(grant(fd, 0, PVX_F_YIELD, &granted), 0, "grant", "revoking it");
	tap_ok(!(granted & PVX_F_YIELD) && query(fd).granted == granted,
	       "grant: it is revoked");
	expect(grant(fd, 0, ~0ULL, &granted), 0, "grant", "revoking everything");
	tap_ok(!granted && !query(fd).granted, "grant: nothing is left");
	tap_ok(query(fd).id == q.id, "query: the VM keeps its number");
}

/* --- groups -------------------------------------------------------------- */

static int join(int fd, const char *name)
{
	struct pvx_group g = { .size = sizeof(g), .vm_fd = fd, .flags = PVX_GROUP_JOIN };

	memcpy(g.name, name, strnlen(name, sizeof(g.name)));
	return call(PVX_IOC_GROUP, &g);
}

static bool is_in(int fd, const char *name)
{
	struct pvx_group g = { .size = sizeof(g), .vm_fd = fd };

	memset(g.name, 'x', sizeof(g.name) - 1);
	return !call(PVX_IOC_GROUP, &g) && !strcmp(g.name, name);
}

static void test_groups(int fd)
{
	static const char longest[] = "a-name-of-thirty-one-characters";
	struct pvx_group g = { .size = sizeof(g), .vm_fd = fd, .flags = 2 };

	_Static_assert(sizeof(longest) == PVX_GROUP_NAME, "the longest name");
	tap_ok(is_in(fd, ""), "group: a VM is in none");
	expect(join(fd, "one"), 0, "group", "a name");
	tap_ok(is_in(fd, "one"), "group: it is in that");
	expect(join(fd, longest), 0, "group", "the longest name");
	tap_ok(is_in(fd, longest), "group: it is in that and no longer in the other");
	expect(join(fd, "a-name-of-thirty-two-characters!"), -EINVAL, "group",
	       "a name without end");
	expect(call(PVX_IOC_GROUP, &g), -EINVAL, "group", "an unknown flag");
	tap_ok(is_in(fd, longest), "group: all that changed nothing");
	expect(join(fd, ""), 0, "group", "no name");
	tap_ok(is_in(fd, ""), "group: it is in none");
}

/* --- the device ---------------------------------------------------------- */

static void test_unknown(void)
{
	static const unsigned long numbers[] = {
		0, 0x5401, _IO(PVX_IOC_MAGIC, 0x04), _IO(PVX_IOC_MAGIC, 0xff),
		_IO(PVX_IOC_MAGIC - 1, 0x00),
		_IOWR(PVX_IOC_MAGIC, 0x00, struct pvx_info),
	};
	char name[32];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		snprintf(name, sizeof(name), "ioctl 0x%lx", numbers[i]);
		expect(call(numbers[i], &arg), -ENOTTY, "device", name);
	}
}

static void test_read_write(void)
{
	char byte = 0;

	tap_ok(read(dev, &byte, 1) < 0 && errno == EINVAL, "device: no read");
	tap_ok(write(dev, &byte, 1) < 0 && errno == EINVAL, "device: no write");
}

static void test_other_user(void)
{
	pid_t child = fork();
	int status = 0;

	if (!child) {
		if (setgid(65534) || setuid(65534))
			_exit(2);
		_exit(open(DEVICE, O_RDWR) < 0 && errno == EACCES ? 0 : 1);
	}
	waitpid(child, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		tap_skip("device: for root only", "cannot be another user");
	else
		tap_ok(!status, "device: for root only");
}

/* --- the lifetime of contexts -------------------------------------------- */

/* A VM ends some time after its last descriptor. */
static bool vms_become(unsigned int must)
{
	int tries;

	for (tries = 0; tries < 500; tries++) {
		if (info().vms == must)
			return true;
		usleep(10000);
	}
	printf("# %u contexts, not %u\n", info().vms, must);
	return false;
}

static bool has_folder(__u32 id)
{
	char path[64];

	snprintf(path, sizeof(path), DEBUGFS "/%u/core", id);
	return !access(path, R_OK);
}

static bool folder_goes(__u32 id)
{
	int tries;

	for (tries = 0; tries < 500; tries++) {
		if (!has_folder(id))
			return true;
		usleep(10000);
	}
	return false;
}

static void test_one(unsigned int before)
{
	int fd = new_vm(), copy = dup(fd);
	__u32 id;

	test_fresh(fd);
	tap_ok(info().vms == before, "a query makes no context");
	test_features(fd);
	test_groups(fd);
	id = query(fd).id;
	tap_ok(info().vms == before + 1, "a grant makes one");
	if (access(DEBUGFS, X_OK))
		tap_skip("it has a folder in debugfs", "no debugfs");
	else
		tap_ok(has_folder(id), "it has a folder in debugfs");
	close(fd);
	usleep(100000);
	tap_ok(query(copy).id == id && info().vms == before + 1,
	       "it stays as long as the VM has a descriptor");
	close(copy);
	tap_ok(vms_become(before), "and goes with the last");
	tap_ok(folder_goes(id), "and its folder with it");
}

static void test_many(unsigned int before)
{
	int fds[MANY], i, made = 0;
	bool distinct = true;

	for (i = 0; i < MANY; i++) {
		fds[i] = new_vm();
		made += !grant(fds[i], PVX_F_YIELD, 0, NULL);
		distinct &= !i || query(fds[i]).id != query(fds[i - 1]).id;
	}
	tap_ok(made == MANY && distinct && info().vms == before + MANY,
	       "%d VMs have %d contexts", MANY, MANY);
	grant(fds[0], 0, PVX_F_YIELD, NULL);
	for (i = 1; i < MANY; i++)
		made -= query(fds[i]).granted == PVX_F_YIELD;
	tap_ok(made == 1 && !query(fds[0]).granted,
	       "what one loses the others keep");
	for (i = 0; i < MANY; i++)
		close(fds[i]);
	tap_ok(vms_become(before), "which all go");
}

static void test_killed(unsigned int before)
{
	int ready[2], status;
	char byte = 1;
	pid_t child;

	if (pipe(ready)) {
		tap_skip("a killed VMM", "no pipe");
		return;
	}
	child = fork();
	if (!child) {
		byte = !grant(new_vm(), PVX_F_YIELD, 0, NULL);
		if (write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	if (read(ready[0], &byte, 1) != 1)
		byte = 0;
	tap_ok(byte && info().vms == before + 1, "a VMM has a context");
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	tap_ok(vms_become(before), "and leaves none when it is killed");
	close(ready[0]);
	close(ready[1]);
}

static int raced_fd;
static bool raced_stop;

static void *granter(void *unused)
{
	__u64 mask = PVX_F_YIELD;

	while (!__atomic_load_n(&raced_stop, __ATOMIC_RELAXED)) {
		grant(__atomic_load_n(&raced_fd, __ATOMIC_RELAXED), mask,
		      PVX_F_YIELD & ~mask, NULL);
		query(__atomic_load_n(&raced_fd, __ATOMIC_RELAXED));
		mask ^= PVX_F_YIELD;
	}
	return unused;
}

/* Grants to VMs whose last descriptor may be the one that the call holds. */
static void test_race(unsigned int before)
{
	pthread_t thread[2];
	size_t i;
	int fd;

	raced_fd = -1;
	for (i = 0; i < ARRAY_SIZE(thread); i++)
		if (pthread_create(&thread[i], NULL, granter, NULL))
			abort();
	for (i = 0; i < 20; i++) {
		fd = new_vm();
		__atomic_store_n(&raced_fd, fd, __ATOMIC_RELAXED);
		usleep(1000 * (i % 4));
		close(fd);
	}
	__atomic_store_n(&raced_stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < ARRAY_SIZE(thread); i++)
		pthread_join(thread[i], NULL);
	tap_ok(vms_become(before), "VMs that end during grants leave none");
}

static void test_contexts(void)
{
	unsigned int before = info().vms;

	test_one(before);
	test_many(before);
	test_killed(before);
	test_race(before);
}

static void open_all(void)
{
	dev = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (dev < 0)
		tap_skip_all("cannot open " DEVICE);
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	vm = new_vm();
	if (kvm < 0 || vm < 0)
		tap_skip_all("cannot make a VM");
}

int main(void)
{
	const struct command *c;
	int vcpu;

	tap_begin();
	open_all();
	vcpu = new_vcpu(vm);
	for (c = commands; c < commands + ARRAY_SIZE(commands); c++) {
		test_sizes(c);
		test_pointers(c);
		if (c->takes_vm)
			test_fds(c, vcpu);
	}
	test_reserved();
	test_info();
	test_unknown();
	test_read_write();
	test_other_user();
	test_contexts();
	return tap_done();
}
