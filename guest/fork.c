// SPDX-License-Identifier: GPL-2.0
/*
 * Batched fork-copy: after a fork, one of the two processes gets its own memory
 *
 * Parent and child share their pages after a fork, and each first write to one traps,
 * gets a page and copies. Here one of them is given copies of all at once, in
 * batches which the host copies in one exit, and the other may write to what it has
 * alone then. Only for processes that asked for it, see fork_dev.c.
 *
 * A hook before wake_up_new_task() knows both, and the child does not run yet. Modes:
 * eager, in which the child waits until all is done; and background, in which a
 * worker does it while both run.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/ftrace.h>
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>
#include <linux/sort.h>
#include <linux/static_call.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "fork.h"
#include "fork_mm.h"
#include "ksym.h"
#include "pvx_guest.h"

static bool copy_here = true;
module_param(copy_here, bool, 0644);
MODULE_PARM_DESC(copy_here,
	"Copy in the guest what the host does not (default Y; N: that is left to copy-on-write)");

/**
 * struct job - the memory of two processes that is to be told apart
 * @work: where it is done in the background
 * @taker: memory of the one that gets copies
 * @other: and of the other one
 * @at: the address that is next
 * @count: pages of the batch
 * @pages: the batch
 * @pairs: the same for the host
 */
struct job {
	struct work_struct	work;
	struct mm_struct	*taker;
	struct mm_struct	*other;
	unsigned long		at;
	u32			count;
	struct pvx_fork_page	pages[PVX_FORK_PAIRS_MAX];
	struct pvx_fork_pair	*pairs;
};

static struct workqueue_struct *fork_wq;
static struct pvx_fork_stats stats;

/* Jobs and replacements of wake_up_new_task() that are under way. */
static atomic_t under_way;
static bool ending;

/* --- a batch --------------------------------------------------------------- */

static int compare_targets(const void *a, const void *b)
{
	u64 x = ((const struct pvx_fork_pair *)a)->target;
	u64 y = ((const struct pvx_fork_pair *)b)->target;

	return x < y ? -1 : x > y;
}

static void list_pairs(struct job *job)
{
	u32 i;

	for (i = 0; i < job->count; i++) {
		job->pairs[i].source = page_to_pfn(job->pages[i].old);
		job->pairs[i].target = page_to_pfn(job->pages[i].new);
	}
	/* The host wants targets to ascend. */
	sort(job->pairs, job->count, sizeof(*job->pairs), compare_targets, NULL);
}

/* How many of the pairs, from the first on, the host has copied. */
static u32 copied_by_host(struct job *job)
{
	u32 done = 0;
	s64 ret;

	while (done < job->count && pvx_guest_has(PVX_F_FORK)) {
		ret = pvx_guest_call(PVX_F_FORK, PVX_HC_FORK,
				     virt_to_phys(job->pairs + done), job->count - done,
				     0, 0);
		atomic64_inc(&stats.calls);
		if (ret <= 0)
			break;
		done += ret;
	}
	atomic64_add(done, &stats.by_host);
	return done;
}

/* False if something of the batch was not copied. */
static bool copy_batch(struct job *job)
{
	u32 done;

	list_pairs(job);
	done = copied_by_host(job);
	if (done < job->count && !READ_ONCE(copy_here))
		return false;
	for (; done < job->count; done++) {
		copy_highpage(pfn_to_page(job->pairs[done].target),
			      pfn_to_page(job->pairs[done].source));
		atomic64_inc(&stats.by_guest);
		cond_resched();
	}
	return true;
}

/* With the taker's mmap lock held. True if there may be more. */
static bool take_batch(struct job *job)
{
	u32 found = 0;

	job->at = pvx_fork_collect(job->taker, job->at, job->pages, PVX_FORK_PAIRS_MAX,
				   &found);
	job->count = pvx_fork_allocate(job->taker, job->pages, found);
	if (job->count < found) {
		atomic64_inc(&stats.no_memory);
		pvx_fork_put(job->pages + job->count, found - job->count);
		job->at = 0;
	}
	if (!copy_batch(job)) {
		pvx_fork_put(job->pages, job->count);
		job->count = 0;
		job->at = 0;
	}
	atomic64_add(pvx_fork_install(job->taker, job->pages, job->count),
		     &stats.privatised);
	return job->at;
}

/* True if there may be more. */
static bool do_batch(struct job *job)
{
	bool more;

	mmap_read_lock(job->taker);
	more = take_batch(job);
	mmap_read_unlock(job->taker);
	mmap_read_lock(job->other);
	atomic64_add(pvx_fork_own(job->other, job->pages, job->count), &stats.owned);
	mmap_read_unlock(job->other);
	pvx_fork_put(job->pages, job->count);
	return more;
}

/* --- a job ----------------------------------------------------------------- */

/* Nobody but us is left in one of them. */
static bool is_over(const struct job *job)
{
	return atomic_read(&job->taker->mm_users) == 1 ||
	       atomic_read(&job->other->mm_users) == 1;
}

static void do_job(struct job *job)
{
	while (!READ_ONCE(ending) && !is_over(job) && do_batch(job))
		cond_resched();
}

static void end_job(struct job *job)
{
	mmput(job->taker);
	mmput(job->other);
	free_pages_exact(job->pairs, PVX_FORK_PAIRS_MAX * sizeof(*job->pairs));
	kvfree(job);
	atomic_dec(&under_way);
}

