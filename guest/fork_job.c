// SPDX-License-Identifier: GPL-2.0
/*
 * Telling the memory of two processes apart, batch by batch
 *
 * One of them, the taker, gets copies of what both share, and the other may write to what
 * it has alone then. A batch is found and allocated, copied by the host in one exit, or
 * here where the host does not, and put in place. Nothing is forced: what changes
 * meanwhile stays as it is, and when memory gets scarce, or one of the processes has no
 * more use for its memory, the rest is left to copy-on-write.
 */
#include <linux/completion.h>
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/coredump.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sort.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "fault.h"
#include "fork_job.h"
#include "fork_mm.h"
#include "fork_order.h"
#include "fork_pages.h"
#include "fork_room.h"
#include "ksym.h"
#include "pvx_guest.h"
#include "trace.h"

static bool copy_here = true;
module_param(copy_here, bool, 0644);
MODULE_PARM_DESC(copy_here,
	"Copy in the guest what the host does not (default Y; N: that is left to copy-on-write)");

static unsigned int workers = 2;
module_param(workers, uint, 0644);
MODULE_PARM_DESC(workers,
	"Threads that copy before an eager fork returns, at most 16 and one per CPU (default 2)");

static int set_nice(const char *value, const struct kernel_param *param)
{
	return param_set_uint_minmax(value, param, 0, MAX_NICE);
}

static const struct kernel_param_ops nice_ops = {
	.set = set_nice,
	.get = param_get_uint,
};

static unsigned int nice = 10;
module_param_cb(nice, &nice_ops, &nice, 0644);
MODULE_PARM_DESC(nice,
	"Nice value of who copies in the background, 0 to 19 (default 10: mostly CPU time that nobody else wants)");

#define WORKERS_MAX	16
/* A thread that has less to do is not worth while. */
#define PAGES_PER_WORKER	2048
/* Pieces of a batch: so long the address space can be read only. */
#define PIECES_OF_BATCH	32
/* Forks of a process whose pages are copied in the background, or wait for that, at a time. */
#define RUNNING_MAX	2
/*
 * And of all, before 6.9 on a node, since that takes CPU time that nobody is charged for. As
 * many shares of eager forks; who forks does the others.
 */
#define JOBS_MAX	4
/* ns that a batch may wait for others who change the address space. */
#define PATIENCE	NSEC_PER_SEC
#define PAIRS_BYTES	(PVX_FORK_PAIRS_MAX * sizeof(struct pvx_fork_pair))

/**
 * struct job - what one thread does after a fork
 * @work: where it is done by a worker; with a delay only in the background
 * @done: it was, for who waits for it
 * @process: who forked
 * @taker: memory of the one that gets copies, and
 * @other: of the other one; their tables are theirs as long as they live
 * @parent: one of these
 * @forker: who waits for it, or NULL
 * @child: in that case, who does not run yet
 * @order: what comes next
 * @pool: where new pages come from
 * @node: on which node the last batch was
 * @patience: ns that may still be waited for locks
 * @took: how many the taker got of this fork's jobs, a number that they share
 * @took_first: that number, of the first one of them
 * @count: pages of the batch
 * @pages: the batch
 * @pairs: the same for the host
 */
struct job {
	struct delayed_work	work;
	struct completion	done;
	struct pvx_fork_process	*process;
	struct mm_struct	*taker;
	struct mm_struct	*other;
	struct mm_struct	*parent;
	struct task_struct	*forker;
	struct task_struct	*child;
	struct pvx_fork_order	order;
	struct pvx_fork_pages	pool;
	int			node;
	u64			patience;
	atomic64_t		*took;
	atomic64_t		took_first;
	u32			count;
	struct pvx_fork_page	pages[PVX_FORK_PAIRS_MAX];
	struct pvx_fork_pair	*pairs;
};

/* Eager jobs' shares, for which a fork waits; and what is done in the background. */
static struct workqueue_struct *fork_wq, *background_wq;
static atomic64_t counters[PVX_FORK_COUNTERS];
static bool stopping;
/* Jobs in the background; destroy_workqueue() does not know of those that wait for their tick. */
static atomic_t in_background;

