/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * kvm-pvx: what the modules share with the tools that tune them, on either side
 */
#ifndef _UAPI_LINUX_KVM_PVX_TUNE_H
#define _UAPI_LINUX_KVM_PVX_TUNE_H

#include <linux/types.h>

/**
 * DOC: Choices of BPF programs
 *
 * Each of these is what a writable raw tracepoint of the name passes as its argument. A program
 * of type BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE may read all of it, and changes the choice by
 * writing to the first field. What it writes to the others is not looked at. Fields are only
 * ever appended.
 */

/**
 * struct pvx_choose_target - whom the host runs for a directed yield (pvx_host_yield)
 * @target: the choice, a vCPU's id: @asked to begin with. One that the VM does not have counts
 *	as @asked; @caller: nobody is to be run
 * @asked: the vCPU that the guest asked for
 * @caller: the vCPU that asks
 * @vcpus: how many the VM has
 * @waiting: bit n: the vCPU with id n, from 0 to 63, had to leave its CPU and waits for one
 *
 * Process context on the caller's thread, so the current process is the VMM.
 */
struct pvx_choose_target {
	__u32	target;
	__u32	asked;
	__u32	caller;
	__u32	vcpus;
	__u64	waiting;
};

/**
 * struct pvx_choose_spin - how long a waiter in the guest spins (pvx_guest_lock)
 * @spin_ns: the choice, in ns; what it would be by default to begin with. Less than @min_ns
 *	counts as @min_ns, and more than @max_ns as @max_ns
 * @min_ns: parameter spin_min_ns
 * @max_ns: parameter spin_max_ns
 * @searches: how often this waiter has looked for the holder already, in this wait
 * @lock: the lock's address
 *
 * Any context, with preemption off, NMI included, since spinlocks are waited for in all of these.
 * Who has lost so often that the lock is to be kept for it is not asked about any more.
 */
struct pvx_choose_spin {
	__u32	spin_ns;
	__u32	min_ns;
	__u32	max_ns;
	__u32	searches;
	__u64	lock;
};

/**
 * DOC: Defaults
 *
 * Of those of the modules' parameters that pvxtune changes, so that it can go back to them.
 */

/** PVX_SPIN_MIN_NS - spin_min_ns of pvx_guest_lock */
#define PVX_SPIN_MIN_NS		1000
/** PVX_BOOST_US_PER_S - boost_us_per_s of pvx_host_yield */
#define PVX_BOOST_US_PER_S	2000000
/** PVX_KSM_PERMILLE - permille of pvx_guest_ksm */
#define PVX_KSM_PERMILLE	5

#endif /* _UAPI_LINUX_KVM_PVX_TUNE_H */
