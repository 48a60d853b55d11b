/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * kvm-pvx: the interface between KVM hosts, their guests and the operator
 *
 * The only header that the host modules, the guest modules and user space
 * share. Documentation/hypercalls.rst and Documentation/admin.rst are its
 * prose.
 */
#ifndef _UAPI_LINUX_KVM_PVX_H
#define _UAPI_LINUX_KVM_PVX_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: Hypercalls
 *
 * Number in RAX, arguments 0 to 3 in RBX, RCX, RDX and RSI, result in RAX.
 * All four arguments must be set: an unused argument is 0. Callable at CPL 0
 * in 64-bit mode only. A number that the host does not know, a feature that
 * the VM was not granted, and a host without the modules all answer
 * -KVM_ENOSYS (-1000), as stock KVM does for any number it does not know;
 * a guest must expect that answer from every call, at any time. CPL > 0
 * answers -KVM_EPERM (-1), as stock KVM does.
 */

/** PVX_ABI_VERSION - the version of this interface; 0 is never valid */
#define PVX_ABI_VERSION		1

/** PVX_HC_BASE - first number of our block; upstream's end at 12 */
#define PVX_HC_BASE		0x50565800U
/** PVX_HC_COUNT - how many numbers the block holds */
#define PVX_HC_COUNT		0x100U

/**
 * PVX_HC_NEGOTIATE - agree on a version and on features
 *
 * Argument 0: the guest's PVX_ABI_VERSION. Argument 1: mask of PVX_F_* that
 * the guest can use. Returns the mask of those that the VM may use from now
 * on (bits of unknown features come back clear), or a negative PVX_E_*.
 * Idempotent; a guest repeats it to learn of changes.
 */
#define PVX_HC_NEGOTIATE	(PVX_HC_BASE + 0x00)

/**
 * PVX_HC_NOP - do nothing, return 0
 *
 * Measures the channel. Granted to each VM that is granted anything.
 */
#define PVX_HC_NOP		(PVX_HC_BASE + 0x01)

/**
 * PVX_HC_YIELD - give the caller's host CPU time to one vCPU of the same VM
 *
 * Argument 0: APIC id of the target, 32 bits. Needs PVX_F_YIELD, negotiated.
 * Returns enum pvx_yield_status or a negative PVX_E_*. A hint: the caller
 * continues after an unspecified time, whether the target ran or not.
 */
#define PVX_HC_YIELD		(PVX_HC_BASE + 0x10)

/**
 * PVX_HC_KSM - say which pages are likely to be equal to others
 *
 * Argument 0: guest-physical address of an array of words of 64 bits, at a multiple
 * of 8. Argument 1: how many words, at most PVX_KSM_WORDS_MAX. The array holds one
 * struct pvx_ksm_run behind the other, each followed by the hashes of its pages, a
 * word for each. Both arguments 0: all that was announced is withdrawn. Needs
 * PVX_F_KSM, negotiated. Returns 0 if all was taken; PVX_KSM_AGAIN if it was, but all
 * that was said before is forgotten, as after a change of group, and is to be said
 * again; or a negative PVX_E_* and nothing was taken. A hint: the host may forget any
 * of it at any time, so a guest says it again now and then.
 */
#define PVX_HC_KSM		(PVX_HC_BASE + 0x20)

/** PVX_KSM_AGAIN - answer of PVX_HC_KSM: announce all again */
#define PVX_KSM_AGAIN		1

/** PVX_KSM_WORDS_MAX - longest array of PVX_HC_KSM */
#define PVX_KSM_WORDS_MAX	2048
/** PVX_KSM_RUN_WORDS - length of struct pvx_ksm_run in words */
#define PVX_KSM_RUN_WORDS	2
/** PVX_KSM_GFN_BITS - a page's number in PVX_HC_KSM has no more bits */
#define PVX_KSM_GFN_BITS	40
/** PVX_KSM_HASH_BITS - nor has a hash */
#define PVX_KSM_HASH_BITS	48

