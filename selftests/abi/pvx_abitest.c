// SPDX-License-Identifier: GPL-2.0
/*
 * Hypercalls as a guest makes them, well-formed or not
 *
 * Reading a file under debugfs pvx_abitest/ makes calls and prints what came
 * back, a "key=value" per line:
 *
 *   call    hypercall @nr with @a0 to @a3; ret is the answer
 *   bench   median time of PVX_HC_NOP and of a stock hypercall, and what they
 *           last answered
 *   flood   PVX_HC_YIELD to APIC id @target without a pause for @flood_ms; how
 *           often each status and error came back
 *
 * Nothing of pvx_guest.ko stands between: that would keep a call from the host
 * where the host has not granted it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/kvm_para.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <asm/msr.h>
#include <asm/tsc.h>

#include <linux/kvm_pvx.h>

static unsigned int nr = PVX_HC_NOP;
module_param(nr, uint, 0644);
MODULE_PARM_DESC(nr, "Number of the hypercall (default: PVX_HC_NOP)");

static unsigned long a0;
module_param(a0, ulong, 0644);
MODULE_PARM_DESC(a0, "Its argument 0 (default 0)");

static unsigned long a1;
module_param(a1, ulong, 0644);
MODULE_PARM_DESC(a1, "Its argument 1 (default 0)");

static unsigned long a2;
module_param(a2, ulong, 0644);
MODULE_PARM_DESC(a2, "Its argument 2 (default 0)");

static unsigned long a3;
module_param(a3, ulong, 0644);
MODULE_PARM_DESC(a3, "Its argument 3 (default 0)");

static unsigned int target;
module_param(target, uint, 0644);
MODULE_PARM_DESC(target,
	"APIC id that flood yields to (default 0; 4294967295: that of the next CPU)");

static bool flood_spins;
module_param(flood_spins, bool, 0644);
MODULE_PARM_DESC(flood_spins, "As long as it is set, flood makes no calls (default N)");

static unsigned int flood_ms = 1000;
module_param(flood_ms, uint, 0644);
MODULE_PARM_DESC(flood_ms, "Milliseconds that flood runs (default 1000)");

static int call_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "ret=%ld\n", kvm_hypercall4(nr, a0, a1, a2, a3));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(call);

/* --- bench --------------------------------------------------------------- */

#define SAMPLES	2000

static long call_nop(void)
{
	return kvm_hypercall4(PVX_HC_NOP, 0, 0, 0, 0);
}

/* Stock's cheapest: KVM knows it and does nothing. */
static long call_vapic(void)
{
	return kvm_hypercall1(KVM_HC_VAPIC_POLL_IRQ, 0);
}

/* Inline, so that the two are timed without a call through a pointer. */
static __always_inline u64 cycles_of(long (*call)(void), long *ret)
{
	u64 begin = rdtsc_ordered();

	*ret = call();
	return rdtsc_ordered() - begin;
}

static int compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static u64 median_ns(u64 *cycles)
{
	sort(cycles, SAMPLES, sizeof(*cycles), compare, NULL);
	return mul_u64_u32_div(cycles[SAMPLES / 2], USEC_PER_SEC, tsc_khz);
}

static int bench_show(struct seq_file *m, void *unused)
{
	u64 *nop = kvmalloc_array(2 * SAMPLES, sizeof(*nop), GFP_KERNEL);
	long nop_ret = 0, vapic_ret = 0;
	u64 *vapic;
	int i;

	if (!nop)
		return -ENOMEM;
	vapic = nop + SAMPLES;
	/* In turn, and each first as often as the other. */
	for (i = 0; i < SAMPLES; i += 2) {
		nop[i] = cycles_of(call_nop, &nop_ret);
		vapic[i] = cycles_of(call_vapic, &vapic_ret);
		vapic[i + 1] = cycles_of(call_vapic, &vapic_ret);
		nop[i + 1] = cycles_of(call_nop, &nop_ret);
		cond_resched();
	}
	seq_printf(m, "nop_ns=%llu\nvapic_ns=%llu\n", median_ns(nop),
		   median_ns(vapic));
	seq_printf(m, "nop_ret=%ld\nvapic_ret=%ld\n", nop_ret, vapic_ret);
	kvfree(nop);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(bench);

/* --- flood --------------------------------------------------------------- */

struct flood {
	u64	calls;
	u64	status[PVX_YIELD_STATUSES];
	u64	enosys;
	u64	errors;
};

static void flood_once(struct flood *f, unsigned int apic_id)
{
	long ret = kvm_hypercall4(PVX_HC_YIELD, apic_id, 0, 0, 0);

	f->calls++;
	if (ret >= 0 && ret < PVX_YIELD_STATUSES)
		f->status[ret]++;
	else if (ret == -KVM_ENOSYS)
		f->enosys++;
	else
		f->errors++;
}

static int flood_show(struct seq_file *m, void *unused)
{
	static const char * const names[PVX_YIELD_STATUSES] = {
		[PVX_YIELD_BOOSTED]	= "boosted",
		[PVX_YIELD_RUNNING]	= "running",
		[PVX_YIELD_IDLE]	= "idle",
		[PVX_YIELD_UNKNOWN]	= "unknown",
		[PVX_YIELD_BUDGET]	= "budget",
		[PVX_YIELD_DECLINED]	= "declined",
		[PVX_YIELD_WOKEN]	= "woken",
		[PVX_YIELD_BOOSTED_FAR]	= "boosted_far",
	};
	ktime_t begin = ktime_get(), end = ktime_add_ms(begin, flood_ms);
	unsigned int apic_id = target != U32_MAX ? target :
		(raw_smp_processor_id() + 1) % num_online_cpus();
	struct flood f = {};
	int i;

	while (ktime_before(ktime_get(), end) && !fatal_signal_pending(current)) {
		for (i = 0; i < 16 && !READ_ONCE(flood_spins); i++)
			flood_once(&f, apic_id);
		cond_resched();
	}
	seq_printf(m, "us=%lld\ncalls=%llu\n", ktime_us_delta(ktime_get(), begin),
		   f.calls);
	for (i = 0; i < PVX_YIELD_STATUSES; i++)
		seq_printf(m, "%s=%llu\n", names[i], f.status[i]);
	seq_printf(m, "enosys=%llu\nerrors=%llu\n", f.enosys, f.errors);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(flood);

static struct dentry *dir;

static int __init pvx_abitest_init(void)
{
	/* Elsewhere a hypercall is an undefined instruction. */
	if (!kvm_para_available())
		return -ENODEV;
	dir = debugfs_create_dir(KBUILD_MODNAME, NULL);
	debugfs_create_file("call", 0400, dir, NULL, &call_fops);
	debugfs_create_file("bench", 0400, dir, NULL, &bench_fops);
	debugfs_create_file("flood", 0400, dir, NULL, &flood_fops);
	return 0;
}

static void __exit pvx_abitest_exit(void)
{
	debugfs_remove_recursive(dir);
}

module_init(pvx_abitest_init);
module_exit(pvx_abitest_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("Hypercalls of kvm-pvx as a guest makes them, well-formed or not");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
