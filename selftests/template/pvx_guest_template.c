// SPDX-License-Identifier: GPL-2.0
/*
 * A feature to begin with, the guest's half: it has the host add up, and does so itself where
 * the host does not
 *
 * Reading debugfs pvx_guest/template adds @number, and prints what the host answered and what
 * was added here. Documentation/porting.rst goes through it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/kvm_para.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "pvx_guest.h"

static unsigned long number = 1;
module_param(number, ulong, 0644);
MODULE_PARM_DESC(number, "What is added, at most 1000 by the host (default 1)");

static atomic64_t alone;

/* The host may refuse, or be another one by now, at any call. */
static int template_show(struct seq_file *m, void *unused)
{
	u64 n = READ_ONCE(number);
	s64 answer = -KVM_ENOSYS;

	if (pvx_guest_has(PVX_F_TEST))
		answer = pvx_guest_call(PVX_F_TEST, PVX_HC_TEST, n, 0, 0, 0);
	if (answer < 0)
		atomic64_add(n, &alone);
	seq_printf(m, "answer=%lld\nalone=%lld\n", answer, atomic64_read(&alone));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(template);

static struct dentry *file;

static int __init pvx_guest_template_init(void)
{
	file = debugfs_create_file("template", 0400, pvx_guest_debugfs, NULL, &template_fops);
	return 0;
}

static void __exit pvx_guest_template_exit(void)
{
	debugfs_remove(file);
}

module_init(pvx_guest_template_init);
module_exit(pvx_guest_template_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("KVM guest side of kvm-pvx: a feature to begin with");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
