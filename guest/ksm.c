// SPDX-License-Identifier: GPL-2.0
/*
 * Candidates for the host's KSM
 *
 * A thread looks at all pages in rounds, mapped files first, and tells the host
 * which ones are likely to be in other guests, too, with a hash of what they
 * hold. The host makes mergeable what a peer announced as well. It compares the
 * bytes itself before it merges, so nothing here need be exact.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/freezer.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/kvm_para.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/stringify.h>
#include <linux/tick.h>
#include <linux/vmalloc.h>
#include <uapi/linux/sched/types.h>

#include <linux/kvm_pvx_tune.h>

#include "fault.h"
#include "ksm_batch.h"
#include "ksm_note.h"
#include "ksm_page.h"
#include "pvx_guest.h"
#include "trace.h"

/* NULL where it does not run, for which the lock of the module's parameters is held. */
static struct task_struct *thread;

/* What it is set to holds at once, not only after the pause that goes on. */
static int set_permille(const char *val, const struct kernel_param *kp)
{
	int err = param_set_uint_minmax(val, kp, 0, 1000);

	if (!err && thread)
		wake_up_process(thread);
	return err;
}

static const struct kernel_param_ops permille_ops = {
	.set = set_permille,
	.get = param_get_uint,
};

static unsigned int permille = PVX_KSM_PERMILLE;
module_param_cb(permille, &permille_ops, &permille, 0644);
MODULE_PARM_DESC(permille,
	"Share of one CPU's time in permille that the search for candidates may take, at most 1000 (default "
	__stringify(PVX_KSM_PERMILLE) "; 0: none, and what was announced stays); of a CPU that is busy it takes 5 at most");

/* How long it looks before it pauses. */
#define SLICE_NS	(1 * NSEC_PER_MSEC)
/* Longer where the pause would be so short that a tick is long in comparison. */
#define SLICE_MAX_NS	(10 * NSEC_PER_MSEC)
/* What it takes, in permille, of a CPU that others keep busy. */
#define BUSY_PERMILLE	5U
/* For how long a CPU is watched before it is judged. */
#define WATCH_NS	(100 * NSEC_PER_MSEC)
/* How far apart rounds begin, and how far where fewer pages than that are news. */
#define ROUND_NS	(2 * NSEC_PER_SEC)
#define ROUND_MAX_NS	(16 * NSEC_PER_SEC)
#define NEWS_FEW	64
/* The host is told all again in so many rounds. */
#define REPEAT_ROUNDS	16
/* A batch is sent when it has so many pages, or is so old. */
#define BATCH_PAGES	512
#define BATCH_NS	(10 * NSEC_PER_SEC)

enum ksm_stat {
	KSM_STAT_ROUNDS,
	KSM_STAT_READ,
	KSM_STAT_ANNOUNCED,
	KSM_STAT_WITHDRAWN,
	KSM_STAT_CALLS,
	KSM_STAT_BUSY,
	KSM_STAT_FAILED,
	NR_KSM_STATS,
};

static const char * const stat_names[NR_KSM_STATS] = {
	[KSM_STAT_ROUNDS]		= "rounds",
	[KSM_STAT_READ]		= "read",
	[KSM_STAT_ANNOUNCED]	= "announced",
	[KSM_STAT_WITHDRAWN]	= "withdrawn",
	[KSM_STAT_CALLS]		= "calls",
	[KSM_STAT_BUSY]		= "busy",
	[KSM_STAT_FAILED]		= "failed",
};

/* Written by the thread alone. */
static u64 stats[NR_KSM_STATS];

static void count(enum ksm_stat stat, u64 n)
{
	WRITE_ONCE(stats[stat], stats[stat] + n);
}

/* What is noted of each page; the thread's alone. */
static u64 *notes;
static unsigned long nr_pages;

static struct pvx_ksm_batch batch;
static u64 batch_began;

/**
 * struct round - how far the thread has come
 * @pfn: the next page
 * @turn: whose turn it is
 * @began: when the round began, in ns
 * @number: which round it is
 * @news: pages of which the host was told what it did not know
 * @gap: how long after this round's begin the next one begins at the earliest, in ns
 * @first: the host has been told nothing before it
 */