static void count(struct pvx_fork_process *process, enum pvx_fork_counter which, u64 n)
{
	atomic64_add(n, &process->counters[which]);
	atomic64_add(n, &counters[which]);
}

/* Of all processes. */
u64 pvx_fork_job_count(enum pvx_fork_counter which)
{
	return atomic64_read(&counters[which]);
}

/* --- copying a batch ------------------------------------------------------- */

static int compare_targets(const void *a, const void *b)
{
	u64 x = ((const struct pvx_fork_pair *)a)->target;
	u64 y = ((const struct pvx_fork_pair *)b)->target;

	return x < y ? -1 : x > y;
}

/* The host wants targets to ascend, which they do where memory is in large pieces. */
static void list_pairs(struct job *job)
{
	bool ascending = true;
	u32 i;

	for (i = 0; i < job->count; i++) {
		job->pairs[i].source = page_to_pfn(job->pages[i].old);
		job->pairs[i].target = page_to_pfn(job->pages[i].new);
		ascending &= !i || job->pairs[i].target > job->pairs[i - 1].target;
	}
	if (!ascending)
		sort(job->pairs, job->count, sizeof(*job->pairs), compare_targets, NULL);
}

/* How many of the pairs, from the first on, the host has copied. */
static u32 copied_by_host(struct job *job)
{
	u32 done = 0, calls = 0;
	s64 ret;

	while (done < job->count && pvx_guest_has(PVX_F_FORK)) {
		ret = pvx_guest_call(PVX_F_FORK, PVX_HC_FORK,
				     virt_to_phys(job->pairs + done), job->count - done,
				     0, 0);
		calls++;
		/* Whatever the host says, what it did not copy is seen by nobody. */
		if (ret <= 0 || ret > job->count - done)
			break;
		done += ret;
	}
	count(job->process, PVX_FORK_CALLS, calls);
	count(job->process, PVX_FORK_BY_HOST, done);
	return done;
}

/* False if something of the batch was not copied. */
static bool copy_batch(struct job *job)
{
	u32 i, done;

	list_pairs(job);
	done = copied_by_host(job);
	if (done < job->count && !READ_ONCE(copy_here))
		return false;
	for (i = done; i < job->count; i++) {
		/* Memory with an error is read by nobody who need not. */
		if (copy_mc_to_kernel(pfn_to_kaddr(job->pairs[i].target),
				      pfn_to_kaddr(job->pairs[i].source), PAGE_SIZE))
			return false;
		cond_resched();
	}
	count(job->process, PVX_FORK_BY_GUEST, job->count - done);
	return true;
}

/* --- a batch --------------------------------------------------------------- */

static u32 collect(struct job *job)
{
	struct pvx_fork_order *order = &job->order;
	struct pvx_fork_piece *piece;
	u32 found = 0, n;

	for (n = 0; n < PIECES_OF_BATCH && found < PVX_FORK_PAIRS_MAX; n++) {
		if (pvx_fork_order_is_empty(order))
			break;
		piece = &order->pieces[order->next];
		piece->from = pvx_fork_collect(job->taker, piece->from, piece->end,
					       job->pages, PVX_FORK_PAIRS_MAX, &found);
		if (piece->from >= piece->end)
			order->next++;
		cond_resched();
	}
	return found;
}

static u32 allocate(struct job *job, u32 count)
{
	if (!pvx_fork_has_room(job->taker, job->node, atomic64_read(job->took), count))
		return 0;
	return pvx_fork_allocate(job->taker, &job->pool, job->pages, count);
}

