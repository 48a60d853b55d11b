// SPDX-License-Identifier: GPL-2.0
/*
 * Features as pvx_host takes them, and as it must refuse them
 *
 * Reading debugfs pvx_registertest/run registers each and prints the answer, a
 * "name=error" per line.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>

#include "../../host/pvx_host.h"

static s64 call(struct kvm_vcpu *vcpu, void *vm_data, const u64 a[4])
{
	return 0;
}

static void show(struct seq_file *m, void *vm_data)
{
}

static const struct pvx_host_feature good = {
	.api_version	= PVX_HOST_API,
	.size		= sizeof(good),
	.owner		= THIS_MODULE,
	.feature	= PVX_F_TEST,
	.nr		= PVX_HC_TEST,
	.vm_size	= 8,
	.call		= call,
	.show		= show,
};

static void try(struct seq_file *m, const char *name, struct pvx_host_feature *feature)
{
	int err = pvx_host_register(feature);

	seq_printf(m, "%s=%d\n", name, err);
	if (!err)
		pvx_host_unregister(feature);
}

/* The good one, but for a change. */
#define TRY(m, name, change)				\
	do {						\
		struct pvx_host_feature f = good;	\
							\
		change;					\
		try(m, name, &f);			\
	} while (0)

static int run_show(struct seq_file *m, void *unused)
{
	TRY(m, "good", f.nr = PVX_HC_TEST);
	TRY(m, "other_version", f.api_version++);
	TRY(m, "other_size", f.size -= 8);
	TRY(m, "no_owner", f.owner = NULL);
	TRY(m, "no_handler", f.call = NULL);
	TRY(m, "no_counters", f.show = NULL);
	TRY(m, "no_size", f.vm_size = 0);
	TRY(m, "no_bit", f.feature = 0);
	TRY(m, "two_bits", f.feature |= PVX_F_TEST >> 1);
	TRY(m, "reserved_bit", f.feature = BIT_ULL(63));
	TRY(m, "foreign_number", f.nr = PVX_HC_NEGOTIATE + 0x100);
	TRY(m, "negotiate_s_number", f.nr = PVX_HC_NEGOTIATE);
	TRY(m, "no_op_s_number", f.nr = PVX_HC_NOP);
	TRY(m, "taken_bit", f.feature = PVX_F_YIELD);
	TRY(m, "taken_number", f.nr = PVX_HC_YIELD);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(run);

static struct dentry *dir;

static int __init pvx_registertest_init(void)
{
	dir = debugfs_create_dir(KBUILD_MODNAME, NULL);
	debugfs_create_file("run", 0400, dir, NULL, &run_fops);
	return 0;
}

static void __exit pvx_registertest_exit(void)
{
	debugfs_remove_recursive(dir);
}

module_init(pvx_registertest_init);
module_exit(pvx_registertest_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("Features as pvx_host takes them, and as it must refuse them");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
