// SPDX-License-Identifier: GPL-2.0
/*
 * Hypercalls of virtual machines that a Linux guest cannot be
 *
 * Usage: minivm [--stock|--missing]
 *
 * Runs on a KVM host that has pvx_host and pvx_host_yield loaded, as root, with
 * VMs of its own: no firmware, no operating system, only a vCPU in the mode and
 * with the registers that a test wants, which makes one hypercall and ends in
 * port I/O. With --stock it runs on any x86 KVM host without the modules, and
 * all that is ours must be refused. With --missing calls read lists from memory
 * that is not there, and that somebody else would have to bring, or that the guest
 * may not write to; it needs all the host's modules then.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <linux/kvm_pvx.h>
#include <linux/userfaultfd.h>

#include "../lib/hung_file.h"
#include "../lib/tap.h"

#define DEVICE		"/dev/kvm-pvx"
#define DEFAULTS	"/sys/module/pvx_host/parameters/default_features"
#define TIMEOUT_S	20

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define ENOSYS_64	((uint64_t)-KVM_ENOSYS)
#define ENOSYS_32	((uint64_t)(uint32_t)-KVM_ENOSYS)

static bool stock;
static int kvm, dev = -1;

/* --- /dev/kvm-pvx -------------------------------------------------------- */

static bool grant(int vm_fd, uint64_t set)
{
	struct pvx_grant g = { .size = sizeof(g), .vm_fd = vm_fd, .set = set };

	return !ioctl(dev, PVX_IOC_GRANT, &g) && (g.granted & set) == set;
}

static struct pvx_query query(int vm_fd)
{
	struct pvx_query q = { .size = sizeof(q), .vm_fd = vm_fd };

	if (ioctl(dev, PVX_IOC_QUERY, &q))
		memset(&q, 0xff, sizeof(q));
	return q;
}

static struct pvx_info info(void)
{
	struct pvx_info i = { .size = sizeof(i) };

	if (ioctl(dev, PVX_IOC_INFO, &i))
		memset(&i, 0, sizeof(i));
	return i;
}

/* What was there before, for the way out. */
static unsigned long long defaults;
static bool defaults_changed;

static bool get_defaults(unsigned long long *mask)
{
	FILE *file = fopen(DEFAULTS, "r");
	bool got;

	if (!file)
		return false;
	got = fscanf(file, "%llu", mask) == 1;
	fclose(file);
	return got;
}

static bool set_defaults(unsigned long long mask)
{
	FILE *file = fopen(DEFAULTS, "w");

	if (!file)
		return false;
	fprintf(file, "%llu\n", mask);
	return !fclose(file);
}

static void restore_defaults(void)
{
	if (defaults_changed)
		defaults_changed = !set_defaults(defaults);
}

/* --- a VM ---------------------------------------------------------------- */

/* One large page of memory, mapped to itself where there is paging. */
#define MEMORY		(2UL << 20)
#define PML4		0x1000
#define PDPT		0x2000
#define PD		0x3000
#define CODE		0x4000
#define LIST		0x100000
#define PAGE		4096

/* Any port that no device of KVM's has. */
#define PORT		0x10

#define PTE_TABLE	0x3	/* present, writable */
#define PTE_LARGE	0x83	/* and a page by itself */

#define CR0_PE		(1UL << 0)
#define CR0_ET		(1UL << 4)
#define CR0_NE		(1UL << 5)
#define CR0_PG		(1UL << 31)
#define CR4_PAE		(1UL << 5)
#define EFER_LME	(1UL << 8)
#define EFER_LMA	(1UL << 10)

struct vcpu {
	int		fd;
	struct kvm_run	*run;
};

struct vm {
	int		fd;
	unsigned char	*memory;
};

enum mode {
	PROTECTED,	/* 32-bit, without paging */
	COMPAT,		/* 32-bit code in long mode */
	LONG,		/* 64-bit */
};

static const char * const mode_names[] = {
	[PROTECTED]	= "32-bit protected mode",
	[COMPAT]	= "32-bit compatibility mode",
	[LONG]		= "64-bit",
};

/* Nothing that follows would mean anything. */
static _Noreturn void give_up(const char *what)
{
	printf("# %s: %s\n", what, strerror(errno));
	tap_ok(false, "%s", what);
	exit(tap_done());
}

static bool has_vmmcall(void)
{
	unsigned int a, name[3];

	__cpuid(0, a, name[0], name[2], name[1]);
	return !memcmp(name, "AuthenticAMD", 12) ||
	       !memcmp(name, "HygonGenuine", 12);
}