/* With the taker's mmap lock held. False if there is no sense in going on. */
static bool take_batch(struct job *job)
{
	u32 found = collect(job), installed;
	bool copied;
	u64 begin;

	if (found)
		job->node = page_to_nid(job->pages[0].old);
	job->count = allocate(job, found);
	if (job->count < found) {
		count(job->process, PVX_FORK_NO_MEMORY, 1);
		pvx_fork_put(job->pages + job->count, found - job->count);
	}
	begin = ktime_get_ns();
	copied = copy_batch(job);
	count(job->process, PVX_FORK_COPY_NS, ktime_get_ns() - begin);
	if (!copied) {
		pvx_fork_put(job->pages, job->count);
		job->count = 0;
	}
	installed = pvx_fork_install(job->taker, job->pages, job->count);
	atomic64_add(installed, job->took);
	count(job->process, PVX_FORK_PRIVATISED, installed);
	count(job->process, PVX_FORK_CHANGED, job->count - installed);
	return copied && job->count == found;
}

/* With the other's mmap lock held. */
static void own_batch(struct job *job)
{
	count(job->process, PVX_FORK_OWNED, pvx_fork_own(job->other, job->pages, job->count));
}

/* Who forked is killed, or we are to be unloaded. */
static bool is_unwanted(const struct job *job)
{
	return READ_ONCE(stopping) ||
	       (job->forker && (fatal_signal_pending(job->forker) ||
				fatal_signal_pending(job->child)));
}

/* Those that are next, if there are any that the other one can own. */
static bool list_pieces(struct job *job)
{
	struct pvx_fork_order *order = &job->order;

	do {
		if (is_unwanted(job) || !pvx_fork_lock(job->taker, &job->patience))
			return false;
		pvx_fork_order_list(order, job->taker);
		mmap_read_unlock(job->taker);
		if (!pvx_fork_order_leave(order, job->other, &job->patience))
			return false;
	} while (!order->count && !order->ended);
	return order->count;
}

/* False if nothing is left to do. */
static bool prepare_order(struct job *job)
{
	if (pvx_fork_order_is_empty(&job->order) && !list_pieces(job))
		return false;
	if (job->forker || !pvx_fork_order_is_old(&job->order))
		return true;
	return pvx_fork_order_look(&job->order, job->parent, &job->patience);
}

/* With both processes' memory held. */
static bool do_batch(struct job *job)
{
	bool more;

	/* Who waits for all of it has no more patience for all than for one batch. */
	if (!job->forker)
		job->patience = PATIENCE;
	if (!prepare_order(job) || !pvx_fork_lock(job->taker, &job->patience))
		return false;
	more = take_batch(job);
	mmap_read_unlock(job->taker);
	if (pvx_fork_lock(job->other, &job->patience)) {
		own_batch(job);
		mmap_read_unlock(job->other);
	} else {
		more = false;
	}
	pvx_fork_put(job->pages, job->count);
	return more;
}

/* --- a job ----------------------------------------------------------------- */

static work_func_t put_at_last;

/*
 * As mmput_async(), but not where it keeps all other work of a CPU waiting: the last one takes
 * down all of an address space.
 */
static void put(struct mm_struct *mm)
{
	/* Lockdep's note of such work would be in this module, which may be gone by then. */
	if (IS_ENABLED(CONFIG_LOCKDEP)) {
		mmput_async(mm);
		return;
	}
	if (!atomic_dec_and_test(&mm->mm_users))
		return;
	INIT_WORK(&mm->async_put_work, put_at_last);
	queue_work(system_unbound_wq, &mm->async_put_work);
}

/* Is there a process that is not being killed, and is the OOM killer not at it? */
static bool is_of_use(struct mm_struct *mm)
{
	struct task_struct *owner;
	bool is;

	rcu_read_lock();
	owner = rcu_dereference(mm->owner);
	is = owner && !fatal_signal_pending(owner);
	rcu_read_unlock();
	return is && !test_bit(MMF_UNSTABLE, &mm->flags);
}

/* False if no process has it any more but jobs like ours, or none will for long. */
static bool hold(struct mm_struct *mm)
{
	if (!mmget_not_zero(mm))
		return false;
	if (is_of_use(mm))
		return true;
	put(mm);
	return false;
}