static void work_on(struct work_struct *work)
{
	struct job *job = container_of(work, struct job, work);

	do_job(job);
	end_job(job);
}

static struct job *begin_job(struct mm_struct *taker, struct mm_struct *other)
{
	struct job *job = kvzalloc(sizeof(*job), GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);

	if (!job)
		return NULL;
	job->pairs = alloc_pages_exact(PVX_FORK_PAIRS_MAX * sizeof(*job->pairs),
				       GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
	if (!job->pairs) {
		kvfree(job);
		return NULL;
	}
	INIT_WORK(&job->work, work_on);
	mmget(taker);
	mmget(other);
	job->taker = taker;
	job->other = other;
	atomic_inc(&under_way);
	return job;
}

/* The child does not run yet. */
static void on_fork(const struct pvx_fork_setting *setting, struct mm_struct *parent,
		    struct mm_struct *child)
{
	bool to_child = setting->side == PVX_FORK_CHILD;
	struct job *job = begin_job(to_child ? child : parent, to_child ? parent : child);

	if (!job) {
		atomic64_inc(&stats.no_memory);
		return;
	}
	atomic64_inc(&stats.forks);
	if (setting->mode == PVX_FORK_BACKGROUND) {
		queue_work(fork_wq, &job->work);
		return;
	}
	do_job(job);
	end_job(job);
}

/* --- the hook -------------------------------------------------------------- */

static void wake_nothing(struct task_struct *task)
{
}

DEFINE_STATIC_CALL(pvx_wake_up_new_task, wake_nothing);

/* Runs instead of wake_up_new_task(), in kernel_clone(). */
static noinline void tell_apart_and_wake(struct task_struct *task)
{
	struct pvx_fork_setting setting;

	if (pvx_fork_inherit(task, &setting) &&
	    get_mm_counter(task->mm, MM_ANONPAGES) >= setting.least_pages)
		on_fork(&setting, current->mm, task->mm);
	static_call(pvx_wake_up_new_task)(task);
	/* Not the last thing done here: that would be a jump, see on_new_task(). */
	atomic_dec(&under_way);
}

/* A process with memory of its own, whose parent asked for it. */
static bool is_wanted(const struct task_struct *task)
{
	return task->mm && current->mm && task->mm != current->mm &&
	       pvx_fork_is_set(current);
}

static void on_new_task(unsigned long ip, unsigned long parent_ip,
			struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct task_struct *task = (struct task_struct *)pvx_fregs(fregs)->di;

	if (within_module(parent_ip, THIS_MODULE) || !is_wanted(task))
		return;
	atomic_inc(&under_way);
	pvx_set_ip(fregs, (unsigned long)tell_apart_and_wake);
}

static struct pvx_hook hooks[] = {
	PVX_HOOK("wake_up_new_task", on_new_task, FTRACE_OPS_FL_IPMODIFY,
		 "cannot see forks"),
};

static int find_wake(void)
{
	unsigned long address = pvx_ksym_find("wake_up_new_task");

	if (!address)
		return -ENOENT;
	static_call_update(pvx_wake_up_new_task, (typeof(&wake_nothing))address);
	return 0;
}

/* Nobody enters any more; who is inside comes out soon. */
static void wait_for_all(void)
{
	while (atomic_read(&under_way))
		schedule_timeout_uninterruptible(1);
	/* The last instructions behind that. */
	synchronize_rcu_tasks();
}

/* --- the module ------------------------------------------------------------ */

static int fork_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "forks=%lld\n", atomic64_read(&stats.forks));
	seq_printf(m, "privatised=%lld\n", atomic64_read(&stats.privatised));
	seq_printf(m, "owned=%lld\n", atomic64_read(&stats.owned));
	seq_printf(m, "by_host=%lld\n", atomic64_read(&stats.by_host));
	seq_printf(m, "by_guest=%lld\n", atomic64_read(&stats.by_guest));
	seq_printf(m, "calls=%lld\n", atomic64_read(&stats.calls));
	seq_printf(m, "no_memory=%lld\n", atomic64_read(&stats.no_memory));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(fork);

static struct dentry *file;

static int __init pvx_guest_fork_init(void)
{
	int err;

	err = pvx_fork_mm_init() ?: find_wake();
	if (err)
		return err;
	fork_wq = alloc_workqueue("pvx_fork", WQ_UNBOUND, 0);
	if (!fork_wq)
		return -ENOMEM;
	err = pvx_fork_dev_init();
	if (err)
		goto wq;
	err = pvx_hooks_install(hooks, ARRAY_SIZE(hooks));
	if (err)
		goto dev;
	file = debugfs_create_file("fork", 0444, pvx_guest_debugfs, NULL, &fork_fops);
	return 0;

dev:
	pvx_fork_dev_exit();
wq:
	destroy_workqueue(fork_wq);
	return err;
}

static void __exit pvx_guest_fork_exit(void)
{
	debugfs_remove(file);
	WRITE_ONCE(ending, true);
	pvx_hooks_remove(hooks, ARRAY_SIZE(hooks));
	wait_for_all();
	destroy_workqueue(fork_wq);
	pvx_fork_dev_exit();
}

module_init(pvx_guest_fork_init);
module_exit(pvx_guest_fork_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("KVM guest side of kvm-pvx: batched fork-copy");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