static void fill_memory(unsigned char *memory)
{
	/* The same bytes in each mode: the call, out %al, $PORT, hlt */
	static const unsigned char vmcall[] = { 0x0f, 0x01, 0xc1 };
	static const unsigned char vmmcall[] = { 0x0f, 0x01, 0xd9 };
	static const unsigned char end[] = { 0xe6, PORT, 0xf4 };

	*(uint64_t *)(memory + PML4) = PDPT | PTE_TABLE;
	*(uint64_t *)(memory + PDPT) = PD | PTE_TABLE;
	*(uint64_t *)(memory + PD) = PTE_LARGE;
	memcpy(memory + CODE, has_vmmcall() ? vmmcall : vmcall, 3);
	memcpy(memory + CODE + 3, end, sizeof(end));
}

static struct vm new_vm(void)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY };
	struct vm vm = { .fd = ioctl(kvm, KVM_CREATE_VM, 0) };

	if (vm.fd < 0)
		give_up("make a VM");
	vm.memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (vm.memory == MAP_FAILED)
		give_up("memory of a VM");
	fill_memory(vm.memory);
	region.userspace_addr = (uintptr_t)vm.memory;
	/* Intel's older CPUs need room for a TSS. */
	if (ioctl(vm.fd, KVM_SET_TSS_ADDR, 0xfffbd000UL) ||
	    ioctl(vm.fd, KVM_SET_USER_MEMORY_REGION, &region))
		give_up("memory of a VM");
	/* Without it the vCPU's APIC flips a static key of KVM's. */
	if (ioctl(vm.fd, KVM_CREATE_IRQCHIP, 0))
		give_up("interrupt controller of a VM");
	return vm;
}

static void end_vm(struct vm *vm)
{
	close(vm->fd);
	munmap(vm->memory, MEMORY);
}

static struct vcpu new_vcpu(const struct vm *vm, unsigned long id)
{
	struct {
		struct kvm_cpuid2	head;
		struct kvm_cpuid_entry2	entries[256];
	} cpuid = { .head.nent = ARRAY_SIZE(cpuid.entries) };
	struct vcpu vcpu = { .fd = ioctl(vm->fd, KVM_CREATE_VCPU, id) };

	if (vcpu.fd < 0)
		give_up("make a vCPU");
	/* Without it the vCPU has no long mode. */
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid) ||
	    ioctl(vcpu.fd, KVM_SET_CPUID2, &cpuid))
		give_up("features of a vCPU");
	vcpu.run = mmap(NULL, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0),
			PROT_READ | PROT_WRITE, MAP_SHARED, vcpu.fd, 0);
	if (vcpu.run == MAP_FAILED)
		give_up("shared memory of a vCPU");
	return vcpu;
}

static void end_vcpu(struct vcpu *vcpu)
{
	munmap(vcpu->run, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
	close(vcpu->fd);
}

/* --- a call -------------------------------------------------------------- */

static void set_mode(struct kvm_sregs *s, enum mode mode)
{
	struct kvm_segment flat = {
		.limit = UINT32_MAX, .g = 1, .present = 1, .s = 1,
	};

	s->cs = flat;
	s->cs.selector = 0x08;
	s->cs.type = 11;	/* code: execute, read, accessed */
	s->cs.l = mode == LONG;
	s->cs.db = mode != LONG;
	flat.selector = 0x10;
	flat.type = 3;		/* data: read, write, accessed */
	flat.db = 1;
	s->ds = s->es = s->fs = s->gs = s->ss = flat;

	s->cr0 = CR0_PE | CR0_ET | CR0_NE;
	s->cr3 = PML4;
	s->cr4 = 0;
	s->efer = 0;
	if (mode != PROTECTED) {
		s->cr0 |= CR0_PG;
		s->cr4 = CR4_PAE;
		s->efer = EFER_LME | EFER_LMA;
	}
}

struct call {
	uint64_t nr;
	uint64_t a[4];
};

/*
 * Has @vcpu make @call; false where it did not come to its end. A VM that hangs
 * once would do so each time.
 */
static bool run(const struct vcpu *vcpu, enum mode mode,
		const struct call *call, uint64_t *rax)
{
	struct kvm_regs regs = {
		.rax = call->nr, .rbx = call->a[0], .rcx = call->a[1],
		.rdx = call->a[2], .rsi = call->a[3],
		.rip = CODE, .rflags = 2,
	};
	struct kvm_sregs sregs;
	int ret, err;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs))
		return false;
	set_mode(&sregs, mode);
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) ||
	    ioctl(vcpu->fd, KVM_SET_REGS, &regs)) {
		printf("# registers: %s\n", strerror(errno));
		return false;
	}
	alarm(TIMEOUT_S);
	ret = ioctl(vcpu->fd, KVM_RUN, 0);
	err = errno;
	alarm(0);
	if (ret) {
		/* As kvm-pvm does, which has no use for these instructions. */
		if (stock && err == EINTR && !tap_count)
			tap_skip_all("KVM hangs in its own hypercalls");
		errno = err;
		give_up(err == EINTR ? "a call comes to its end in time" :
				       "run a vCPU");
	}
	if (ioctl(vcpu->fd, KVM_GET_REGS, &regs))
		return false;
	if (vcpu->run->exit_reason != KVM_EXIT_IO ||
	    vcpu->run->io.port != PORT) {
		printf("# exit %u at 0x%llx\n", vcpu->run->exit_reason,
		       regs.rip);
		return false;
	}
	*rax = regs.rax;
	return true;
}

