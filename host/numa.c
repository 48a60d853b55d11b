// SPDX-License-Identifier: GPL-2.0
/*
 * NUMA locality hints: vCPUs run where their memory is
 *
 * A guest says which of its vCPUs use which blocks of its memory; the host knows on which
 * node that memory is. A worker per VM joins the two once a second, see numa_decide.c. In
 * return the guest may read, in a page of its own, which of its vCPUs are on one node.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "fault.h"
#include "ksym.h"
#include "memory.h"
#include "numa_use.h"
#include "numa_vm.h"
#include "pvx_host.h"

static unsigned int uses_per_s = 20000;
module_param(uses_per_s, uint, 0644);
MODULE_PARM_DESC(uses_per_s,
	"Entries per second that a VM may send (default 20000; 0: none)");

#define BURST_NS	(500 * NSEC_PER_MSEC)
/* How often a second a VM may withdraw all. */
#define ALL_PER_S	8
/* A guest that has said nothing for so long may be another one by now. */
#define SILENT_S	600

/* What the core keeps for us of each VM. */
struct numa_data {
	struct pvx_numa_vm	*vm;
};

static struct workqueue_struct *numa_wq;

/* --- what the guest reads ----------------------------------------------------- */

/* Numbers of the nodes in the order in which they appear, of vCPUs by their APIC ids. */
static void find_nodes(const struct pvx_numa_vm *vm, struct pvx_numa_nodes *nodes)
{
	u8 number[PVX_NUMA_NODES_MAX];
	u32 i;

	memset(nodes, 0, sizeof(*nodes));
	memset(number, PVX_NUMA_NOWHERE, sizeof(number));
	memset(nodes->node, PVX_NUMA_NOWHERE, sizeof(nodes->node));
	for (i = 0; i < vm->vcpus; i++) {
		if (vm->vcpu[i].id >= PVX_NUMA_VCPUS || !vm->vcpu[i].is_known)
			continue;
		if (number[vm->now[i]] == PVX_NUMA_NOWHERE)
			number[vm->now[i]] = nodes->nodes++;
		nodes->node[vm->vcpu[i].id] = number[vm->now[i]];
	}
}

/* Only this much of it has changed, if anything. */
static u32 bytes_of(const struct pvx_numa_vm *vm)
{
	u32 i, last = 0;

	for (i = 0; i < vm->vcpus; i++)
		if (vm->vcpu[i].id < PVX_NUMA_VCPUS)
			last = max(last, vm->vcpu[i].id);
	return offsetof(struct pvx_numa_nodes, node) + last + 1;
}

/* What stands before the nodes in the guest's page. */
struct page_head {
	u32	seq;
	u32	nodes;
	u64	cookie;
};

static_assert(sizeof(struct page_head) == offsetof(struct pvx_numa_nodes, node));
static_assert(sizeof(struct pvx_numa_nodes) == PAGE_SIZE);
static_assert(sizeof(struct pvx_numa_use) == 16);

/* Perhaps half-finished, since a page may be gone just then. */
static bool is_as_we_left_it(const struct pvx_numa_vm *vm, const struct page_head *head)
{
	return head->cookie == vm->nodes.cookie && (head->seq & ~1U) == vm->nodes.seq;
}

/*
 * By the worker, which is no vCPU: KVM wants dirty pages marked by one, so this page
 * is not, and after a migration the guest may read for a minute what it had there. And
 * which must not wait for who may have taken the page away, so there are no faults.
 */
static int write_page(struct pvx_numa_vm *vm, void __user *page)
{
	const u32 odd = vm->nodes.seq + 1, even = odd + 1;
	struct page_head head;

	if (__copy_from_user_inatomic(&head, page, sizeof(head)))
		return -EAGAIN;
	if (!is_as_we_left_it(vm, &head))
		return -ESTALE;
	if (__copy_to_user_inatomic(page, &odd, sizeof(odd)))
		return -EAGAIN;
	smp_wmb();
	if (__copy_to_user_inatomic(page + sizeof(odd), (void *)&vm->nodes + sizeof(odd),
				    vm->bytes - sizeof(odd)))
		return -EAGAIN;
	smp_wmb();
	if (__copy_to_user_inatomic(page, &even, sizeof(even)))
		return -EAGAIN;
	vm->nodes.seq = even;
	return 0;
}

