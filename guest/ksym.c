// SPDX-License-Identifier: GPL-2.0
/*
 * Finding what the kernel keeps to itself, by name
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/static_call.h>

#include "ksym.h"

static unsigned long find_nothing(const char *name)
{
	return 0;
}

/*
 * A direct call: kernels with IBT have no ENDBR where nobody takes a function's
 * address.
 */
DEFINE_STATIC_CALL(pvx_find, find_nothing);

/**
 * pvx_ksym_find() - where is a symbol of the kernel's?
 * @name: its name
 *
 * kallsyms_lookup_name() is not exported, but a kprobe knows where it is.
 *
 * Context: process context, may sleep.
 * Return: its address, or offset if it is a per-CPU variable; 0 if there is none,
 * which is logged.
 */
unsigned long pvx_ksym_find(const char *name)
{
	struct kprobe probe = {
		.symbol_name = "kallsyms_lookup_name",
		.flags = KPROBE_FLAG_DISABLED,
	};
	unsigned long address;
	int err = register_kprobe(&probe);

	if (err) {
		pr_err("cannot look up %s: no kprobe on kallsyms_lookup_name (%d)\n",
		       name, err);
		return 0;
	}
	static_call_update(pvx_find,
			   (unsigned long (*)(const char *))probe.addr);
	unregister_kprobe(&probe);
	address = static_call(pvx_find)(name);
	if (!address)
		pr_err("this kernel has no %s\n", name);
	return address;
}
EXPORT_SYMBOL_GPL(pvx_ksym_find);
