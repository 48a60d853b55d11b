// SPDX-License-Identifier: GPL-2.0
/*
 * Directed yield: a vCPU gives its host CPU time to another one of its VM
 *
 * The guest knows who holds the lock it waits for; the host knows who runs.
 * PVX_HC_YIELD joins the two. KVM's own kvm_vcpu_yield_to() does the work: the
 * scheduler charges the target for what it runs, so a VM gains no CPU time, it
 * only moves what it has. What it could gain is order, by jumping queues; the
 * budgets bound that.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/rcuwait.h>
#include <linux/sched/signal.h>
#include <linux/stringify.h>

#include <linux/kvm_pvx_tune.h>

#include "budget.h"
#include "compat.h"
#include "ksym.h"
#include "policy.h"
#include "pvx_host.h"
#include "yield_trace.h"

static unsigned int calls_per_s = 50000;
module_param(calls_per_s, uint, 0644);
MODULE_PARM_DESC(calls_per_s,
	"Directed yields per second that a VM may make (default 50000; 0: none)");

static unsigned int boost_us_per_s = PVX_BOOST_US_PER_S;
module_param(boost_us_per_s, uint, 0644);
MODULE_PARM_DESC(boost_us_per_s,
	"Microseconds per second that boosted vCPUs of a VM may run ahead of their turn (default "
	__stringify(PVX_BOOST_US_PER_S) "; 0: none)");

static unsigned int boost_max_us = 3000;
module_param(boost_max_us, uint, 0644);
MODULE_PARM_DESC(boost_max_us,
	"Longest run in microseconds that counts as one boost (default 3000)");

static unsigned int aside_us = 8000;
module_param(aside_us, uint, 0644);
MODULE_PARM_DESC(aside_us,
	"How long in microseconds a vCPU sleeps at most after a directed yield whose target the scheduler did not run (default 8000; 0: not)");

/* How much of a second's budget may be used at once, after a pause. */
#define BURST_NS	(100 * NSEC_PER_MSEC)

/**
 * struct yield_vm - one VM's yields
 * @calls: budget of calls
 * @boost: budget of boosted time, in us
 * @boost_us: boosted time that was charged, in us
 * @aside: which vCPUs, by index, sleep in step_aside()
 * @status: how often each status was returned
 */
struct yield_vm {
	struct pvx_budget	calls;
	struct pvx_budget	boost;
	atomic64_t		boost_us;
	DECLARE_BITMAP(aside, KVM_MAX_VCPUS);
	atomic64_t		status[PVX_YIELD_STATUSES];
};

/*
 * The target runs ahead of its turn for as long as the caller was out of the
 * way; that, bounded by one slice, is what the boost cost the others.
 */
static u32 charge(struct yield_vm *yv, u64 start, u64 end)
{
	u32 us = min_t(u64, div_u64(end - start, NSEC_PER_USEC),
		       READ_ONCE(boost_max_us));
	u32 rate = READ_ONCE(boost_us_per_s);

	atomic64_add(us, &yv->boost_us);
	if (rate)
		pvx_budget_charge(&yv->boost, end, us, rate);
	return us;
}

static bool in_budget(struct yield_vm *yv, u64 now)
{
	return pvx_budget_take(&yv->boost, now, 0, READ_ONCE(boost_us_per_s),
			       BURST_NS) &&
	       pvx_budget_take(&yv->calls, now, 1, READ_ONCE(calls_per_s),
			       BURST_NS);
}

/* A target that stepped aside itself comes back at once: it is needed. */
static bool wake_aside(struct yield_vm *yv, struct kvm_vcpu *target)
{
	return test_bit(target->vcpu_idx, yv->aside) &&
	       rcuwait_wake_up(kvm_arch_vcpu_get_wait(target));
}

/**
 * struct aside - a vCPU that sleeps in step_aside()
 * @timer: looks after its CPU meanwhile
 * @task: its task
 * @until: when it has slept long enough
 */
struct aside {
	struct hrtimer		timer;
	struct task_struct	*task;
	ktime_t			until;
};

/* For how long a CPU may be idle because a vCPU stepped aside. */
#define LOOK_NS		(2 * NSEC_PER_MSEC)

/* Context: hardirq. */
static enum hrtimer_restart look_after(struct hrtimer *timer)
{
	struct aside *aside = container_of(timer, struct aside, timer);

	if (!is_idle_task(current) && ktime_before(ktime_get(), aside->until)) {
		hrtimer_forward_now(timer, LOOK_NS);
		return HRTIMER_RESTART;
	}
	wake_up_process(aside->task);
	return HRTIMER_NORESTART;
}

/* With the task's state set, so that who wakes it is not missed. */
static void sleep_aside(u32 us)
{
	struct aside aside = {
		.task = current,
		.until = ktime_add_us(ktime_get(), us),
	};

	pvx_hrtimer_setup_on_stack(&aside.timer, look_after,
				   HRTIMER_MODE_REL_PINNED_HARD);
	hrtimer_start(&aside.timer, min_t(u64, LOOK_NS, (u64)us * NSEC_PER_USEC),
		      HRTIMER_MODE_REL_PINNED_HARD);
	schedule();
	hrtimer_cancel(&aside.timer);
	destroy_hrtimer_on_stack(&aside.timer);
}