/**
 * struct pvx_ksm_run - adjacent pages of which the same is said
 * @gfn: the first one's guest frame number
 * @pages: how many, at least 1
 * @what: enum pvx_ksm_what
 *
 * Runs of one call ascend and do not overlap, and are memory that the VM may write
 * to. Behind it stand @pages words, each with the hash of one page's content. Guests
 * of one group must compute it in one way: the upper 48 bits of xxh64 with seed 0,
 * shifted down.
 */
struct pvx_ksm_run {
	__u64	gfn;
	__u32	pages;
	__u32	what;
};

/**
 * enum pvx_ksm_what - what is said of a page
 * @PVX_KSM_WITHDRAWN: it no longer has the content of this hash
 * @PVX_KSM_TEXT: page of a file that is mapped and not written by its mappings
 * @PVX_KSM_FILE: clean page of another file
 * @PVX_KSM_CONSTANT: eight bytes over and over, 0 mostly
 */
enum pvx_ksm_what {
	PVX_KSM_WITHDRAWN	= 0,
	PVX_KSM_TEXT		= 1,
	PVX_KSM_FILE		= 2,
	PVX_KSM_CONSTANT	= 3,
};

/**
 * PVX_HC_FORK - copy pages
 *
 * Argument 0: guest-physical address of an array of struct pvx_fork_pair, at a
 * multiple of 8. Argument 1: how many, 1 to PVX_FORK_PAIRS_MAX. Needs PVX_F_FORK,
 * negotiated. Returns of how many pairs, from the first on, the target holds what the
 * source held at some time during the call; or a negative PVX_E_*, and no target was
 * written to, unless a source's memory had an error when it was read. Fewer than all is
 * no error: the guest asks again from the next pair on. If it is that pair that fails,
 * that call is answered with an error.
 */
#define PVX_HC_FORK		(PVX_HC_BASE + 0x30)

/** PVX_FORK_PAIRS_MAX - longest array of PVX_HC_FORK */
#define PVX_FORK_PAIRS_MAX	512

/**
 * struct pvx_fork_pair - a page and where it is copied to
 * @source: guest frame number of the page
 * @target: of the one that gets its content
 *
 * Both are memory that the VM may write to. Targets of one call ascend, and none of
 * them is a source of the same call.
 */
struct pvx_fork_pair {
	__u64	source;
	__u64	target;
};

/**
 * PVX_HC_NUMA - say which vCPUs use which memory
 *
 * Argument 0: guest-physical address of an array of struct pvx_numa_use, at a multiple of
 * 8. Argument 1: how many, 1 to PVX_NUMA_USES_MAX; both 0: all is withdrawn. Argument 2:
 * log2 of the size of a block of memory in bytes, PVX_NUMA_SHIFT_MIN to
 * PVX_NUMA_SHIFT_MAX. Argument 3: guest-physical address of a page in which the host keeps
 * a struct pvx_numa_nodes from now on, at a multiple of 4096; 0: none. Needs PVX_F_NUMA,
 * negotiated. Returns 0; PVX_NUMA_AGAIN if all that was said before is forgotten, as it is
 * at the first call, and when memory, vCPUs, block size or grants changed; or a negative
 * PVX_E_*, and nothing was taken. -PVX_E_ARG(2) may also say that the host has no room for so
 * many blocks, and larger ones are to be tried. A hint: what becomes of it is the operator's
 * affair.
 */
#define PVX_HC_NUMA		(PVX_HC_BASE + 0x40)

/** PVX_NUMA_USES_MAX - longest array of PVX_HC_NUMA */
#define PVX_NUMA_USES_MAX	1024
/** PVX_NUMA_AGAIN - taken, but it is all that the host knows */
#define PVX_NUMA_AGAIN		1
/** PVX_NUMA_SHIFT_MIN - log2 of the smallest block, 2 MiB */
#define PVX_NUMA_SHIFT_MIN	21
/** PVX_NUMA_SHIFT_MAX - log2 of the largest one, 1 GiB */
#define PVX_NUMA_SHIFT_MAX	30
/** PVX_NUMA_WEIGHT_MAX - largest weight */
#define PVX_NUMA_WEIGHT_MAX	65535
/** PVX_NUMA_GROUP - in place of a block: the weight is the number of the vCPU's group */
#define PVX_NUMA_GROUP		0xffffffffU

