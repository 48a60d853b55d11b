// SPDX-License-Identifier: GPL-2.0
/*
 * Interception: the kernel's functions that are hooked, and how
 *
 * All hooks stand in one table. Each is an ftrace_ops that looks at the call's
 * arguments first, so that calls which are none of ours go their stock way with
 * nothing changed but the look.
 *
 * A hypercall of ours is answered by a replacement that calls the original
 * before anything else, and speaks only where stock KVM said -KVM_ENOSYS: KVM
 * itself has then checked the privilege level and the mode, counted and traced
 * the call, and a number that upstream takes one day stays upstream's.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ftrace.h>
#include <linux/rcupdate.h>

#include "core.h"

/* A call from our own text is the replacement's, to the original. */
static __always_inline bool from_us(unsigned long parent_ip)
{
	return within_module(parent_ip, THIS_MODULE);
}

/*
 * The replacements. The original must be a call, never a jump, or from_us()
 * would not know it: the read-side section's end behind it sees to that.
 */
#ifdef PVX_HAVE___kvm_emulate_hypercall

#define HYPERCALL_FUNCTION	"__kvm_emulate_hypercall"

static notrace unsigned long
hypercall(struct kvm_vcpu *vcpu, unsigned long nr, unsigned long a0,
	  unsigned long a1, unsigned long a2, unsigned long a3, int op_64_bit,
	  int cpl)
{
	int idx = srcu_read_lock(&pvx_calls);
	unsigned long ret;

	ret = ksym(__kvm_emulate_hypercall)(vcpu, nr, a0, a1, a2, a3,
					    op_64_bit, cpl);
	if (ret == (unsigned long)-KVM_ENOSYS && op_64_bit)
		ret = pvx_dispatch(vcpu, nr, (u64[]){ a0, a1, a2, a3 });
	srcu_read_unlock(&pvx_calls, idx);
	return ret;
}

static __always_inline unsigned long hypercall_nr(struct pt_regs *regs)
{
	return regs->si;
}

#else

#define HYPERCALL_FUNCTION	"kvm_emulate_hypercall"

static notrace int hypercall(struct kvm_vcpu *vcpu)
{
	unsigned long *regs = vcpu->arch.regs;
	const u64 a[4] = {
		regs[VCPU_REGS_RBX], regs[VCPU_REGS_RCX],
		regs[VCPU_REGS_RDX], regs[VCPU_REGS_RSI],
	};
	unsigned long nr = regs[VCPU_REGS_RAX];
	int idx = srcu_read_lock(&pvx_calls);
	int ret = ksym(kvm_emulate_hypercall)(vcpu);

	/* A 32-bit caller's -KVM_ENOSYS is cut to 32 bits, so differs. */
	if (regs[VCPU_REGS_RAX] == (unsigned long)-KVM_ENOSYS)
		regs[VCPU_REGS_RAX] = pvx_dispatch(vcpu, nr, a);
	srcu_read_unlock(&pvx_calls, idx);
	return ret;
}

static __always_inline unsigned long hypercall_nr(struct pt_regs *regs)
{
	struct kvm_vcpu *vcpu = (struct kvm_vcpu *)regs->di;

	return vcpu->arch.regs[VCPU_REGS_RAX];
}

#endif

static notrace void on_hypercall(unsigned long ip, unsigned long parent_ip,
				 struct ftrace_ops *ops,
				 struct ftrace_regs *fregs)
{
	struct pt_regs *regs = pvx_fregs(fregs);

	if (likely(!pvx_is_ours(hypercall_nr(regs))) || from_us(parent_ip))
		return;
	regs->ip = (unsigned long)hypercall;
}

static notrace void on_destroy_vm(unsigned long ip, unsigned long parent_ip,
				  struct ftrace_ops *ops,
				  struct ftrace_regs *fregs)
{
	pvx_vm_destroyed((struct kvm *)pvx_fregs(fregs)->di);
}

