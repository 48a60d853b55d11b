// SPDX-License-Identifier: GPL-2.0
/*
 * Making ranges of a VM's memory mergeable, and taking that back
 *
 * As the VMM would by madvise(2), which splits VMAs at the ends of a range. So
 * ranges are few, see ksm_runs.h.
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/mman.h>
#include <linux/sched/coredump.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/static_call.h>

#include "fault.h"
#include "ksm_mark.h"
#include "ksm_runs.h"
#include "pvx_host.h"

#define CREATE_TRACE_POINTS
#include "ksm_trace.h"

static int madvise_nothing(struct mm_struct *mm, unsigned long start, size_t len,
			   int advice)
{
	return -ENOSYS;
}

/*
 * do_madvise(), which is not exported. A direct call: kernels with IBT have no
 * ENDBR where nobody takes a function's address.
 */
DEFINE_STATIC_CALL(pvx_madvise, madvise_nothing);

/* Unmerging holds the VMM's mmap lock, and copies: so many pages at a time. */
#define PIECE	4096UL
/* How often that lock is tried for, 50 us and more apart. */
#define LOCK_TRIES	20
/* Of the tries of pvx_ksm_unmark(), those in a row that a VMM gets that keeps it locked. */
#define STUCK_TRIES	10

/* Of one area, what is to be mergeable: ranges, as far as they are worth it. */
static void choose(unsigned long *chosen, const struct pvx_ksm_area *area,
		   u32 most, u32 least)
{
	unsigned long first = (area->hva >> PAGE_SHIFT) % PVX_KSM_HUGE;
	unsigned long start, end = 0, gap;

	pvx_ksm_choose(chosen, area->wanted, area->pages, first, least);
	gap = pvx_ksm_gap(chosen, area->pages, most);
	while (pvx_ksm_next_run(chosen, area->pages, gap, &start, &end))
		bitmap_set(chosen, start, end - start);
}

/* A VMM that ends, or is killed for want of memory, takes its VMAs along. */
static bool is_over(struct mm_struct *mm)
{
	return atomic_read(&mm->mm_users) == 1 || test_bit(MMF_UNSTABLE, &mm->flags);
}

/*
 * Can that be had that do_madvise() will wait for, without end? A VMM may keep it as long as it
 * likes, by a fault in a file that it serves itself, but others wait for this worker. One that
 * comes in between can still hold it up, until it is killed.
 */
static bool is_lockable(struct mm_struct *mm)
{
	int tries;

	for (tries = 0; tries < LOCK_TRIES; tries++) {
		if (down_write_trylock(&mm->mmap_lock)) {
			up_write(&mm->mmap_lock);
			return true;
		}
		usleep_range(50, 100);
	}
	return false;
}

/*
 * 0, -EAGAIN if there was no memory, or -EBUSY if nothing was done, since the VMM keeps its
 * address space locked. What is not mapped any more (-ENOMEM) needs no change.
 */
static int advise(struct mm_struct *mm, const struct pvx_ksm_area *area,
		  unsigned long start, unsigned long end, int advice)
{
	int err;

	if (!is_lockable(mm))
		return -EBUSY;
	err = static_call(pvx_madvise)(mm, area->hva + (start << PAGE_SHIFT),
				       (end - start) << PAGE_SHIFT, advice);
	trace_ksm_range(mm, area->gfn + start, end - start, advice == MADV_MERGEABLE, err);
	cond_resched_tasks_rcu_qs();
	return !err || err == -ENOMEM ? 0 : -EAGAIN;
}

static int unmark_range(struct mm_struct *mm, struct pvx_ksm_area *area,
			unsigned long start, unsigned long end)
{
	unsigned long next;
	int err;

	for (; start < end; start = next) {
		next = min(start + PIECE, end);
		err = is_over(mm) ? 0 : advise(mm, area, start, next, MADV_UNMERGEABLE);
		if (err)
			return err;
		bitmap_clear(area->marked, start, next - start);
	}
	return 0;
}

/* Of several VMAs the first ones may be mergeable when it fails; these are noted, too. */
static int mark_range(struct mm_struct *mm, struct pvx_ksm_area *area,
		      unsigned long start, unsigned long end)
{
	int err;

	bitmap_set(area->marked, start, end - start);
	err = advise(mm, area, start, end, MADV_MERGEABLE);
	if (err == -EBUSY)
		bitmap_clear(area->marked, start, end - start);
	else if (err)
		unmark_range(mm, area, start, end);
	return err;
}

/* Where one range fails others may not; but each would wait for the same lock. */
static bool goes_on(int ret, int *err)
{
	*err = ret ?: *err;
	return ret != -EBUSY;
}

/* The next range of pages that are in @a and not in @b. */
static bool next_difference(const unsigned long *a, const unsigned long *b,
			    unsigned long pages, unsigned long *start,
			    unsigned long *end)
{
	unsigned long i;

	*start = find_next_andnot_bit(a, b, pages, *end);
	if (*start >= pages)
		return false;
	for (i = *start + 1; i < pages && test_bit(i, a) && !test_bit(i, b); i++)
		;
	*end = i;
	return true;
}