/**
 * struct pvx_numa_use - how much a vCPU uses a block of memory
 * @vcpu: the vCPU's APIC id
 * @block: the block's number: its guest-physical address, shifted; or PVX_NUMA_GROUP
 * @weight: how much, at most PVX_NUMA_WEIGHT_MAX, in any unit that is the same for all;
 *	0: not at all. For PVX_NUMA_GROUP: vCPUs with the same number, from 1 on, are
 *	likely to share memory; 0: in no group
 * @reserved: must be 0
 *
 * Entries of a call ascend by @vcpu and @block. What is not named stays as it was said
 * before.
 */
struct pvx_numa_use {
	__u32	vcpu;
	__u32	block;
	__u32	weight;
	__u32	reserved;
};

/** PVX_NUMA_NOWHERE - of a vCPU that is on no node in particular */
#define PVX_NUMA_NOWHERE	255
/** PVX_NUMA_VCPUS - vCPUs that struct pvx_numa_nodes tells of, those with lower APIC ids */
#define PVX_NUMA_VCPUS		4080

/**
 * struct pvx_numa_nodes - where a VM's vCPUs are, as the host keeps it in a guest's page
 * @seq: odd while the host writes; another one when that has changed
 * @nodes: how many different nodes there are; 0: nothing is known
 * @cookie: any number but 0, that the guest has put there before it names the page. The
 *	host writes to the page only as long as it finds that, and @seq as it left it: after a
 *	reset or kexec the page is something else
 * @node: by APIC id: vCPUs with the same number are on one node. Numbers begin at 0, and
 *	say nothing of which of the host's nodes it is; or PVX_NUMA_NOWHERE
 */
struct pvx_numa_nodes {
	__u32	seq;
	__u32	nodes;
	__u64	cookie;
	__u8	node[PVX_NUMA_VCPUS];
};

/**
 * PVX_HC_TEST - a number for the modules of tests
 *
 * No version will give it a meaning. Needs PVX_F_TEST, negotiated.
 */
#define PVX_HC_TEST		(PVX_HC_BASE + 0xfe)

/**
 * DOC: Features
 *
 * Bit masks of what the operator grants and the guest negotiates. Bit 63 is
 * never a feature, so that a mask is never mistaken for an error.
 */

/** PVX_F_YIELD - directed yield: PVX_HC_YIELD */
#define PVX_F_YIELD		(1ULL << 0)
/** PVX_F_KSM - candidates for KSM: PVX_HC_KSM */
#define PVX_F_KSM		(1ULL << 1)
/** PVX_F_FORK - batched copies: PVX_HC_FORK */
#define PVX_F_FORK		(1ULL << 2)
/** PVX_F_NUMA - which vCPUs use which memory: PVX_HC_NUMA */
#define PVX_F_NUMA		(1ULL << 3)
/** PVX_F_ALL - all features that this version defines */
#define PVX_F_ALL		(PVX_F_YIELD | PVX_F_KSM | PVX_F_FORK | PVX_F_NUMA)
/** PVX_F_TEST - for the modules of tests: granted where it is asked for, and never unasked */
#define PVX_F_TEST		(1ULL << 62)
/** PVX_F_RESERVED - bits that no version will define */
#define PVX_F_RESERVED		(1ULL << 63)

/**
 * DOC: Hypercall errors
 *
 * Returned negated. The values lie above those of the kernel and of KVM, so
 * that no two causes share a value.
 */