static uint64_t refusal(enum mode mode)
{
	return mode == LONG ? ENOSYS_64 : ENOSYS_32;
}

static void answers(const struct vcpu *vcpu, enum mode mode, uint64_t nr,
		    uint64_t a0, uint64_t a1, uint64_t must, const char *name)
{
	struct call call = { nr, { a0, a1 } };
	uint64_t ret = 0;
	bool ran = run(vcpu, mode, &call, &ret);

	/* Such a host knows the other numbers only as unknown ones. */
	if (stock && nr != KVM_HC_VAPIC_POLL_IRQ)
		must = refusal(mode);
	if (!tap_ok(ran && ret == must, "%s: %s", mode_names[mode], name) && ran)
		printf("# RAX is 0x%llx, not 0x%llx\n", (unsigned long long)ret,
		       (unsigned long long)must);
}

static void refuses(const struct vcpu *vcpu, enum mode mode, uint64_t nr,
		    uint64_t a0, uint64_t a1, const char *name)
{
	answers(vcpu, mode, nr, a0, a1, refusal(mode), name);
}

/* --- the tests ----------------------------------------------------------- */

/* Not granted, not known or not asked for: a stock host says the same. */
static void test_refused(const struct vcpu *vcpu, enum mode mode)
{
	/* That the VM works at all shows in a call that stock KVM answers. */
	answers(vcpu, mode, KVM_HC_VAPIC_POLL_IRQ, 0, 0, 0, "stock hypercall");
	refuses(vcpu, mode, PVX_HC_NOP, 0, 0, "no-op is refused");
	refuses(vcpu, mode, PVX_HC_NEGOTIATE, PVX_ABI_VERSION, PVX_F_YIELD,
		"negotiate is refused");
	refuses(vcpu, mode, PVX_HC_YIELD, 0, 0, "yield is refused");
	refuses(vcpu, mode, PVX_HC_YIELD, 0, 1,
		"yield with a bad argument is refused");
	refuses(vcpu, mode, PVX_HC_BASE + PVX_HC_COUNT - 1, 0, 0,
		"an unknown number is refused");
}

static void test_untouched(const struct vm *vm)
{
	struct pvx_query q;

	if (stock) {
		tap_skip("what the host counted", "stock host");
		return;
	}
	q = query(vm->fd);
	tap_ok(q.granted == PVX_F_YIELD && !q.negotiated && !q.calls,
	       "32-bit calls negotiate nothing and are not counted");
}

/* What it is taken for is the host's business, but it cannot have run. */
static void test_never_ran(const struct vcpu *vcpu, unsigned int id)
{
	struct call call = { PVX_HC_YIELD, { id } };
	uint64_t ret = 0;
	bool ok = run(vcpu, LONG, &call, &ret);

	if (stock)
		ok &= ret == ENOSYS_64;
	else
		ok &= ret == PVX_YIELD_RUNNING || ret == PVX_YIELD_IDLE ||
		      ret == PVX_YIELD_DECLINED;
	if (!tap_ok(ok, "%s: yield to a vCPU that never ran", mode_names[LONG]))
		printf("# RAX is 0x%llx\n", (unsigned long long)ret);
}