struct round {
	unsigned long	pfn;
	enum pvx_ksm_turn turn;
	u64		began;
	u32		number;
	u32		news;
	u64		gap;
	bool		first;
};

static struct round this_round = { .first = true };

/*
 * Steady pages that were read for the first time. As they seldom change, they are not
 * left until the next round to be read again and announced, but only until there are so
 * many. In the first round that is done with all pages: the host's KSM goes over all
 * that is mergeable each time, so it is to get to know most of it at once. What does
 * change is taken back in the next round.
 */
static struct {
	unsigned long	pfns[BATCH_PAGES];
	u32		count;
	u32		at;
} lately;

/* How often it was begun anew, and whether nothing is noted since. */
static u32 beginnings;
static bool is_blank = true;

static void clear_notes(void)
{
	const unsigned long most = SZ_1M / sizeof(*notes);
	unsigned long i;

	for (i = 0; i < nr_pages; i += most) {
		memset(notes + i, 0, min(nr_pages - i, most) * sizeof(*notes));
		cond_resched();
	}
}

/* The host knows nothing any more. */
static void begin_anew(void)
{
	if (is_blank)
		return;
	is_blank = true;
	beginnings++;
	clear_notes();
	pvx_ksm_batch_reset(&batch);
	lately.count = 0;
	lately.at = 0;
	this_round.pfn = 0;
	this_round.turn = PVX_KSM_MAPPED;
	this_round.gap = 0;
	this_round.first = true;
}

/* What the host refuses to withdraw for a second it may keep: it need not be true. */
static void withdraw_all(void)
{
	int tries = 10;

	while (pvx_guest_has(PVX_F_KSM) && tries-- &&
	       pvx_guest_call(PVX_F_KSM, PVX_HC_KSM, 0, 0, 0, 0) == -PVX_E_BUSY)
		msleep(100);
}

/* What the host does not have there it does not wait for, but we do. */
static void touch_batch(void)
{
	u32 i;

	for (i = 0; i < batch.used; i += PAGE_SIZE / sizeof(*batch.words))
		READ_ONCE(batch.words[i]);
}

/* False if the host has no room for it now. */
static bool send(void)
{
	s64 ret = pvx_guest_call(PVX_F_KSM, PVX_HC_KSM, virt_to_phys(batch.words),
				 batch.used, 0, 0);

	count(KSM_STAT_CALLS, 1);
	trace_ksm_sent(batch.pages, ret);
	if (ret == -PVX_E_BUSY) {
		count(KSM_STAT_BUSY, 1);
		touch_batch();
		return false;
	}
	if (ret < 0)
		count(KSM_STAT_FAILED, 1);
	/* An error, or PVX_KSM_AGAIN. */
	if (ret) {
		withdraw_all();
		begin_anew();
	}
	pvx_ksm_batch_reset(&batch);
	return true;
}

static void tell(unsigned long pfn, u32 what, u64 hash)
{
	if (!batch.pages)
		batch_began = ktime_get_ns();
	pvx_ksm_batch_add(&batch, pfn, what, hash);
	count(what == PVX_KSM_WITHDRAWN ? KSM_STAT_WITHDRAWN : KSM_STAT_ANNOUNCED, 1);
}

static enum pvx_ksm_step read_page(struct pvx_ksm_page *p, u64 *note, u64 *hash)
{
	count(KSM_STAT_READ, 1);
	return pvx_ksm_note_content(note, p->class, p->tag, pvx_ksm_page_hash(p), hash);
}