/** PVX_E_ARG - argument @n (0 to 3) is out of range, or set though reserved */
#define PVX_E_ARG(n)		(2000 + (n))
/** PVX_E_VERSION - the host does not speak the version in argument 0 */
#define PVX_E_VERSION		2010
/** PVX_E_UNSUPPORTED - not for an encrypted guest, nor from a nested guest */
#define PVX_E_UNSUPPORTED	2011
/** PVX_E_BUSY - there is no room or no budget for it now; ask again later */
#define PVX_E_BUSY		2012
/** PVX_E_DATA - what the arguments point to breaks the rules of the call */
#define PVX_E_DATA		2013
/** PVX_E_ENTRY - entry @n of the list, the first is 0, breaks the rules or has no memory */
#define PVX_E_ENTRY(n)		((__s64)3000 + (n))

/**
 * enum pvx_yield_status - what became of a directed yield
 * @PVX_YIELD_BOOSTED: the target was runnable and not running; the host's
 *	scheduler was told to run it in the caller's place
 * @PVX_YIELD_RUNNING: the target is running already, in the guest or in the
 *	host on its behalf (the caller counts too)
 * @PVX_YIELD_IDLE: the target is halted and waits for an interrupt
 * @PVX_YIELD_UNKNOWN: this VM has no vCPU of that APIC id
 * @PVX_YIELD_BUDGET: the VM has used up its budget of yields or boosted time
 * @PVX_YIELD_DECLINED: the scheduler would not: the target is throttled, or in
 *	another scheduling class
 * @PVX_YIELD_WOKEN: the target slept in a directed yield of its own, and was woken
 * @PVX_YIELD_BOOSTED_FAR: as PVX_YIELD_BOOSTED, but the target waited for another
 *	host CPU than the caller's, so that both were interrupted. Better asked for by
 *	a vCPU that has the target's host CPU, if one waits for the same.
 */
enum pvx_yield_status {
	PVX_YIELD_BOOSTED	= 0,
	PVX_YIELD_RUNNING	= 1,
	PVX_YIELD_IDLE		= 2,
	PVX_YIELD_UNKNOWN	= 3,
	PVX_YIELD_BUDGET	= 4,
	PVX_YIELD_DECLINED	= 5,
	PVX_YIELD_WOKEN		= 6,
	PVX_YIELD_BOOSTED_FAR	= 7,
};

#define PVX_YIELD_STATUSES	8

/**
 * DOC: The operator's device, /dev/kvm-pvx
 *
 * Each structure begins with its size in bytes as the caller knows it. A
 * shorter one than the first version's is -EINVAL; a longer one than the
 * kernel's, up to a page, is accepted as long as the bytes unknown to the kernel are 0, else
 * -E2BIG. The kernel fills in what fits and leaves the rest of the caller's
 * structure alone. Reserved fields must be 0, else -EINVAL.
 */

/**
 * struct pvx_info - what the host offers
 * @size: in: size of this structure in bytes
 * @abi_version: out: newest version of the interface that the host speaks
 * @available: out: PVX_F_* of the feature modules that are loaded
 * @default_features: out: PVX_F_* that each VM is granted unasked
 * @vms: out: how many VMs the host keeps a context for
 * @reserved: must be 0
 */
struct pvx_info {
	__u32	size;
	__u32	abi_version;
	__u64	available;
	__u64	default_features;
	__u32	vms;
	__u32	reserved;
};

/**
 * struct pvx_grant - change what a VM may use
 * @size: in: size of this structure in bytes
 * @vm_fd: in: a KVM VM file descriptor of the caller; anything else is
 *	-EBADF (not open) or -ENOTTY (not a VM)
 * @set: in: PVX_F_* to grant; a bit that the host does not define is -EINVAL,
 *	but one whose module is not loaded may be granted for later
 * @clear: in: PVX_F_* to revoke, with effect on the next hypercall; unknown
 *	bits may be cleared; a bit in both masks is -EINVAL
 * @granted: out: PVX_F_* that the VM is granted after the call
 */
struct pvx_grant {
	__u32	size;
	__s32	vm_fd;
	__u64	set;
	__u64	clear;
	__u64	granted;
};

