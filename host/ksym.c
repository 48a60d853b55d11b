// SPDX-License-Identifier: GPL-2.0
/*
 * Looking up KVM's functions by name, see ksym.h
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "core.h"

#include <linux/fs.h>
#include <linux/kprobes.h>
#include <linux/static_call.h>

static unsigned long lookup_nothing(const char *name)
{
	return 0;
}

DEFINE_STATIC_CALL(pvx_lookup, lookup_nothing);

/* kallsyms_lookup_name() is not exported, but a kprobe knows where it is. */
static int find_lookup(void)
{
	struct kprobe probe = {
		.symbol_name = "kallsyms_lookup_name",
		.flags = KPROBE_FLAG_DISABLED,
	};
	int err = register_kprobe(&probe);

	if (err) {
		pr_err("cannot look up symbols: no kprobe on kallsyms_lookup_name (%d)\n",
		       err);
		return err;
	}
	static_call_update(pvx_lookup,
			   (unsigned long (*)(const char *))probe.addr);
	unregister_kprobe(&probe);
	return 0;
}

/**
 * pvx_host_find() - where is a symbol of the kernel's?
 * @name: its name
 *
 * Context: process context, may sleep.
 * Return: its address; 0 if there is none, which is logged.
 */
unsigned long pvx_host_find(const char *name)
{
	unsigned long address = static_call(pvx_lookup)(name);

	if (!address)
		pr_err("this kernel has no %s()\n", name);
	return address;
}
EXPORT_SYMBOL_GPL(pvx_host_find);

#ifdef PVX_KSYM_BY_NAME

#define PVX_KSYM(func)	DEFINE_STATIC_CALL_NULL(pvx_ksym_##func, func)
#include "ksym-list.h"

#define PVX_KSYM(func)	EXPORT_STATIC_CALL_GPL(pvx_ksym_##func)
#include "ksym-list.h"

/* An open /dev/kvm keeps the modules in place whose functions we call. */
static struct file *kvm_device;

/* Does nothing once there was an error. */
static void resolve(int *err, const char *name, struct static_call_key *key,
		    void *tramp)
{
	unsigned long addr;

	if (*err)
		return;
	addr = pvx_host_find(name);
	if (!addr) {
		*err = -ENOENT;
		return;
	}
	__static_call_update(key, tramp, (void *)addr);
}

int pvx_ksym_init(void)
{
	int err;

	kvm_device = filp_open("/dev/kvm", O_RDWR, 0);
	if (IS_ERR(kvm_device)) {
		pr_err("cannot open /dev/kvm (%ld): load kvm_amd or kvm_intel first\n",
		       PTR_ERR(kvm_device));
		return PTR_ERR(kvm_device);
	}
	err = find_lookup();
#define PVX_KSYM(func)							\
	resolve(&err, #func, &STATIC_CALL_KEY(pvx_ksym_##func),		\
		STATIC_CALL_TRAMP_ADDR(pvx_ksym_##func))
#include "ksym-list.h"
	if (err)
		filp_close(kvm_device, NULL);
	return err;
}

void pvx_ksym_exit(void)
{
	filp_close(kvm_device, NULL);
}

#else

/* Linked like any exported symbol: the module loader did all else there is to do. */
int pvx_ksym_init(void)
{
	return find_lookup();
}

void pvx_ksym_exit(void)
{
}

#endif