#if !PVX_AFFINITY_IS_KEPT
atomic64_t pvx_affinity_sets[1 << PVX_AFFINITY_BITS];
EXPORT_SYMBOL_GPL(pvx_affinity_sets);

/* Noted when the call begins: who sees another mask finds it noted. */

static notrace void on_setaffinity(unsigned long ip, unsigned long parent_ip,
				   struct ftrace_ops *ops,
				   struct ftrace_regs *fregs)
{
	const struct task_struct *task = (struct task_struct *)pvx_fregs(fregs)->di;
	const struct cpumask *mask = (struct cpumask *)pvx_fregs(fregs)->si;
	const u32 covers = cpumask_subset(&task->cpus_mask, mask);
	atomic64_t *set = pvx_affinity_of(task);
	s64 old = atomic64_read(set);

	while (!atomic64_try_cmpxchg(set, &old, (u64)task->pid << 32 |
				     (((u32)old + 2) & ~1U) | covers))
		;
}
#endif

/**
 * struct hook - one intercepted function
 * @function: its name
 * @missing: what cannot be done without it, for the message when it is missing
 * @is_optional: the rest can be done without it
 * @is_hooked: it is
 * @ops: how it is hooked
 */
struct hook {
	const char		*function;
	const char		*missing;
	bool			is_optional;
	bool			is_hooked;
	struct ftrace_ops	ops;
};

/*
 * The first two are needed: without one, contexts would outlive their VMs, and
 * without the other there are no hypercalls.
 */
static struct hook hooks[] = {
	{
		.function = "kvm_arch_destroy_vm",
		.missing = "cannot see VMs end",
		.ops = {
			.func = on_destroy_vm,
			.flags = FTRACE_OPS_FL_PERMANENT,
		},
	}, {
		.function = HYPERCALL_FUNCTION,
		.missing = "cannot answer hypercalls",
		.ops = {
			.func = on_hypercall,
			.flags = FTRACE_OPS_FL_PERMANENT |
				 FTRACE_OPS_FL_IPMODIFY,
		},
	},
#if !PVX_AFFINITY_IS_KEPT
	{
		.function = "__sched_setaffinity",
		.missing = "cannot see who sets the affinity that was set already",
		.is_optional = true,
		.ops = {
			.func = on_setaffinity,
			.flags = FTRACE_OPS_FL_PERMANENT,
		},
	},
#endif
};

static void unhook(struct hook *hook)
{
	if (!hook->is_hooked)
		return;
	hook->is_hooked = false;
	unregister_ftrace_function(&hook->ops);
	ftrace_free_filter(&hook->ops);
}

static int hook(struct hook *hook)
{
	int err;

	err = ftrace_set_filter(&hook->ops, (unsigned char *)hook->function,
				strlen(hook->function), 1);
	if (!err)
		err = register_ftrace_function(&hook->ops);
	hook->is_hooked = !err;
	if (!err)
		return 0;
	if (err == -EBUSY)
		pr_err("%s: %s() is hooked by somebody else, or kernel.ftrace_enabled is 0\n",
		       hook->missing, hook->function);
	else
		pr_err("%s: no traceable %s() in this kernel (%d)\n",
		       hook->missing, hook->function, err);
	ftrace_free_filter(&hook->ops);
	return err;
}

int pvx_hook_init(void)
{
	int i, err;

	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		err = hook(&hooks[i]);
		if (err && !hooks[i].is_optional)
			goto undo;
	}
	return 0;

undo:
	while (i--)
		unhook(&hooks[i]);
	return err;
}

/*
 * When it returns, no CPU and no sleeping task is inside a replacement.
 *
 * A task in a replacement is either inside pvx_calls, or in the few
 * instructions before or after, where it does not sleep; those RCU-tasks
 * waits for. Unhooking waited for RCU-tasks once, so whoever was on the way in
 * is inside by now; a second time it is for those on the way out.
 */
void pvx_hook_exit(void)
{
	int i = ARRAY_SIZE(hooks);

	while (i--)
		unhook(&hooks[i]);
	synchronize_srcu(&pvx_calls);
	synchronize_rcu_tasks();
}