/**
 * struct pvx_query - what a VM may use and what it has used
 * @size: in: size of this structure in bytes
 * @vm_fd: in: as in struct pvx_grant
 * @granted: out: PVX_F_* the VM is granted
 * @negotiated: out: PVX_F_* the guest asked for and got; 0 before it asked
 * @calls: out: hypercalls of our block that the VM made, refused ones included
 * @refused: out: of these, how many were answered with an error
 * @id: out: number of the VM's folder under debugfs pvx_host/; 0 where the
 *	host keeps no context for the VM, then all the rest is 0 as well
 * @reserved: must be 0
 */
struct pvx_query {
	__u32	size;
	__s32	vm_fd;
	__u64	granted;
	__u64	negotiated;
	__u64	calls;
	__u64	refused;
	__u32	id;
	__u32	reserved;
};

/** PVX_GROUP_NAME - room for a group's name, with the 0 behind it */
#define PVX_GROUP_NAME		32

/** PVX_GROUP_JOIN - the VM is to be in the group; else its group is asked for */
#define PVX_GROUP_JOIN		(1U << 0)

/**
 * struct pvx_group - with which VMs a VM may share memory
 * @size: in: size of this structure in bytes
 * @vm_fd: in: as in struct pvx_grant
 * @flags: in: PVX_GROUP_*; an unknown one is -EINVAL
 * @reserved: must be 0
 * @name: the group's name, ended by a 0; empty: the VM shares with none. One
 *	without end is -EINVAL
 *
 * A VM that leaves a group has taken back all that it shared when the call returns.
 */
struct pvx_group {
	__u32	size;
	__s32	vm_fd;
	__u32	flags;
	__u32	reserved;
	char	name[PVX_GROUP_NAME];
};

#define PVX_IOC_MAGIC		0xBA
/* The size travels in the structure, so the number stays when one grows. */
#define PVX_IOC_INFO		_IO(PVX_IOC_MAGIC, 0x00)
#define PVX_IOC_GRANT		_IO(PVX_IOC_MAGIC, 0x01)
#define PVX_IOC_QUERY		_IO(PVX_IOC_MAGIC, 0x02)
#define PVX_IOC_GROUP		_IO(PVX_IOC_MAGIC, 0x03)

/**
 * DOC: The guest's clock of effective time, /dev/pvx_clock
 *
 * An open file is a dynamic POSIX clock for clock_gettime(2) and
 * clock_getres(2), and a timer with the semantics of timerfd_create(2): read(2)
 * returns a __u64, how often the timer expired since it was set or last read,
 * and waits for the first expiration, or answers -EAGAIN with O_NONBLOCK.
 * poll(2) tells when it would not wait. Structures follow the rules of
 * /dev/kvm-pvx.
 */

/** PVX_CLOCK_SYSTEM - the guest's clock, instead of one of a CPU */
#define PVX_CLOCK_SYSTEM	(-1)

/** PVX_TIMER_ABSTIME - the time is one of the clock, and not from now on */
#define PVX_TIMER_ABSTIME	(1U << 0)

/**
 * struct pvx_clock_reading - what a clock shows
 * @size: in: size of this structure in bytes
 * @cpu: in: whose clock: a CPU, or PVX_CLOCK_SYSTEM; else -EINVAL
 * @monotonic_ns: out: CLOCK_MONOTONIC
 * @stolen_ns: out: what was stolen from the CPU since the module was loaded,
 *	for PVX_CLOCK_SYSTEM from all together
 * @effective_ns: out: effective time
 */
struct pvx_clock_reading {
	__u32	size;
	__s32	cpu;
	__u64	monotonic_ns;
	__u64	stolen_ns;
	__u64	effective_ns;
};

/**
 * struct pvx_clock_timer - how the timer of an open file is set
 * @size: in: size of this structure in bytes
 * @flags: in: PVX_TIMER_*; an unknown one is -EINVAL. Out, of
 *	PVX_CLOCK_GETTIME: 0
 * @cpu: whose clock the timer goes by: a CPU, or PVX_CLOCK_SYSTEM
 * @reserved: must be 0
 * @value_ns: effective time of the first expiration, or from now on until then;
 *	0 takes the timer back. Out: effective time from now on
 * @interval_ns: effective time between one expiration and the next; 0 for one
 *	that does not repeat
 * @defer_max_ns: for how long at most an expiration may be put off on
 *	CLOCK_MONOTONIC because time was stolen
 *
 * A negative time is -EINVAL. One later than the clock can show never comes.
 */
