/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the time of vCPU threads goes, as vcpu.bpf.c counts it
 */
#ifndef PVX_TUNE_VCPU_H
#define PVX_TUNE_VCPU_H

/**
 * enum vcpu_state - what a vCPU's thread does
 * @VCPU_GUEST: runs the guest
 * @VCPU_EXIT: is in KVM, to handle an exit
 * @VCPU_VMM: is in the VMM, or on the way there
 * @VCPU_HALTED: sleeps since the guest halted
 * @VCPU_BLOCKED: sleeps for another reason
 * @VCPU_WAKING: was woken up, and has no CPU yet
 * @VCPU_PREEMPTED: had to leave its CPU to another thread
 * @VCPU_STATES: how many there are
 *
 * It is in one at any time. The last two are steal, as the guest has it.
 */
enum vcpu_state {
	VCPU_GUEST,
	VCPU_EXIT,
	VCPU_VMM,
	VCPU_HALTED,
	VCPU_BLOCKED,
	VCPU_WAKING,
	VCPU_PREEMPTED,
	VCPU_STATES,
};

/* KVM's isa in its tracepoints. */
#define VCPU_VMX	1
#define VCPU_SVM	2

/*
 * Exit reasons by their number. SVM's nested page faults and what follows begin at
 * VCPU_SVM_HIGH and come behind the others; the last one is for all else.
 */
#define VCPU_REASONS		216
#define VCPU_SVM_HIGH		0x400
#define VCPU_SVM_HIGH_AT	200
#define VCPU_OTHER_REASON	(VCPU_REASONS - 1)

/**
 * struct vcpu_exits - exits for one reason
 * @count: how many
 * @ns: time in VCPU_EXIT for them
 */
struct vcpu_exits {
	unsigned long long	count;
	unsigned long long	ns;
};

/**
 * struct vcpu_calls - what a vCPU has asked pvx_host for
 * @calls: hypercalls
 * @yields: of these, directed yields
 * @boosted: of these, to a vCPU that was run for it
 * @boost_us: boosted time in us
 */
struct vcpu_calls {
	unsigned long long	calls;
	unsigned long long	yields;
	unsigned long long	boosted;
	unsigned long long	boost_us;
};

/**
 * struct vcpu - one vCPU's thread
 * @since: when it came into its state, ns of CLOCK_MONOTONIC
 * @ns: time in each state before that
 * @wakeups: times that it came out of VCPU_WAKING
 * @calls: what it has asked for, while that was looked at
 * @tgid: the VMM
 * @id: number of the vCPU
 * @isa: VCPU_VMX or VCPU_SVM
 * @state: enum vcpu_state
 * @ran: the state that it is in again when it has a CPU
 * @reason: of the last exit, an index of @exits
 * @exits: by reason
 */
struct vcpu {
	unsigned long long	since;
	unsigned long long	ns[VCPU_STATES];
	unsigned long long	wakeups;
	struct vcpu_calls	calls;
	unsigned int		tgid;
	unsigned int		id;
	unsigned int		isa;
	unsigned int		state;
	unsigned int		ran;
	unsigned int		reason;
	struct vcpu_exits	exits[VCPU_REASONS];
};

#endif /* PVX_TUNE_VCPU_H */