static void look_at(unsigned long pfn)
{
	struct pvx_ksm_page p;
	enum pvx_ksm_step step;
	bool known, again;
	u64 hash;

	if (!pvx_ksm_page_get(&p, pfn, this_round.turn))
		return;
	is_blank = false;
	known = notes[pfn] & PVX_KSM_ANNOUNCED;
	again = (pfn / REPEAT_ROUNDS + this_round.number) % REPEAT_ROUNDS == 0;
	step = pvx_ksm_note_state(&notes[pfn], p.class, p.tag, again, &hash);
	if (step == PVX_KSM_READ) {
		step = read_page(&p, &notes[pfn], &hash);
		if (step == PVX_KSM_LEAVE && (p.steady || this_round.first) && !lately.at)
			lately.pfns[lately.count++] = pfn;
	}
	pvx_ksm_page_put(&p);
	if (step == PVX_KSM_TAKE_BACK || (step == PVX_KSM_TELL && !known))
		this_round.news++;
	if (step == PVX_KSM_TELL)
		tell(pfn, p.class, hash);
	else if (step == PVX_KSM_TAKE_BACK)
		tell(pfn, PVX_KSM_WITHDRAWN, hash);
}

/* Is it the turn of those that were read lately? Once begun, till the last of them. */
static bool lately_is_due(void)
{
	return lately.at || lately.count == ARRAY_SIZE(lately.pfns) ||
	       (lately.count && this_round.pfn == nr_pages);
}

static unsigned long next_pfn(void)
{
	return lately_is_due() ? lately.pfns[lately.at] : this_round.pfn;
}

/* False if the round is over. */
static bool next_page(void)
{
	if (lately_is_due()) {
		look_at(lately.pfns[lately.at++]);
		if (lately.at == lately.count)
			lately.at = lately.count = 0;
		return true;
	}
	if (this_round.pfn < nr_pages) {
		look_at(this_round.pfn++);
		return true;
	}
	this_round.pfn = 0;
	this_round.turn = (this_round.turn + 1) % PVX_KSM_TURNS;
	return this_round.turn != PVX_KSM_MAPPED;
}

static bool batch_is_due(void)
{
	return batch.pages >= BATCH_PAGES ||
	       (batch.pages && ktime_get_ns() - batch_began >= BATCH_NS);
}

/* Looks for @ns; false if the round is over. */
static bool look_around(u64 ns)
{
	u64 end = ktime_get_ns() + ns;

	do {
		if (!pvx_ksm_batch_takes(&batch, next_pfn()) && !send())
			return true;
		if (!next_page())
			return false;
		cond_resched();
	} while (ktime_get_ns() < end);
	return true;
}

/* How long to look before a pause, in ns. */
static u64 slice_of(unsigned int share)
{
	u64 slice = div_u64(SLICE_MAX_NS * share, 1001 - share);

	return clamp_t(u64, slice, SLICE_NS, SLICE_MAX_NS);
}

/* How long to pause after having been at work for @ns, in ns. */
static u64 pause_after(u64 ns, unsigned int share)
{
	/* Waiting for the CPU is no work. */
	ns = min_t(u64, ns, SLICE_MAX_NS);
	return div_u64(ns * (1000 - share), share);
}

/* Ends when the thread is to stop, or the share of the CPU's time is set. */
static void pause(u64 ns)
{
	set_current_state(TASK_INTERRUPTIBLE);
	if (!kthread_should_stop())
		schedule_timeout(nsecs_to_jiffies(ns) + 1);
	__set_current_state(TASK_RUNNING);
}

/**
 * struct watch - whether others need the CPU that the thread is on
 * @cpu: which one that is
 * @began: since when it is watched, in ns
 * @idle: how long it had been idle then, in us
 * @worked: how long the thread had been at work then, in ns
 * @busy: others had it for more than a quarter of the time, or nobody knows yet
 */
struct watch {
	int		cpu;
	u64		began;
	u64		idle;
	u64		worked;
	bool		busy;
};

static struct watch watched = { .cpu = -1, .busy = true };

static void watch_cpu(void)
{
	struct watch now = {
		.cpu = raw_smp_processor_id(),
		.began = ktime_get_ns(),
		.worked = current->se.sum_exec_runtime,
		.busy = watched.busy,
	};
	u64 all = now.began - watched.began;

	if (now.cpu == watched.cpu && all < WATCH_NS)
		return;
	/* A CPU that waits for a disk is idle, too. */
	now.idle = get_cpu_idle_time_us(now.cpu, NULL);
	if (now.idle != U64_MAX)
		now.idle += get_cpu_iowait_time_us(now.cpu, NULL);
	/* Without tickless idle nobody knows. */
	if (now.idle == U64_MAX)
		now.busy = false;
	else if (now.cpu == watched.cpu)
		now.busy = 4 * ((now.idle - watched.idle) * NSEC_PER_USEC +
				now.worked - watched.worked) < 3 * all;
	watched = now;
}