static bool has_free_pages(struct job *job)
{
	if (pvx_fork_pages_wait(&job->pool, job->node))
		return true;
	count(job->process, PVX_FORK_NO_MEMORY, 1);
	return false;
}

/*
 * Memory is held for one batch only, so that who exits has it freed soon. Not by us, who could
 * have to wait for user space then, as for a file system in it.
 */
static bool step(struct job *job)
{
	bool more = false;

	if (is_unwanted(job) || !has_free_pages(job) || !hold(job->taker))
		return false;
	if (hold(job->other)) {
		more = do_batch(job);
		put(job->other);
	}
	put(job->taker);
	return more;
}

static void do_job(struct job *job)
{
	const u64 begin = ktime_get_ns();

	/* For who removes a hook we sleep, too, which a long job would not do otherwise. */
	while (step(job))
		cond_resched_tasks_rcu_qs();
	pvx_fork_pages_drain(&job->pool);
	count(job->process, PVX_FORK_NS, ktime_get_ns() - begin);
	count(job->process, PVX_FORK_THREADS, 1);
}

static void free_job(struct job *job)
{
	trace_fork_done(pid_nr(job->process->pid),
			atomic64_read(&job->process->counters[PVX_FORK_PRIVATISED]));
	mmdrop(job->taker);
	mmdrop(job->other);
	pvx_fork_process_put(job->process);
	free_pages_exact(job->pairs, PAIRS_BYTES);
	vfree(job);
}

static void work_alone(struct work_struct *work)
{
	struct job *job = container_of(to_delayed_work(work), struct job, work);
	const int usual = task_nice(current);

	set_user_nice(current, READ_ONCE(nice));
	do_job(job);
	/* The worker is lent to us only. */
	set_user_nice(current, usual);
	atomic_dec(&job->process->running);
	free_job(job);
	atomic_dec(&in_background);
}

static void work_in_share(struct work_struct *work)
{
	struct job *job = container_of(to_delayed_work(work), struct job, work);

	do_job(job);
	complete(&job->done);
}

/*
 * What nobody has begun yet is done here: workers may be busy with others' jobs. @first is who
 * forks' own share: who has waited in that has less patience for this.
 */
static void end_share(struct job *job, struct job *first)
{
	if (cancel_delayed_work(&job->work)) {
		job->patience = first->patience;
		do_job(job);
		first->patience = job->patience;
		return;
	}
	/* Of a large process it may take longer than a task is to sleep without a sign of life. */
	while (!wait_for_completion_timeout(&job->done, 10 * HZ))
		;
	/* And not a moment longer than the worker uses it. */
	cancel_delayed_work_sync(&job->work);
}

static struct job *make_job(struct pvx_fork_process *process, enum pvx_fork_side side,
			    struct mm_struct *parent, struct mm_struct *child)
{
	const gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_NORETRY | __GFP_NOWARN;
	const bool to_child = side == PVX_FORK_CHILD;
	/* Never in one piece, for which memory would be compacted before fork returns. */
	struct job *job = __vmalloc(sizeof(*job), gfp | __GFP_ZERO);

	if (!job)
		return NULL;
	job->pairs = alloc_pages_exact(PAIRS_BYTES, gfp);
	if (!job->pairs) {
		vfree(job);
		return NULL;
	}
	job->parent = parent;
	job->taker = to_child ? child : parent;
	job->other = to_child ? parent : child;
	mmgrab(job->taker);
	mmgrab(job->other);
	refcount_inc(&process->refs);
	job->process = process;
	job->order.of = 1;
	job->node = numa_mem_id();
	job->took = &job->took_first;
	job->patience = PATIENCE;
	return job;
}

static void do_in_background(struct job *job)
{
	INIT_DELAYED_WORK(&job->work, work_alone);
	atomic_inc(&in_background);
	/* A tick, in which fork returns to whoever waits for it. */
	queue_delayed_work(background_wq, &job->work, 1);
}