static int settle_area(struct mm_struct *mm, struct pvx_ksm_area *area,
		       const unsigned long *chosen)
{
	unsigned long start, end;
	int err = 0;

	for (end = 0; next_difference(area->marked, chosen, area->pages, &start, &end);)
		if (!goes_on(unmark_range(mm, area, start, end), &err))
			return err;
	for (end = 0; next_difference(chosen, area->marked, area->pages, &start, &end);)
		if (!goes_on(mark_range(mm, area, start, end), &err))
			return err;
	return err;
}

/* By size, of those that all areas may have; one at least. */
static u32 ranges_of(const struct pvx_ksm_memory *memory, const struct pvx_ksm_area *area,
		     u32 ranges)
{
	unsigned long pages = 0;
	int i;

	for (i = 0; i < memory->count; i++)
		pages += memory->areas[i].pages;
	return DIV64_U64_ROUND_UP((u64)ranges * area->pages, pages);
}

static int settle_areas(struct mm_struct *mm, struct pvx_ksm_memory *memory, u32 ranges,
			u32 least)
{
	struct pvx_ksm_area *area;
	unsigned long *chosen;
	bool more = true;
	int i, err = 0;
	u32 most;

	for (i = 0; more && i < memory->count; i++) {
		area = &memory->areas[i];
		chosen = kvcalloc(BITS_TO_LONGS(area->pages), sizeof(long), GFP_KERNEL);
		if (!chosen)
			return -EAGAIN;
		most = ranges_of(memory, area, ranges);
		if (most)
			choose(chosen, area, most, least);
		more = goes_on(settle_area(mm, area, chosen), &err);
		kvfree(chosen);
	}
	return err;
}

/**
 * pvx_ksm_settle() - make mergeable what is wanted, and nothing else
 * @mm: the VMM's; no more than a reference to the structure is needed
 * @memory: the VM's memory
 * @ranges: how many ranges there may be; 0: nothing is to be mergeable
 * @least: how many pages with a peer are worth a huge page
 *
 * Context: process context; may sleep, and takes the mmap lock of the VMM.
 * Return: false if something could not be changed for want of memory, or of that lock, and is
 * worth another try.
 */
bool pvx_ksm_settle(struct mm_struct *mm, struct pvx_ksm_memory *memory, u32 ranges,
		    u32 least)
{
	int err;

	/* A VMM that ends takes its VMAs along. */
	if (!mmget_not_zero(mm))
		return true;
	err = settle_areas(mm, memory, ranges, least);
	/* The last one takes down a whole VM, for which others need not wait. */
	mmput_async(mm);
	return !err;
}

static int unmark_areas(struct mm_struct *mm, struct pvx_ksm_memory *memory)
{
	unsigned long start, end;
	int i, err = 0;

	for (i = 0; i < memory->count; i++) {
		struct pvx_ksm_area *area = &memory->areas[i];

		for (end = 0; pvx_ksm_next_run(area->marked, area->pages, 0, &start, &end);)
			if (!goes_on(unmark_range(mm, area, start, end), &err))
				return err;
	}
	return err;
}

static unsigned long count_marked(const struct pvx_ksm_memory *memory)
{
	unsigned long pages = 0;
	int i;

	for (i = 0; i < memory->count; i++)
		pages += bitmap_weight(memory->areas[i].marked, memory->areas[i].pages);
	return pages;
}

/**
 * pvx_ksm_unmark() - make nothing mergeable
 * @mm: as for pvx_ksm_settle()
 * @memory: the VM's memory
 * @tries: how often to try, a tenth of a second apart
 *
 * It may fail where the host is out of memory, since what was merged
 * takes memory when it is no longer, and where the VMM keeps its address space
 * locked.
 *
 * Context: as there.
 * Return: 0, or what is mergeable still is so for want of memory (-ENOMEM) or of the lock
 * (-EAGAIN).
 */
int pvx_ksm_unmark(struct mm_struct *mm, struct pvx_ksm_memory *memory, int tries)
{
	unsigned long before, left = count_marked(memory);
	int err, stuck = 0;

	for (;;) {
		if (!mmget_not_zero(mm))
			return 0;
		err = unmark_areas(mm, memory);
		mmput_async(mm);
		before = left;
		left = count_marked(memory);
		stuck = err == -EBUSY && left == before ? stuck + 1 : 0;
		if (!err || !--tries || stuck == STUCK_TRIES)
			break;
		msleep(100);
	}
	if (!err)
		return 0;
	return err == -EBUSY ? -EAGAIN : -ENOMEM;
}

int pvx_ksm_mark_init(void)
{
	unsigned long address = pvx_host_find("do_madvise");

	if (!address)
		return -ENOENT;
	static_call_update(pvx_madvise, (typeof(&madvise_nothing))address);
	return 0;
}
