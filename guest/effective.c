// SPDX-License-Identifier: GPL-2.0
/*
 * Effective time: clock and timers that are corrected for stolen time
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>

#include "clock.h"
#include "clock_dev.h"

static int __init pvx_guest_timer_init(void)
{
	int err;

	if (!pvx_steal_offered()) {
		pr_err("the host does not tell how much time it takes (no steal time)\n");
		return -ENODEV;
	}
	err = pvx_clock_init();
	if (err)
		return err;
	err = pvx_clock_dev_init();
	if (err)
		pvx_clock_exit();
	return err;
}

static void __exit pvx_guest_timer_exit(void)
{
	pvx_clock_dev_exit();
	pvx_clock_exit();
}

module_init(pvx_guest_timer_init);
module_exit(pvx_guest_timer_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("KVM guest side of kvm-pvx: clock and timers on effective time");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