/* Each of several threads has its share of the memory. */
static void do_eagerly(struct job **jobs, u32 n, struct task_struct *child)
{
	u32 i;

	for (i = 0; i < n; i++) {
		jobs[i]->forker = current;
		jobs[i]->child = child;
		jobs[i]->order.share = i;
		jobs[i]->order.of = n;
		jobs[i]->took = &jobs[0]->took_first;
	}
	for (i = 1; i < n; i++) {
		INIT_DELAYED_WORK(&jobs[i]->work, work_in_share);
		init_completion(&jobs[i]->done);
		queue_delayed_work(fork_wq, &jobs[i]->work, 0);
	}
	do_job(jobs[0]);
	for (i = 1; i < n; i++)
		end_share(jobs[i], jobs[0]);
	for (i = 0; i < n; i++)
		free_job(jobs[i]);
}

static u32 workers_for(u64 pages)
{
	u64 most = min3(READ_ONCE(workers), num_online_cpus(), (unsigned int)WORKERS_MAX);

	return clamp_t(u64, pages / PAGES_PER_WORKER, 1, max_t(u64, most, 1));
}

/* Return: how many there are; fewer than wanted when memory runs short. */
static u32 make_jobs(struct job **jobs, u32 wanted, struct pvx_fork_process *process,
		     enum pvx_fork_side side, struct mm_struct *child)
{
	u32 n;

	for (n = 0; n < wanted; n++) {
		jobs[n] = make_job(process, side, current->mm, child);
		if (!jobs[n])
			break;
	}
	count(process, n ? PVX_FORK_FORKS : PVX_FORK_NO_MEMORY, 1);
	return n;
}

/**
 * pvx_fork_privatise() - tell the memory of two processes apart
 * @process: who forked, current
 * @setting: as it was then; not PVX_FORK_OFF
 * @child: its child, which does not run yet
 * @pages: about how many pages they share
 *
 * Context: process context, may sleep; in the eager mode until all is done.
 */
void pvx_fork_privatise(struct pvx_fork_process *process, const struct pvx_fork_setting *setting,
			struct task_struct *child, u64 pages)
{
	const bool eager = setting->mode == PVX_FORK_EAGER;
	struct job *jobs[WORKERS_MAX];
	int err = -EBUSY;
	u32 n = 0;

	/* Counted first, since threads may fork at once. */
	if (atomic_inc_return(&process->running) <= RUNNING_MAX || eager) {
		n = make_jobs(jobs, eager ? workers_for(pages) : 1, process, setting->side,
			      child->mm);
		err = n ? 0 : -ENOMEM;
	}
	trace_fork_begun(pid_nr(process->pid), setting->mode, setting->side, pages, n, err);
	if (n && !eager) {
		/* It is running until its end. */
		do_in_background(jobs[0]);
		return;
	}
	if (n)
		do_eagerly(jobs, n, child);
	atomic_dec(&process->running);
}

/* --- beginning and end ----------------------------------------------------- */

static void destroy_queues(void)
{
	if (background_wq)
		destroy_workqueue(background_wq);
	if (fork_wq)
		destroy_workqueue(fork_wq);
}

/* Process context. Return: 0, -ENOENT or -ENOMEM. */
int pvx_fork_job_init(void)
{
	put_at_last = (work_func_t)pvx_ksym_find("mmput_async_fn");
	if (!put_at_last)
		return -ENOENT;
	fork_wq = alloc_workqueue("pvx_fork", WQ_UNBOUND, JOBS_MAX);
	background_wq = alloc_workqueue("pvx_fork_background", WQ_UNBOUND, JOBS_MAX);
	if (fork_wq && background_wq)
		return 0;
	destroy_queues();
	return -ENOMEM;
}

/* From now on what is under way ends after its batch. */
void pvx_fork_job_stop(void)
{
	WRITE_ONCE(stopping, true);
}

/* When nobody forks through us any more. */
void pvx_fork_job_exit(void)
{
	while (atomic_read(&in_background))
		schedule_timeout_uninterruptible(1);
	destroy_queues();
}