static void publish(struct pvx_numa_vm *vm, struct kvm *kvm, struct pvx_numa_nodes *nodes)
{
	unsigned long hva;
	int err;

	if (vm->vcpus)
		vm->bytes = bytes_of(vm);
	/* What was never said need not be taken back. */
	if (!vm->bytes)
		return;
	find_nodes(vm, nodes);
	nodes->seq = vm->nodes.seq;
	nodes->cookie = vm->nodes.cookie;
	if (!memcmp(nodes, &vm->nodes, sizeof(*nodes)))
		return;
	hva = ksym(gfn_to_hva)(kvm, vm->page >> PAGE_SHIFT);
	if (kvm_is_error_hva(hva)) {
		vm->page = 0;
		return;
	}
	vm->nodes = *nodes;
	pagefault_disable();
	err = write_page(vm, (void __user *)hva);
	pagefault_enable();
	/* It is tried again in a second, as it is never on no nodes; or is something else now. */
	if (err == -EAGAIN)
		vm->nodes.nodes = 0;
	else if (err)
		vm->page = 0;
}

/* With the VM's address space, kvm->srcu, and its lock. */
static void tell_guest(struct pvx_numa_vm *vm, struct kvm *kvm)
{
	struct pvx_numa_nodes *nodes = vm->page ? kmalloc(sizeof(*nodes), GFP_KERNEL) : NULL;

	if (nodes)
		publish(vm, kvm, nodes);
	kfree(nodes);
}

/* --- the worker ------------------------------------------------------------- */

static void look_at(struct pvx_numa_vm *vm, struct kvm *kvm)
{
	pvx_numa_decide(vm, kvm);
	tell_guest(vm, kvm);
}

/* The guest reads then that its vCPUs are nowhere, if that can be written just now. */
static void forget(struct pvx_numa_vm *vm, struct kvm *kvm)
{
	pvx_numa_forget(vm);
	tell_guest(vm, kvm);
	vm->page = 0;
}

static void forget_all(struct pvx_numa_vm *vm)
{
	mutex_lock(&vm->lock);
	pvx_numa_forget(vm);
	vm->page = 0;
	mutex_unlock(&vm->lock);
}

/* Returns whether there is something to do again. */
static bool look_at_held(struct pvx_numa_vm *vm, struct kvm *kvm)
{
	bool again;
	int srcu;

	if (!mmget_not_zero(kvm->mm)) {
		forget_all(vm);
		return false;
	}
	kthread_use_mm(kvm->mm);
	srcu = srcu_read_lock(&kvm->srcu);
	mutex_lock(&vm->lock);
	/* vCPUs may have come; then the guest is told to begin anew. */
	again = vm->shift && pvx_numa_is_set_up(vm, kvm, vm->shift) &&
		time_before(jiffies, vm->called_at + SILENT_S * HZ);
	if (again)
		look_at(vm, kvm);
	else
		forget(vm, kvm);
	mutex_unlock(&vm->lock);
	srcu_read_unlock(&kvm->srcu, srcu);
	kthread_unuse_mm(kvm->mm);
	mmput_async(kvm->mm);
	return again;
}

static void work_on(struct work_struct *work)
{
	struct pvx_numa_vm *vm = container_of(to_delayed_work(work), struct pvx_numa_vm, work);
	struct kvm *kvm = vm->kvm;

	/* Who goes from VM to VM never sleeps, for which those wait that take out hooks. */
	cond_resched_tasks_rcu_qs();
	if (!pvx_host_get_vm(kvm, PVX_F_NUMA, vm->data))
		return;
	if (look_at_held(vm, kvm))
		queue_delayed_work(numa_wq, &vm->work, HZ);
	/* This may be the last one, and then vm goes as soon as we are out of here. */
	ksym(kvm_put_kvm)(kvm);
}

/* --- the hypercall ---------------------------------------------------------- */

