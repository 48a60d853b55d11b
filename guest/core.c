// SPDX-License-Identifier: GPL-2.0
/*
 * The core of the guest side: negotiates with the host and makes the calls
 *
 * The host may lose our modules, or the guest may move to a host without
 * them, at any moment. The first call that is answered with -KVM_ENOSYS turns
 * its feature off, and a periodic negotiation turns it on again.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/kvm_para.h>
#include <linux/mmzone.h>
#include <linux/module.h>
#include <linux/workqueue.h>

#include "pvx_guest.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

EXPORT_TRACEPOINT_SYMBOL_GPL(lock_yield);
EXPORT_TRACEPOINT_SYMBOL_GPL(lock_engaged);
EXPORT_TRACEPOINT_SYMBOL_GPL(lock_starved);
EXPORT_TRACEPOINT_SYMBOL_GPL(pvx_choose_spin);
EXPORT_TRACEPOINT_SYMBOL_GPL(spin_chosen);
EXPORT_TRACEPOINT_SYMBOL_GPL(tcp_expired);
EXPORT_TRACEPOINT_SYMBOL_GPL(tcp_crowded);
EXPORT_TRACEPOINT_SYMBOL_GPL(timer_deferred);
EXPORT_TRACEPOINT_SYMBOL_GPL(softlockup_corrected);
EXPORT_TRACEPOINT_SYMBOL_GPL(rcu_stall_held);
EXPORT_TRACEPOINT_SYMBOL_GPL(ksm_sent);
EXPORT_TRACEPOINT_SYMBOL_GPL(fork_begun);
EXPORT_TRACEPOINT_SYMBOL_GPL(fork_done);
EXPORT_TRACEPOINT_SYMBOL_GPL(numa_sent);

static unsigned int negotiate_ms = 1000;
module_param(negotiate_ms, uint, 0644);
MODULE_PARM_DESC(negotiate_ms,
	"Milliseconds between negotiations with the host, at least 100 (default 1000)");

/* All features that this version of the guest modules can use, tests' included. */
#define WANTED	(PVX_F_YIELD | PVX_F_KSM | PVX_F_FORK | PVX_F_NUMA | PVX_F_TEST)

/* Mask of PVX_F_*; cleared from any context, set by negotiate_once() alone. */
atomic64_t pvx_guest_features;
EXPORT_SYMBOL_GPL(pvx_guest_features);

struct dentry *pvx_guest_debugfs;
EXPORT_SYMBOL_GPL(pvx_guest_debugfs);

/**
 * pvx_guest_call() - make a hypercall of a feature
 * @feature: the feature it belongs to, PVX_F_*; turned off where the host
 *	answers that it does not have it
 * @nr: PVX_HC_*
 * @a0: argument 0
 * @a1: argument 1
 * @a2: argument 2
 * @a3: argument 3
 *
 * Context: any, NMI included.
 * Return: what the host answers; -KVM_ENOSYS where the feature is gone.
 */
notrace s64 pvx_guest_call(u64 feature, u32 nr, u64 a0, u64 a1, u64 a2, u64 a3)
{
	s64 ret = kvm_hypercall4(nr, a0, a1, a2, a3);

	if (unlikely(ret == -KVM_ENOSYS))
		atomic64_andnot(feature, &pvx_guest_features);
	trace_hypercall_done(nr, a0, ret);
	return ret;
}
EXPORT_SYMBOL_GPL(pvx_guest_call);

/**
 * pvx_guest_end_of_memory() - where does this guest's memory end?
 *
 * It grows when memory is plugged in above that.
 *
 * Context: process context.
 * Return: the number of the page behind the last one.
 */
unsigned long pvx_guest_end_of_memory(void)
{
	unsigned long end = 0;
	int node;

	for_each_online_node(node)
		end = max(end, pgdat_end_pfn(NODE_DATA(node)));
	return end;
}
EXPORT_SYMBOL_GPL(pvx_guest_end_of_memory);

static void negotiate(struct work_struct *work);
static DECLARE_DEFERRABLE_WORK(negotiate_work, negotiate);

static void negotiate_once(void)
{
	s64 got = kvm_hypercall4(PVX_HC_NEGOTIATE, PVX_ABI_VERSION, WANTED,
				 0, 0);
	u64 features = got > 0 ? got & WANTED : 0;

	if (features == atomic64_read(&pvx_guest_features))
		return;
	atomic64_set(&pvx_guest_features, features);
	trace_features_changed(features);
	pr_info_ratelimited("features 0x%llx\n", features);
}

static void negotiate(struct work_struct *work)
{
	unsigned int ms = max(READ_ONCE(negotiate_ms), 100U);

	negotiate_once();
	schedule_delayed_work(&negotiate_work, msecs_to_jiffies(ms));
}

static int features_get(void *unused, u64 *value)
{
	*value = (u64)atomic64_read(&pvx_guest_features);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(features_fops, features_get, NULL, "0x%llx\n");

static int __init pvx_guest_init(void)
{
	if (!kvm_para_available()) {
		pr_err("not a KVM guest\n");
		return -ENODEV;
	}
	pvx_guest_debugfs = debugfs_create_dir(KBUILD_MODNAME, NULL);
	debugfs_create_file_unsafe("features", 0444, pvx_guest_debugfs, NULL,
				   &features_fops);
	negotiate_once();
	schedule_delayed_work(&negotiate_work, msecs_to_jiffies(100));
	pr_info("ABI version %u, features 0x%llx\n", PVX_ABI_VERSION,
		(u64)atomic64_read(&pvx_guest_features));
	return 0;
}

static void __exit pvx_guest_exit(void)
{
	cancel_delayed_work_sync(&negotiate_work);
	debugfs_remove_recursive(pvx_guest_debugfs);
}

module_init(pvx_guest_init);
module_exit(pvx_guest_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("KVM guest side of kvm-pvx: negotiation and hypercalls");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