static void end_round(void)
{
	u64 took = ktime_get_ns() - this_round.began;

	count(KSM_STAT_ROUNDS, 1);
	this_round.number++;
	this_round.first = false;
	this_round.gap = this_round.news >= NEWS_FEW ? ROUND_NS :
			 clamp(2 * this_round.gap, ROUND_NS, ROUND_MAX_NS);
	this_round.news = 0;
	if (took < this_round.gap)
		pause(this_round.gap - took);
	this_round.began = ktime_get_ns();
}

static int search(void *unused)
{
	struct sched_attr idle = { .size = sizeof(idle), .sched_policy = SCHED_IDLE };
	bool over;
	u64 began;
	u32 begun;

	set_freezable();
	/* Whoever wakes up has the CPU at once. */
	sched_setattr_nocheck(current, &idle);
	withdraw_all();
	while (!kthread_should_stop()) {
		unsigned int share = READ_ONCE(permille);

		try_to_freeze();
		if (!pvx_guest_has(PVX_F_KSM)) {
			begin_anew();
			share = 0;
		}
		if (!share) {
			pause(NSEC_PER_SEC);
			watch_cpu();
			continue;
		}
		if (watched.busy)
			share = min(share, BUSY_PERMILLE);
		began = ktime_get_ns();
		begun = beginnings;
		over = !look_around(slice_of(share));
		if (batch_is_due())
			send();
		pause(pause_after(ktime_get_ns() - began, share));
		watch_cpu();
		/* The host may have forgotten all just then. */
		if (over && begun == beginnings)
			end_round();
	}
	withdraw_all();
	return 0;
}

static int ksm_show(struct seq_file *m, void *unused)
{
	enum ksm_stat stat;

	for (stat = 0; stat < NR_KSM_STATS; stat++)
		seq_printf(m, "%s=%llu\n", stat_names[stat], READ_ONCE(stats[stat]));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(ksm);

static struct dentry *file;

static int start(void)
{
	struct task_struct *new = kthread_run(search, NULL, "pvx_ksm");

	if (IS_ERR(new))
		return PTR_ERR(new);
	kernel_param_lock(THIS_MODULE);
	thread = new;
	kernel_param_unlock(THIS_MODULE);
	return 0;
}

static void stop(void)
{
	struct task_struct *old = thread;

	kernel_param_lock(THIS_MODULE);
	thread = NULL;
	kernel_param_unlock(THIS_MODULE);
	/* Where others take all of the CPU it may be long till it is its turn. */
	sched_set_normal(old, 0);
	kthread_stop(old);
}

static void free_all(void)
{
	pvx_ksm_page_exit();
	free_pages((unsigned long)batch.words, get_order(PVX_KSM_WORDS_MAX * sizeof(u64)));
	vfree(notes);
}

static int __init pvx_guest_ksm_init(void)
{
	int err = pvx_ksm_page_init();

	if (err)
		return err;
	err = -ENOMEM;
	/* Memory that is plugged in above that later is not looked at. */
	nr_pages = pvx_guest_end_of_memory();
	notes = vzalloc(array_size(nr_pages, sizeof(*notes)));
	batch.words = (u64 *)__get_free_pages(GFP_KERNEL,
			get_order(PVX_KSM_WORDS_MAX * sizeof(u64)));
	if (!notes || !batch.words)
		goto free;
	this_round.began = ktime_get_ns();
	err = start();
	if (err)
		goto free;
	file = debugfs_create_file("ksm", 0444, pvx_guest_debugfs, NULL, &ksm_fops);
	return 0;

free:
	free_all();
	return err;
}

static void __exit pvx_guest_ksm_exit(void)
{
	debugfs_remove(file);
	stop();
	free_all();
}

module_init(pvx_guest_ksm_init);
module_exit(pvx_guest_ksm_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("KVM guest side of kvm-pvx: candidates for KSM");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