static void free_vm(struct pvx_numa_vm *vm)
{
	free_cpumask_var(vm->allowed);
	kvfree(vm);
}

static struct pvx_numa_vm *alloc_vm(void)
{
	struct pvx_numa_vm *vm = kvzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);

	if (!vm || zalloc_cpumask_var(&vm->allowed, GFP_KERNEL_ACCOUNT | __GFP_NOWARN))
		return vm;
	kvfree(vm);
	return NULL;
}

static struct pvx_numa_vm *make_vm(struct numa_data *data, struct kvm *kvm)
{
	struct pvx_numa_vm *vm = alloc_vm(), *other;

	if (!vm)
		return NULL;
	vm->kvm = kvm;
	vm->data = data;
	/* Who made the VM need not be the VMM's first thread; a vCPU asks for it. */
	vm->vmm = current->tgid;
	vm->anew = true;
	mutex_init(&vm->lock);
	INIT_DELAYED_WORK(&vm->work, work_on);
	other = cmpxchg(&data->vm, NULL, vm);
	if (!other)
		return vm;
	free_vm(vm);
	return other;
}

/* The first entry whose vCPU there is not, from @count on if there are all. */
static u32 first_unknown(struct kvm *kvm, const struct pvx_numa_use *uses, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++)
		if (!kvm_get_vcpu_by_id(kvm, uses[i].vcpu))
			break;
	return i;
}

static void note(struct pvx_numa_vm *vm, struct kvm *kvm, const struct pvx_numa_use *use)
{
	const u32 i = kvm_get_vcpu_by_id(kvm, use->vcpu)->vcpu_idx;

	if (i >= vm->vcpus)
		return;
	if (use->block == PVX_NUMA_GROUP)
		vm->vcpu[i].group = use->weight;
	else
		pvx_numa_weights(vm, use->block)[i] = use->weight;
}

/* Without faults, so that nobody who looks at the VM has to wait for its VMM. */
static bool read_head(struct kvm *kvm, u64 gpa, struct page_head *head)
{
	unsigned long hva = ksym(gfn_to_hva)(kvm, gpa >> PAGE_SHIFT);

	return !kvm_is_error_hva(hva) &&
	       !copy_from_user_nofault(head, (void __user *)hva, sizeof(*head));
}

/*
 * The page in which the guest reads; another one, or after a reset, that one anew. It is
 * written to in a second, since nobody is on no node.
 */
static void look_at_page(struct pvx_numa_vm *vm, struct kvm *kvm, u64 gpa)
{
	struct page_head head = { 0 };

	/* That is tried again with the next call. */
	if (gpa && !read_head(kvm, gpa, &head))
		return;
	if (vm->page == gpa && is_as_we_left_it(vm, &head))
		return;
	memset(&vm->nodes, 0, sizeof(vm->nodes));
	vm->bytes = 0;
	vm->page = head.cookie ? gpa : 0;
	vm->nodes.cookie = head.cookie;
	vm->nodes.seq = head.seq & ~1U;
}

/* Making room costs much, so it is done once a second at most. */
static s64 make_room(struct pvx_numa_vm *vm, struct kvm *kvm, u32 shift)
{
	int err;

	if (vm->set_up_at && time_before(jiffies, vm->set_up_at + HZ))
		return -PVX_E_BUSY;
	vm->set_up_at = jiffies | 1;
	err = pvx_numa_set_up(vm, kvm, shift);
	if (err == -E2BIG)
		return -PVX_E_ARG(2);
	return err ? -PVX_E_BUSY : 0;
}

/* With the VM's lock held. */
static s64 take(struct pvx_numa_vm *vm, struct kvm *kvm, const struct pvx_numa_use *uses,
		const u64 a[4])
{
	s64 err = 0;
	u32 i, wrong;

	/* Memory may come and go meanwhile: what there is room for decides. */
	if (!pvx_numa_is_set_up(vm, kvm, a[2]))
		err = make_room(vm, kvm, a[2]);
	if (err)
		return err;
	wrong = min(pvx_numa_first_wrong(uses, a[1], vm->blocks),
		    first_unknown(kvm, uses, a[1]));
	if (wrong < a[1])
		return -PVX_E_ENTRY(wrong);
	for (i = 0; i < a[1]; i++)
		note(vm, kvm, &uses[i]);
	look_at_page(vm, kvm, a[3]);
	vm->called_at = jiffies;
	queue_delayed_work(numa_wq, &vm->work, HZ);
	return xchg(&vm->anew, false) ? PVX_NUMA_AGAIN : 0;
}

