// SPDX-License-Identifier: GPL-2.0
/*
 * A feature to begin with, the host's half: it adds up what a VM's guest says
 *
 * Documentation/porting.rst goes through it. A real one has a PVX_F_* and a PVX_HC_* of its
 * own where this one has those of tests.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ktime.h>

#include "../../host/budget.h"
#include "../../host/pvx_host.h"

static unsigned int calls_per_s = 1000;
module_param(calls_per_s, uint, 0644);
MODULE_PARM_DESC(calls_per_s, "Calls per second that a VM may make (default 1000; 0: none)");

/* How much of a second's budget may be used at once, after a pause. */
#define BURST_NS	(100 * NSEC_PER_MSEC)

#define NUMBER_MAX	1000

/**
 * struct template_vm - what is known of one VM
 * @calls: budget of calls
 * @sum: of all numbers
 */
struct template_vm {
	struct pvx_budget	calls;
	atomic64_t		sum;
};

/* The guest is hostile: whatever it says is checked, and costs it of its budget. */
static s64 template_call(struct kvm_vcpu *vcpu, void *vm_data, const u64 a[4])
{
	struct template_vm *vm = vm_data;
	s64 err;

	if (a[0] > NUMBER_MAX)
		return -PVX_E_ARG(0);
	err = pvx_unused_args(a, 1);
	if (err)
		return err;
	if (!pvx_budget_take(&vm->calls, ktime_get_ns(), 1, READ_ONCE(calls_per_s), BURST_NS))
		return -PVX_E_BUSY;
	return atomic64_add_return(a[0], &vm->sum);
}

static void template_show(struct seq_file *m, void *vm_data)
{
	struct template_vm *vm = vm_data;

	seq_printf(m, "template_sum=%lld\n", atomic64_read(&vm->sum));
}

static struct pvx_host_feature template_feature = {
	.api_version	= PVX_HOST_API,
	.size		= sizeof(template_feature),
	.owner		= THIS_MODULE,
	.feature	= PVX_F_TEST,
	.nr		= PVX_HC_TEST,
	.vm_size	= sizeof(struct template_vm),
	.call		= template_call,
	.show		= template_show,
};

static int __init pvx_host_template_init(void)
{
	return pvx_host_register(&template_feature);
}

static void __exit pvx_host_template_exit(void)
{
	pvx_host_unregister(&template_feature);
}

module_init(pvx_host_template_init);
module_exit(pvx_host_template_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("KVM host side of kvm-pvx: a feature to begin with");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