/*
 * The scheduler may know better than to run the target at once: CFS keeps the
 * caller while the target is ahead of it in virtual run time, and EEVDF does
 * not look at buddies that are not eligible. The caller would come back, spin
 * and yield again, until it caught up. So it sleeps instead and leaves the CPU
 * to others, if there are any; it cannot do anything useful before the target
 * has run anyway. An interrupt for the vCPU wakes it as from HLT, and so does a
 * directed yield to it, or that nobody else wants the CPU.
 */
static void step_aside(struct yield_vm *yv, struct kvm_vcpu *vcpu,
		       struct kvm_vcpu *target)
{
	struct rcuwait *wait = kvm_arch_vcpu_get_wait(vcpu);
	u32 us = READ_ONCE(aside_us);

	if (!us || single_task_running())
		return;
	set_bit(vcpu->vcpu_idx, yv->aside);
	prepare_to_rcuwait(wait);
	set_current_state(TASK_INTERRUPTIBLE);
	if (READ_ONCE(target->preempted) && !kvm_request_pending(vcpu) &&
	    !signal_pending(current))
		sleep_aside(us);
	finish_rcuwait(wait);
	clear_bit(vcpu->vcpu_idx, yv->aside);
}

static enum pvx_yield_status yield_to_vcpu(struct yield_vm *yv,
					   struct kvm_vcpu *vcpu, u32 apic_id, u32 *boost_us)
{
	/* A vCPU's id is its APIC id, and the look-up stays within the VM. */
	struct kvm_vcpu *target = kvm_get_vcpu_by_id(vcpu->kvm, apic_id);
	bool far;
	u64 now;

	if (!target)
		return PVX_YIELD_UNKNOWN;
	if (target == vcpu)
		return PVX_YIELD_RUNNING;
	now = ktime_get_ns();
	if (!in_budget(yv, now))
		return PVX_YIELD_BUDGET;
	/* Behind the budget, which so bounds how often a guest has it asked. */
	target = pvx_policy_target(vcpu, target);
	if (target == vcpu)
		return PVX_YIELD_RUNNING;
	if (rcuwait_active(kvm_arch_vcpu_get_wait(target)))
		return wake_aside(yv, target) ? PVX_YIELD_WOKEN : PVX_YIELD_IDLE;
	/* It left the CPU while runnable, and has not come back since. */
	if (!READ_ONCE(target->preempted))
		return PVX_YIELD_RUNNING;
	/* It waits where it ran last, unless the scheduler moves it. */
	far = READ_ONCE(target->cpu) != vcpu->cpu;
	if (ksym(kvm_vcpu_yield_to)(target) <= 0)
		return READ_ONCE(target->preempted) ? PVX_YIELD_DECLINED :
						      PVX_YIELD_RUNNING;
	if (READ_ONCE(target->preempted))
		step_aside(yv, vcpu, target);
	*boost_us = charge(yv, now, ktime_get_ns());
	return far ? PVX_YIELD_BOOSTED_FAR : PVX_YIELD_BOOSTED;
}

static s64 yield_call(struct kvm_vcpu *vcpu, void *vm_data, const u64 a[4])
{
	struct yield_vm *yv = vm_data;
	enum pvx_yield_status status;
	u32 boost_us = 0;
	s64 err;

	if (a[0] > U32_MAX)
		return -PVX_E_ARG(0);
	err = pvx_unused_args(a, 1);
	if (err)
		return err;
	status = yield_to_vcpu(yv, vcpu, a[0], &boost_us);
	atomic64_inc(&yv->status[status]);
	trace_yielded(current->tgid, vcpu->vcpu_id, a[0], status, boost_us);
	return status;
}

static void yield_show(struct seq_file *m, void *vm_data)
{
	static const char * const names[PVX_YIELD_STATUSES] = {
		[PVX_YIELD_BOOSTED]	= "boosted",
		[PVX_YIELD_RUNNING]	= "running",
		[PVX_YIELD_IDLE]	= "idle",
		[PVX_YIELD_UNKNOWN]	= "unknown",
		[PVX_YIELD_BUDGET]	= "budget",
		[PVX_YIELD_DECLINED]	= "declined",
		[PVX_YIELD_WOKEN]	= "woken",
		[PVX_YIELD_BOOSTED_FAR]	= "boosted_far",
	};
	struct yield_vm *yv = vm_data;
	int i;

	for (i = 0; i < PVX_YIELD_STATUSES; i++)
		seq_printf(m, "yield_%s=%lld\n", names[i],
			   atomic64_read(&yv->status[i]));
	seq_printf(m, "yield_boost_us=%lld\n", atomic64_read(&yv->boost_us));
}

static struct pvx_host_feature yield_feature = {
	.api_version	= PVX_HOST_API,
	.size		= sizeof(yield_feature),
	.owner		= THIS_MODULE,
	.feature	= PVX_F_YIELD,
	.nr		= PVX_HC_YIELD,
	.vm_size	= sizeof(struct yield_vm),
	.call		= yield_call,
	.show		= yield_show,
};

static int __init pvx_host_yield_init(void)
{
	return pvx_host_register(&yield_feature);
}

static void __exit pvx_host_yield_exit(void)
{
	pvx_host_unregister(&yield_feature);
}

module_init(pvx_host_yield_init);
module_exit(pvx_host_yield_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("KVM host side of kvm-pvx: directed yield");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