static s64 withdraw(struct pvx_numa_vm *vm)
{
	if (!pvx_budget_take(&vm->withdrawals, ktime_get_ns(), 1, ALL_PER_S, BURST_NS))
		return -PVX_E_BUSY;
	forget_all(vm);
	return 0;
}

/* Here, where nobody waits for us. */
static void fault_in_page(struct kvm *kvm, u64 gpa)
{
	unsigned long hva = gpa ? ksym(gfn_to_hva)(kvm, gpa >> PAGE_SHIFT) : KVM_HVA_ERR_BAD;

	if (!kvm_is_error_hva(hva))
		pvx_memory_bring(hva, true, NULL);
}

static s64 read_and_take(struct pvx_numa_vm *vm, struct kvm *kvm, struct pvx_numa_use *uses,
			 const u64 a[4])
{
	s64 ret;

	ret = pvx_memory_read(kvm, a[0], uses, a[1] * sizeof(*uses));
	if (ret)
		return ret;
	fault_in_page(kvm, a[3]);
	mutex_lock(&vm->lock);
	ret = take(vm, kvm, uses, a);
	mutex_unlock(&vm->lock);
	return ret;
}

/* The first argument that is wrong as -PVX_E_ARG(), or 0. */
static s64 check_args(struct kvm *kvm, const u64 a[4])
{
	if (a[0] % sizeof(u64))
		return -PVX_E_ARG(0);
	if (!a[1] || a[1] > PVX_NUMA_USES_MAX)
		return -PVX_E_ARG(1);
	if (a[2] < PVX_NUMA_SHIFT_MIN || a[2] > PVX_NUMA_SHIFT_MAX)
		return -PVX_E_ARG(2);
	if (a[3] % PAGE_SIZE || (a[3] && !pvx_memory_slot(kvm, a[3] >> PAGE_SHIFT)))
		return -PVX_E_ARG(3);
	return 0;
}

static s64 numa_call(struct kvm_vcpu *vcpu, void *vm_data, const u64 a[4])
{
	struct numa_data *data = vm_data;
	struct pvx_numa_vm *vm = READ_ONCE(data->vm) ?: make_vm(data, vcpu->kvm);
	struct pvx_numa_use *uses;
	s64 ret;

	if (!vm)
		return -PVX_E_BUSY;
	atomic64_inc(&vm->calls);
	if (!a[0] && !a[1])
		return pvx_unused_args(a, 2) ?: withdraw(vm);
	ret = check_args(vcpu->kvm, a);
	if (ret)
		return ret;
	if (!pvx_budget_take(&vm->budget, ktime_get_ns(), a[1], READ_ONCE(uses_per_s), BURST_NS))
		return -PVX_E_BUSY;
	uses = kvmalloc_array(a[1], sizeof(*uses), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!uses)
		return -PVX_E_BUSY;
	ret = read_and_take(vm, vcpu->kvm, uses, a);
	kvfree(uses);
	return ret;
}

/* The VM may do something else now: if it still may do this, it begins anew. */
static int numa_changed(struct kvm *kvm, void *vm_data)
{
	struct numa_data *data = vm_data;
	struct pvx_numa_vm *vm = READ_ONCE(data->vm);

	if (!vm)
		return 0;
	mutex_lock(&vm->lock);
	pvx_numa_forget(vm);
	pvx_numa_forget_past(vm);
	mutex_unlock(&vm->lock);
	/* The worker has the VM's address space, and so can tell the guest. */
	mod_delayed_work(numa_wq, &vm->work, 0);
	return 0;
}

