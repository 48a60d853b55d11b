// SPDX-License-Identifier: GPL-2.0
/*
 * Effective time: clocks, timers, TCP and watchdogs that are corrected for
 * stolen time
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "clock.h"
#include "clock_dev.h"
#include "part.h"
#include "tcp.h"
#include "watchdog.h"

static struct pvx_part * const parts[] = {
	&pvx_tcp, &pvx_soft_lockup, &pvx_rcu_stall,
};

static int timer_show(struct seq_file *m, void *unused)
{
	struct pvx_tcp_stats tcp;

	pvx_tcp_sum(&tcp);
	seq_printf(m, "stolen_ns=%llu\nodd=%llu\n",
		   pvx_clock_stolen(PVX_CLOCK_SYSTEM), pvx_clock_odd());
	seq_printf(m, "tcp_deferred=%llu\ntcp_fired=%llu\n", tcp.deferred, tcp.fired);
	seq_printf(m, "tcp_limited=%llu\ntcp_crowded=%llu\n", tcp.limited, tcp.crowded);
	seq_printf(m, "soft_lockup_corrected=%llu\n", pvx_soft_lockup_corrections());
	seq_printf(m, "rcu_stall_held=%llu\n", pvx_rcu_stalls_held());
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(timer);

static struct dentry *timer_file;

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
	if (err) {
		pvx_clock_exit();
		return err;
	}
	pvx_parts_start(parts, ARRAY_SIZE(parts));
	timer_file = debugfs_create_file("timer", 0444, pvx_guest_debugfs, NULL,
					 &timer_fops);
	return 0;
}

static void __exit pvx_guest_timer_exit(void)
{
	debugfs_remove(timer_file);
	pvx_parts_stop(parts, ARRAY_SIZE(parts));
	pvx_clock_dev_exit();
	pvx_clock_exit();
}

module_init(pvx_guest_timer_init);
module_exit(pvx_guest_timer_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("KVM guest side of kvm-pvx: clocks, timers, TCP and watchdogs on effective time");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
