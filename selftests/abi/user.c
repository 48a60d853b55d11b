// SPDX-License-Identifier: GPL-2.0
/*
 * Hypercalls from user space, 64-bit and 32-bit code
 *
 * Usage: user [--compat]: with it, make the 32-bit calls, too. A host whose SVM
 * is emulated by QEMU (7.2) loses the privilege level of 32-bit code in long
 * mode when the hypercall returns, and the guest's kernel dies of it; so it is
 * for hosts with virtualisation in hardware.
 *
 * KVM answers them with -KVM_EPERM at CPL 3, whatever the number; a 32-bit
 * caller finds it in EAX, with the upper half of RAX 0. The 32-bit calls are
 * made by this 64-bit program in a code segment of 32 bits.
 */
#include <cpuid.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <linux/kvm_para.h>
#include <linux/kvm_pvx.h>

#include "../lib/tap.h"

#define EPERM_64	((uint64_t)-KVM_EPERM)
#define EPERM_32	((uint64_t)(uint32_t)-KVM_EPERM)

struct call {
	uint64_t nr;
	uint64_t a[4];
};

static const struct test {
	const char *name;
	struct call call;
} tests[] = {
	{ "negotiate", { PVX_HC_NEGOTIATE, { PVX_ABI_VERSION, PVX_F_ALL } } },
	{ "negotiate nothing", { PVX_HC_NEGOTIATE, { PVX_ABI_VERSION } } },
	{ "no-op", { PVX_HC_NOP, { 0 } } },
	{ "yield", { PVX_HC_YIELD, { 0 } } },
	{ "unknown number", { PVX_HC_BASE + 0xfe, { 0 } } },
	{ "first number outside", { PVX_HC_BASE + PVX_HC_COUNT, { 0 } } },
	{ "stock hypercall", { KVM_HC_VAPIC_POLL_IRQ, { 0 } } },
};

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* --- the CPU ------------------------------------------------------------- */

static bool is_kvm_guest(void)
{
	unsigned int a, c, name[3];

	__cpuid(1, a, name[0], c, name[1]);
	if (!(c & 1U << 31))
		return false;
	__cpuid(0x40000000, a, name[0], name[1], name[2]);
	return !memcmp(name, "KVMKVMKVM\0\0\0", 12);
}

/* Each vendor has its instruction; KVM cannot mend a wrong one in our text. */
static bool has_vmmcall(void)
{
	unsigned int a, name[3];

	__cpuid(0, a, name[0], name[2], name[1]);
	return !memcmp(name, "AuthenticAMD", 12) ||
	       !memcmp(name, "HygonGenuine", 12);
}

/* --- 64-bit -------------------------------------------------------------- */

static uint64_t call_64(const struct call *call, bool vmmcall)
{
	uint64_t ret;

	if (vmmcall)
		asm volatile("vmmcall" : "=a" (ret)
			     : "a" (call->nr), "b" (call->a[0]), "c" (call->a[1]),
			       "d" (call->a[2]), "S" (call->a[3]) : "memory");
	else
		asm volatile("vmcall" : "=a" (ret)
			     : "a" (call->nr), "b" (call->a[0]), "c" (call->a[1]),
			       "d" (call->a[2]), "S" (call->a[3]) : "memory");
	return ret;
}

/* --- 32-bit -------------------------------------------------------------- */

#define LOW_SIZE	4096
#define STR(x)		#x
#define XSTR(x)		STR(x)

/*
 * Copied to below 4 GiB, with its data behind it and its stack behind that.
 * The far return into 32-bit code leaves that code's own far return on the
 * stack, so that it needs no data segment, which a 64-bit program has none of.
 * It may cost the upper halves of the registers, so the stack pointer waits in
 * memory.
 */