/* The VM makes no calls any more. */
static void numa_gone(void *vm_data)
{
	struct numa_data *data = vm_data;

	if (!data->vm)
		return;
	cancel_delayed_work_sync(&data->vm->work);
	forget_all(data->vm);
	pvx_numa_forget_past(data->vm);
	free_vm(data->vm);
}

/* --- what the operator sees ----------------------------------------------------- */

static void show_vcpu(struct seq_file *m, const struct pvx_numa_vm *vm, u32 i)
{
	u32 n;

	seq_printf(m, "numa_vcpu%u=%u %u %d %u", vm->vcpu[i].id, vm->now[i], vm->want[i],
		   !!vm->vcpu[i].bind.task, vm->vcpu[i].group);
	for (n = 0; n < vm->where.nodes; n++)
		seq_printf(m, " %llu",
			   div_u64(vm->use[(size_t)i * vm->where.nodes + n], PVX_NUMA_ALL));
	seq_putc(m, '\n');
}

/* Address and length in the VMM, the node that it would be better on, and how much. */
static void show_advice(struct seq_file *m, const struct pvx_numa_vm *vm, u32 i)
{
	const struct pvx_numa_advice *a = &vm->advice[i];

	seq_printf(m, "numa_advice%u=%#lx %llu %u %u\n", i, a->hva, 1ULL << vm->shift, a->node,
		   a->ppm / 1000);
}

/* How long the one stays that was moved most often. */
static u32 longest_hold(const struct pvx_numa_vm *vm)
{
	u32 i, longest = 0;

	for (i = 0; i < vm->vcpus; i++)
		longest = max(longest, vm->past[i].hold_s);
	return longest;
}

static void numa_show(struct seq_file *m, void *vm_data)
{
	struct numa_data *data = vm_data;
	struct pvx_numa_vm *vm = READ_ONCE(data->vm);
	u32 i;

	if (!vm)
		return;
	mutex_lock(&vm->lock);
	seq_printf(m, "numa_vmm=%d\n", vm->vmm);
	seq_printf(m, "numa_calls=%lld\n", atomic64_read(&vm->calls));
	seq_printf(m, "numa_block_bytes=%llu\n", vm->shift ? 1ULL << vm->shift : 0);
	seq_printf(m, "numa_remote_permille=%d\n", vm->shift ? vm->remote : -1);
	seq_printf(m, "numa_remote_first_permille=%d\n", vm->shift ? vm->remote_first : -1);
	seq_printf(m, "numa_decisions=%llu\n", vm->decisions);
	seq_printf(m, "numa_moves=%llu\n", vm->moves);
	seq_printf(m, "numa_overruled=%llu\n", vm->overruled);
	seq_printf(m, "numa_hold_s=%u\n", longest_hold(vm));
	for (i = 0; i < vm->vcpus; i++)
		show_vcpu(m, vm, i);
	for (i = 0; i < vm->advices; i++)
		show_advice(m, vm, i);
	mutex_unlock(&vm->lock);
}

static struct pvx_host_feature numa_feature = {
	.api_version	= PVX_HOST_API,
	.size		= sizeof(numa_feature),
	.owner		= THIS_MODULE,
	.feature	= PVX_F_NUMA,
	.nr		= PVX_HC_NUMA,
	.vm_size	= sizeof(struct numa_data),
	.call		= numa_call,
	.show		= numa_show,
	.changed	= numa_changed,
	.gone		= numa_gone,
};

static int __init pvx_host_numa_init(void)
{
	int err;

	numa_wq = alloc_workqueue("pvx_numa", WQ_UNBOUND, 0);
	if (!numa_wq)
		return -ENOMEM;
	err = pvx_numa_bind_init();
	if (err)
		goto wq;
	err = pvx_host_register(&numa_feature);
	if (!err)
		return 0;
	pvx_numa_bind_exit();
wq:
	destroy_workqueue(numa_wq);
	return err;
}

static void __exit pvx_host_numa_exit(void)
{
	pvx_host_unregister(&numa_feature);
	destroy_workqueue(numa_wq);
	pvx_numa_bind_exit();
}

module_init(pvx_host_numa_init);
module_exit(pvx_host_numa_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("KVM host side of kvm-pvx: NUMA locality hints");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