static void test_64(const struct vcpu *vcpu)
{
	refuses(vcpu, LONG, PVX_HC_YIELD, 0, 0, "yield before negotiation");
	answers(vcpu, LONG, PVX_HC_NOP, 0, 0, 0, "no-op");
	answers(vcpu, LONG, PVX_HC_NOP, 0, 1, -PVX_E_ARG(1),
		"no-op with an argument");
	answers(vcpu, LONG, PVX_HC_NEGOTIATE, PVX_ABI_VERSION, PVX_F_YIELD,
		PVX_F_YIELD, "negotiate");
	answers(vcpu, LONG, PVX_HC_NEGOTIATE, PVX_ABI_VERSION + 1, PVX_F_YIELD,
		-PVX_E_VERSION, "negotiate another version");

	refuses(vcpu, LONG, PVX_HC_NOP | 1ULL << 32, 0, 0,
		"no-op with bit 32 of the number set is refused");
	refuses(vcpu, LONG, PVX_HC_YIELD | 1ULL << 63, 0, 0,
		"yield with bit 63 of the number set is refused");
	refuses(vcpu, LONG, PVX_HC_NEGOTIATE | ~0ULL << 32, PVX_ABI_VERSION, 0,
		"negotiate with all high bits set is refused");
	answers(vcpu, LONG, PVX_HC_YIELD, 0, 0, PVX_YIELD_RUNNING,
		"yield to itself: still negotiated");
	answers(vcpu, LONG, PVX_HC_YIELD, 1ULL << 32, 0, -PVX_E_ARG(0),
		"yield to an id of more than 32 bits");
}

/* @vm has a vCPU 0, which is @vcpu, and nobody else. */
static void test_targets(const struct vm *vm, const struct vcpu *vcpu)
{
	struct vm other = new_vm();
	struct vcpu five = new_vcpu(&other, 5), one;

	if (!stock)
		tap_ok(grant(other.fd, PVX_F_YIELD), "a second VM with vCPU 5");
	answers(vcpu, LONG, PVX_HC_YIELD, 5, 0, PVX_YIELD_UNKNOWN,
		"yield to a vCPU of another VM");
	answers(vcpu, LONG, PVX_HC_YIELD, 1, 0, PVX_YIELD_UNKNOWN,
		"yield to a vCPU that is not there yet");
	one = new_vcpu(vm, 1);
	test_never_ran(vcpu, 1);
	end_vcpu(&one);
	end_vcpu(&five);
	end_vm(&other);
}

/* A VM that nobody granted anything, where that means that it has nothing. */
static void test_ungranted(void)
{
	struct vm vm;
	struct vcpu vcpu;

	if (!stock) {
		defaults_changed = get_defaults(&defaults);
		if (!tap_ok(defaults_changed && set_defaults(0) &&
			    !info().default_features,
			    "no feature is granted unasked"))
			return;
	}
	vm = new_vm();
	vcpu = new_vcpu(&vm, 0);
	printf("# nothing granted\n");
	test_refused(&vcpu, PROTECTED);
	test_refused(&vcpu, LONG);
	if (!stock) {
		tap_ok(!query(vm.fd).id, "no context is made for it");
		restore_defaults();
		tap_ok(info().default_features == (defaults & PVX_F_ALL),
		       "what is granted unasked is as before");
	}
	end_vcpu(&vcpu);
	end_vm(&vm);
}

static void test_granted(void)
{
	struct vm vm = new_vm();
	struct vcpu vcpu = new_vcpu(&vm, 0);

	if (!stock)
		tap_ok(grant(vm.fd, PVX_F_YIELD), "a VM that is granted yield");
	test_refused(&vcpu, PROTECTED);
	test_refused(&vcpu, COMPAT);
	test_untouched(&vm);
	test_64(&vcpu);
	test_targets(&vm, &vcpu);
	printf("# negotiated\n");
	test_refused(&vcpu, PROTECTED);
	test_refused(&vcpu, COMPAT);
	end_vcpu(&vcpu);
	end_vm(&vm);
}

/* Nobody gives it what is missing but this file: who touches it waits. */
static int watch(const struct vm *vm)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register list = {
		.range = { .start = (uintptr_t)vm->memory + LIST, .len = PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) ||
	    madvise(vm->memory + LIST, PAGE, MADV_DONTNEED) ||
	    ioctl(fd, UFFDIO_REGISTER, &list))
		give_up("userfaultfd");
	return fd;
}

static bool fill_list(int uffd, const struct vm *vm)
{
	struct uffdio_zeropage zeros = {
		.range = { .start = (uintptr_t)vm->memory + LIST, .len = PAGE },
	};

	return !ioctl(uffd, UFFDIO_ZEROPAGE, &zeros);
}

/* Calls that read a list, and what they say to zeros. */
static const struct {
	const char	*name;
	struct call	call;
	int64_t		to_zeros;
} readers[] = {
	{ "ksm", { PVX_HC_KSM, { LIST, 2 } }, -PVX_E_DATA },
	{ "fork", { PVX_HC_FORK, { LIST, 1 } }, -PVX_E_ENTRY(0) },
	{ "numa", { PVX_HC_NUMA, { LIST, 1, PVX_NUMA_SHIFT_MIN } }, PVX_NUMA_AGAIN },
};