asm(".pushsection .rodata\n"
	".globl low_begin, low_vmcall, low_vmmcall, low_end\n"
	".balign 16\n"
"low_begin:\n"			/* uint64_t fn(const call *, uint32_t code) */
	"push %rbx\n"
	"push %rbp\n"
	"push %r12\n"
	"push %r13\n"
	"push %r14\n"
	"push %r15\n"
	"mov %rsp, low_rsp(%rip)\n"
	"mov %esi, %esi\n"
	"lea low_begin + " XSTR(LOW_SIZE) "(%rip), %rsp\n"
	"mov $0x33, %eax\n"	/* __USER_CS */
	"shl $32, %rax\n"
	"lea low_back(%rip), %rdx\n"
	"or %rdx, %rax\n"
	"push %rax\n"
	"push $0x23\n"		/* __USER32_CS */
	"push %rsi\n"
	"mov (%rdi), %rax\n"
	"mov 8(%rdi), %rbx\n"
	"mov 16(%rdi), %rcx\n"
	"mov 24(%rdi), %rdx\n"
	"mov 32(%rdi), %rsi\n"
	"lretq\n"
"low_vmcall:\n"
	".code32\n"
	"vmcall\n"
	"lret\n"
"low_vmmcall:\n"
	"vmmcall\n"
	"lret\n"
	".code64\n"
"low_back:\n"
	"mov low_rsp(%rip), %rsp\n"
	"pop %r15\n"
	"pop %r14\n"
	"pop %r13\n"
	"pop %r12\n"
	"pop %rbp\n"
	"pop %rbx\n"
	"ret\n"
	".balign 8\n"
"low_rsp:\n"
	".quad 0\n"
"low_end:\n"
	".popsection\n");

extern const char low_begin[], low_vmcall[], low_vmmcall[], low_end[];

static char *low;	/* where it was copied to */

static bool map_low(void)
{
	low = mmap(NULL, LOW_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (low == MAP_FAILED)
		return false;
	memcpy(low, low_begin, low_end - low_begin);
	return true;
}

static uint64_t call_32(const struct call *call, bool vmmcall)
{
	uint64_t (*fn)(const struct call *, uint32_t) = (void *)low;
	const char *code = vmmcall ? low_vmmcall : low_vmcall;

	return fn(call, (uint32_t)(uintptr_t)(low + (code - low_begin)));
}

/* --- the tests ----------------------------------------------------------- */

static sigjmp_buf out;

static void on_signal(int signal)
{
	siglongjmp(out, signal);
}

/* A stack of its own, for a signal that comes where there is none. */
static void catch_signals(void)
{
	static const int signals[] = { SIGILL, SIGSEGV, SIGBUS, SIGTRAP };
	struct sigaction action = { .sa_flags = SA_ONSTACK };
	static char stack[65536];
	stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };
	size_t i;

	sigaltstack(&alt, NULL);
	action.sa_handler = on_signal;
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &action, NULL);
}

static void test(const struct test *t, const char *kind, uint64_t must,
		 uint64_t (*call)(const struct call *call, bool vmmcall),
		 bool vmmcall)
{
	int signal = sigsetjmp(out, 1);
	uint64_t ret;

	if (signal) {
		tap_ok(false, "%s, %s: refused", kind, t->name);
		printf("# signal %d\n", signal);
		return;
	}
	ret = call(&t->call, vmmcall);
	if (!tap_ok(ret == must, "%s, %s: refused", kind, t->name))
		printf("# RAX is 0x%llx\n", (unsigned long long)ret);
}

static void test_compat(bool vmmcall)
{
	const struct test *t;

	if (!map_low()) {
		tap_skip("32-bit", "no memory below 4 GiB");
		return;
	}
	for (t = tests; t < tests + ARRAY_SIZE(tests); t++)
		test(t, "32-bit", EPERM_32, call_32, vmmcall);
}

static void skip_compat(void)
{
	const struct test *t;
	char name[64];

	for (t = tests; t < tests + ARRAY_SIZE(tests); t++) {
		snprintf(name, sizeof(name), "32-bit, %s: refused", t->name);
		tap_skip(name, "emulated SVM loses CPL in compatibility mode");
	}
}

int main(int argc, char **argv)
{
	bool compat = argc == 2 && !strcmp(argv[1], "--compat");
	const struct test *t;
	bool vmmcall;

	if (argc > 1 && !compat) {
		fprintf(stderr, "Usage: %s [--compat]\n", argv[0]);
		return 2;
	}
	tap_begin();
	if (!is_kvm_guest())
		tap_skip_all("not a KVM guest");
	vmmcall = has_vmmcall();
	catch_signals();
	for (t = tests; t < tests + ARRAY_SIZE(tests); t++)
		test(t, "64-bit", EPERM_64, call_64, vmmcall);
	if (compat)
		test_compat(vmmcall);
	else
		skip_compat();
	return tap_done();
}