struct pvx_clock_timer {
	__u32	size;
	__u32	flags;
	__s32	cpu;
	__u32	reserved;
	__s64	value_ns;
	__s64	interval_ns;
	__s64	defer_max_ns;
};

#define PVX_CLOCK_READ		_IO(PVX_IOC_MAGIC, 0x10)
#define PVX_CLOCK_SETTIME	_IO(PVX_IOC_MAGIC, 0x11)
#define PVX_CLOCK_GETTIME	_IO(PVX_IOC_MAGIC, 0x12)

/**
 * DOC: Processes that have their memory told apart when they fork, /dev/pvx_fork
 *
 * A setting belongs to the calling process; its children inherit it, those of vfork(2) and
 * posix_spawn(3), too, and it outlives execve(2). Structures follow the rules of /dev/kvm-pvx.
 */

/**
 * enum pvx_fork_mode - when pages are copied
 * @PVX_FORK_OFF: when they are first written to, as in stock
 * @PVX_FORK_EAGER: before fork returns
 * @PVX_FORK_BACKGROUND: while both processes run
 */
enum pvx_fork_mode {
	PVX_FORK_OFF		= 0,
	PVX_FORK_EAGER		= 1,
	PVX_FORK_BACKGROUND	= 2,
};

/**
 * enum pvx_fork_side - who gets the copies
 * @PVX_FORK_CHILD: the child; the parent keeps its pages
 * @PVX_FORK_PARENT: the parent
 */
enum pvx_fork_side {
	PVX_FORK_CHILD		= 0,
	PVX_FORK_PARENT		= 1,
};

/**
 * struct pvx_fork_control - the calling process' setting
 * @size: in: size of this structure in bytes
 * @mode: enum pvx_fork_mode; another one is -EINVAL
 * @side: enum pvx_fork_side; another one is -EINVAL
 * @reserved: must be 0
 * @least_bytes: of a process with less anonymous memory nothing is copied; 0: the
 *	module's least_kib
 */
struct pvx_fork_control {
	__u32	size;
	__u32	mode;
	__u32	side;
	__u32	reserved;
	__u64	least_bytes;
};

/**
 * struct pvx_fork_status - what came of the calling process' forks since it was first set
 * @size: in: size of this structure in bytes
 * @running: forks after which pages are still being copied, 0 when all is done
 * @forks: forks after which pages were copied
 * @privatised: pages that one of two processes got
 * @owned: pages that the other one may write to since
 * @by_host: pages that the host copied
 * @by_guest: pages that the guest copied
 * @calls: hypercalls
 * @changed: pages that were copied in vain, since one of the processes was faster
 * @no_memory: times that it was ended for want of memory
 * @copy_ns: nanoseconds that copying took, of all threads that did so
 * @ns: and all that was done besides, too
 * @threads: threads that did so, of all forks
 *
 * All but @size are out, and 0 for a process without setting.
 */
struct pvx_fork_status {
	__u32	size;
	__u32	running;
	__u64	forks;
	__u64	privatised;
	__u64	owned;
	__u64	by_host;
	__u64	by_guest;
	__u64	calls;
	__u64	changed;
	__u64	no_memory;
	__u64	copy_ns;
	__u64	ns;
	__u64	threads;
};

#define PVX_IOC_FORK_SET	_IO(PVX_IOC_MAGIC, 0x20)
#define PVX_IOC_FORK_GET	_IO(PVX_IOC_MAGIC, 0x21)
#define PVX_IOC_FORK_STATUS	_IO(PVX_IOC_MAGIC, 0x22)

#endif /* _UAPI_LINUX_KVM_PVX_H */
