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
/* Of the tries of pvx_ksm_unmark(), those that a VMM gets that keeps it locked. */
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
 * likes, by a fault in a file that it serves itself, but others wait for this worker.
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

/* True if it went well. What is not mapped any more (-ENOMEM) needs no change. */
static bool advise(struct mm_struct *mm, const struct pvx_ksm_area *area,
		   unsigned long start, unsigned long end, int advice)
{
	int err;

	if (!is_lockable(mm))
		return false;
	err = static_call(pvx_madvise)(mm, area->hva + (start << PAGE_SHIFT),
				       (end - start) << PAGE_SHIFT, advice);
	trace_ksm_range(mm, area->gfn + start, end - start, advice == MADV_MERGEABLE, err);
	cond_resched_tasks_rcu_qs();
	return !err || err == -ENOMEM;
}

static bool unmark_range(struct mm_struct *mm, struct pvx_ksm_area *area,
			 unsigned long start, unsigned long end)
{
	unsigned long next;

	for (; start < end; start = next) {
		next = min(start + PIECE, end);
		if (!is_over(mm) && !advise(mm, area, start, next, MADV_UNMERGEABLE))
			return false;
		bitmap_clear(area->marked, start, next - start);
	}
	return true;
}

/* Of several VMAs the first ones may be mergeable when it fails; these are noted, too. */
static bool mark_range(struct mm_struct *mm, struct pvx_ksm_area *area,
		       unsigned long start, unsigned long end)
{
	bitmap_set(area->marked, start, end - start);
	if (advise(mm, area, start, end, MADV_MERGEABLE))
		return true;
	unmark_range(mm, area, start, end);
	return false;
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

static bool settle_area(struct mm_struct *mm, struct pvx_ksm_area *area,
			const unsigned long *chosen)
{
	unsigned long start, end;
	bool done = true;

	for (end = 0; next_difference(area->marked, chosen, area->pages, &start, &end);)
		done &= unmark_range(mm, area, start, end);
	for (end = 0; next_difference(chosen, area->marked, area->pages, &start, &end);)
		done &= mark_range(mm, area, start, end);
	return done;
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

static bool settle_areas(struct mm_struct *mm, struct pvx_ksm_memory *memory, u32 ranges,
			 u32 least)
{
	struct pvx_ksm_area *area;
	unsigned long *chosen;
	bool done = true;
	u32 most;
	int i;

	for (i = 0; i < memory->count; i++) {
		area = &memory->areas[i];
		chosen = kvcalloc(BITS_TO_LONGS(area->pages), sizeof(long), GFP_KERNEL);
		if (!chosen)
			return false;
		most = ranges_of(memory, area, ranges);
		if (most)
			choose(chosen, area, most, least);
		done &= settle_area(mm, area, chosen);
		kvfree(chosen);
	}
	return done;
}

/**
 * pvx_ksm_settle() - make mergeable what is wanted, and nothing else
 * @mm: the VMM's; no more than a reference to the structure is needed
 * @memory: the VM's memory
 * @ranges: how many ranges there may be; 0: nothing is to be mergeable
 * @least: how many pages with a peer are worth a huge page
 *
 * Context: process context; may sleep, and takes the mmap lock of the VMM.
 * Return: false if something could not be changed for want of memory, and is worth
 * another try.
 */
bool pvx_ksm_settle(struct mm_struct *mm, struct pvx_ksm_memory *memory, u32 ranges,
		    u32 least)
{
	bool done;

	/* A VMM that ends takes its VMAs along. */
	if (!mmget_not_zero(mm))
		return true;
	done = is_lockable(mm) && settle_areas(mm, memory, ranges, least);
	/* The last one takes down a whole VM, for which others need not wait. */
	mmput_async(mm);
	return done;
}

static bool unmark_areas(struct mm_struct *mm, struct pvx_ksm_memory *memory)
{
	unsigned long start, end;
	bool done = true;
	int i;

	for (i = 0; i < memory->count; i++) {
		struct pvx_ksm_area *area = &memory->areas[i];

		for (end = 0; pvx_ksm_next_run(area->marked, area->pages, 0, &start, &end);)
			done &= unmark_range(mm, area, start, end);
	}
	return done;
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
 * Return: false if something is mergeable still.
 */
bool pvx_ksm_unmark(struct mm_struct *mm, struct pvx_ksm_memory *memory, int tries)
{
	bool done, stuck;

	do {
		if (!mmget_not_zero(mm))
			return true;
		stuck = !is_lockable(mm);
		done = !stuck && unmark_areas(mm, memory);
		mmput_async(mm);
		if (stuck)
			tries = min(tries, STUCK_TRIES);
		if (!done && tries > 1)
			msleep(100);
	} while (!done && --tries);
	return done;
}

int pvx_ksm_mark_init(void)
{
	unsigned long address = pvx_host_find("do_madvise");

	if (!address)
		return -ENOENT;
	static_call_update(pvx_madvise, (typeof(&madvise_nothing))address);
	return 0;
}