/* All of them must say @must; 0: what they say to zeros. */
static void read_lists(const struct vcpu *vcpu, uint64_t at, int64_t must, const char *what)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(readers); i++) {
		const int64_t expected = must ?: readers[i].to_zeros;
		struct call call = readers[i].call;
		uint64_t ret = 0;
		bool ran;

		call.a[0] = at;
		ran = run(vcpu, LONG, &call, &ret);
		if (!tap_ok(ran && (int64_t)ret == expected, "%s: a list that is %s",
			    readers[i].name, what))
			printf("# RAX is %lld, not %lld\n", (long long)ret, (long long)expected);
	}
}

/* Pages that a VMM is to bring, which does not. */
static void test_watched(const struct vm *vm, const struct vcpu *vcpu)
{
	int uffd = watch(vm);

	read_lists(vcpu, LIST, -PVX_E_BUSY, "watched by userfaultfd");
	tap_ok(fill_list(uffd, vm), "it comes");
	read_lists(vcpu, LIST, 0, "there");
	close(uffd);
}

/* Or a file system's server. */
static void test_hung(const struct vm *vm, const struct vcpu *vcpu)
{
	int file = hung_file_open(PAGE);

	if (file < 0) {
		tap_skip("a list that is in a file that does not answer", "no FUSE");
		return;
	}
	if (mmap(vm->memory + LIST, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file,
		 0) == MAP_FAILED)
		give_up("a file as memory");
	/* Now: when the process ends nobody would answer. */
	close(file);
	read_lists(vcpu, LIST, -PVX_E_BUSY, "in a file that does not answer");
}

static void test_read_only(const struct vm *vm, const struct vcpu *vcpu)
{
	struct kvm_userspace_memory_region region = {
		.slot = 1, .flags = KVM_MEM_READONLY, .guest_phys_addr = 2 * MEMORY,
		.memory_size = PAGE, .userspace_addr = (uintptr_t)vm->memory,
	};

	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region))
		give_up("memory that is read-only");
	read_lists(vcpu, 2 * MEMORY, -PVX_E_ARG(0), "read-only");
}

/* Who holds a call up holds up whoever waits for all calls to end. */
static void test_missing(void)
{
	struct vm vm = new_vm();
	struct vcpu vcpu = new_vcpu(&vm, 0);

	/* Who waits for missing memory hears of no other signal. */
	signal(SIGALRM, SIG_DFL);
	tap_ok(grant(vm.fd, PVX_F_ALL), "a VM that is granted all");
	answers(&vcpu, LONG, PVX_HC_NEGOTIATE, PVX_ABI_VERSION, PVX_F_ALL, PVX_F_ALL, "negotiate");
	test_read_only(&vm, &vcpu);
	test_watched(&vm, &vcpu);
	test_hung(&vm, &vcpu);
	end_vcpu(&vcpu);
	end_vm(&vm);
}

static void on_alarm(int unused)
{
	(void)unused;
}

static void on_end(int signal)
{
	(void)signal;
	exit(EXIT_FAILURE);
}

static void open_all(void)
{
	/* Interrupts KVM_RUN, and is not to restart it. */
	struct sigaction action = { .sa_handler = on_alarm };

	sigaction(SIGALRM, &action, NULL);
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		tap_skip_all("cannot open /dev/kvm");
	if (stock) {
		if (!access(DEVICE, F_OK))
			tap_skip_all("not a stock host: there is " DEVICE);
		return;
	}
	dev = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (dev < 0)
		tap_skip_all("cannot open " DEVICE);
	if (!(info().available & PVX_F_YIELD))
		tap_skip_all("pvx_host_yield is not loaded");
	atexit(restore_defaults);
	signal(SIGINT, on_end);
	signal(SIGTERM, on_end);
	signal(SIGHUP, on_end);
}

int main(int argc, char **argv)
{
	const bool missing = argc == 2 && !strcmp(argv[1], "--missing");

	stock = argc == 2 && !strcmp(argv[1], "--stock");
	if (argc > 1 && !stock && !missing) {
		fprintf(stderr, "Usage: %s [--stock|--missing]\n", argv[0]);
		return 2;
	}
	tap_begin();
	open_all();
	if (missing) {
		test_missing();
		return tap_done();
	}
	test_granted();
	test_ungranted();
	return tap_done();
}
