// SPDX-License-Identifier: GPL-2.0
/*
 * What is privatised first: what the parent writes to most, ahead of it
 *
 * Each write to a page that is still shared is a fault, so those pieces of memory come first
 * that the next writes are likely to go to. What the parent wrote to since the fork it has
 * its own pages for, so from one look to the next these tell how often it writes to a piece.
 * A piece that it would be through with before the next look is left to it, since a batch
 * that it overtakes is copied twice; and as far as it would get by then in the pieces
 * behind, so are these. Among pieces of which nothing is known those come first that the parent
 * gets to last, by the way that it seems to go: so it meets us once only.
 */
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/sort.h>

#include "fork_mm.h"
#include "fork_order.h"

/* Looks at all that is left cost time: one per so large a part of the list. */
#define LOOKS	8
/* Of a piece: the parent is faster than we. */
#define LEFT_TO_PARENT	-1
/* Who wants the address space for writing, and all faults behind, waits no longer than that. */
#define LOCKED	32
/* Tables and VMAs that are gone over while listing; two for each piece. */
#define VISITS	(2 * PVX_FORK_PIECES)

static bool is_ours(const struct pvx_fork_order *order, unsigned long addr)
{
	return (addr >> PMD_SHIFT) % order->of == order->share;
}

/* False if there is no room for more, or it has been looked at enough for now. */
static bool list_vma(struct pvx_fork_order *order, struct vm_area_struct *vma, u32 *visits)
{
	unsigned long addr = max(order->at, vma->vm_start), end;

	for (; addr < vma->vm_end; addr = end) {
		if (!*visits) {
			order->at = addr;
			return false;
		}
		--*visits;
		addr = pvx_fork_next_table(vma->vm_mm, addr, vma->vm_end);
		end = min((addr + PMD_SIZE) & PMD_MASK, vma->vm_end);
		if (addr == vma->vm_end || !is_ours(order, addr))
			continue;
		if (order->count == PVX_FORK_PIECES) {
			order->at = addr;
			return false;
		}
		order->pieces[order->count++] = (struct pvx_fork_piece){
			.from = addr,
			.end = end,
		};
	}
	order->at = vma->vm_end;
	return true;
}

/**
 * pvx_fork_order_list() - list the pieces that come next
 * @order: an empty list, or all zeroes but for @share and @of
 * @mm: the memory
 *
 * Context: process context, mmap lock of @mm held for reading; may sleep. The list may stay
 * empty before @ended is set.
 */
void pvx_fork_order_list(struct pvx_fork_order *order, struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	u32 visits = VISITS;

	order->count = order->next = order->look_at = order->interval = 0;
	order->center = 0;
	while (visits) {
		vma = find_vma(mm, order->at);
		if (!vma) {
			order->ended = true;
			return;
		}
		visits--;
		if (!pvx_fork_is_ours(vma))
			order->at = vma->vm_end;
		else if (!list_vma(order, vma, &visits))
			return;
		cond_resched();
	}
}

/**
 * pvx_fork_order_leave() - leave out what the other process cannot own
 * @order: a list that was just made
 * @other: the other's memory
 * @patience: see pvx_fork_lock()
 *
 * What is locked or watched in one of both need not be so in the other.
 *
 * Context: process context; takes the mmap lock of @other for reading; may sleep.
 * Return: false if that could not be had; then nothing is listed.
 */
bool pvx_fork_order_leave(struct pvx_fork_order *order, struct mm_struct *other, u64 *patience)
{
	struct pvx_fork_piece *piece = order->pieces, *end = piece + order->count;
	u32 kept = 0, n;

	order->count = 0;
	while (piece < end) {
		if (!pvx_fork_lock(other, patience))
			return false;
		for (n = 0; n < LOCKED && piece < end; n++, piece++)
			if (pvx_fork_find_ours(other, piece->from))
				order->pieces[kept++] = *piece;
		mmap_read_unlock(other);
		cond_resched();
	}
	order->count = kept;
	return true;
}

static int compare_address(const void *a, const void *b)
{
	const struct pvx_fork_piece *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

static int compare_expected(const void *a, const void *b)
{
	s32 x = ((const struct pvx_fork_piece *)a)->expected;
	s32 y = ((const struct pvx_fork_piece *)b)->expected;

	return (x < y) - (x > y);
}

/* Of those that are alike the ones first that the parent gets to last. */
static int compare_going_up(const void *a, const void *b)
{
	return compare_expected(a, b) ?: compare_address(b, a);
}

static int compare_going_down(const void *a, const void *b)
{
	return compare_expected(a, b) ?: compare_address(a, b);
}

static void sort_rest(struct pvx_fork_order *order, cmp_func_t compare)
{
	sort(order->pieces + order->next, order->count - order->next,
	     sizeof(order->pieces[0]), compare, NULL);
}

/* How many pages of each piece the parent has its own of; and of these, since the last look. */
static bool look_at(struct pvx_fork_order *order, struct mm_struct *parent, u32 from, u32 end,
		    u64 *patience)
{
	struct pvx_fork_piece *piece;
	u32 written;

	if (!pvx_fork_lock(parent, patience))
		return false;
	for (piece = order->pieces + from; piece < order->pieces + end; piece++) {
		written = pvx_fork_count_written(parent, piece->from, piece->end);
		piece->expected = max_t(int, written - piece->written, 0);
		piece->written = written;
	}
	mmap_read_unlock(parent);
	return true;
}

/*
 * Where did the parent write lately? Its way is to there from where it wrote before, and at first
 * from the nearer end of its memory. Pieces are in order of addresses.
 */
static void find_way(struct pvx_fork_order *order)
{
	const struct pvx_fork_piece *piece = order->pieces + order->next;
	const struct pvx_fork_piece *end = order->pieces + order->count;
	const u64 first = piece->from >> PMD_SHIFT, last = end[-1].from >> PMD_SHIFT;
	u64 sum = 0, writes = 0, center;

	for (; piece < end; piece++) {
		sum += (u64)piece->expected * ((piece->from >> PMD_SHIFT) - first);
		writes += piece->expected;
	}
	if (!writes)
		return;
	/* Twice as much, as the middle of two numbers is. */
	center = 2 * first + div64_u64(2 * sum, writes);
	if (!order->center)
		order->goes_down = center > first + last;
	else if (center != order->center)
		order->goes_down = center < order->center;
	order->center = center;
}

/* What was written in one interval goes on for @intervals, and from one piece to the next. */
static void expect(struct pvx_fork_order *order, u32 intervals)
{
	const u32 n = order->count - order->next;
	struct pvx_fork_piece *piece;
	u64 writes = 0, left;
	u32 i;

	for (i = 0; i < n; i++) {
		piece = &order->pieces[order->next + (order->goes_down ? n - 1 - i : i)];
		writes += (u64)piece->expected * intervals;
		left = (piece->end - piece->from) / PAGE_SIZE - piece->written;
		if (writes < left) {
			piece->expected = writes;
			writes = 0;
		} else {
			piece->expected = LEFT_TO_PARENT;
			writes -= left;
		}
	}
}

/* The first look tells what was written, and not yet how fast. */
static void expect_nothing(struct pvx_fork_order *order)
{
	u32 i;

	for (i = order->next; i < order->count; i++)
		order->pieces[i].expected = 0;
}

/**
 * pvx_fork_order_look() - put first what the parent is likely to write to
 * @order: the list
 * @parent: the parent's memory
 * @patience: see pvx_fork_lock()
 *
 * Context: process context; takes the mmap lock of @parent for reading; may sleep.
 * Return: false if that could not be had.
 */
bool pvx_fork_order_look(struct pvx_fork_order *order, struct mm_struct *parent, u64 *patience)
{
	const u32 before = order->interval;
	u32 i;

	for (i = order->next; i < order->count; i += LOCKED) {
		if (!look_at(order, parent, i, min(i + LOCKED, order->count), patience))
			return false;
		cond_resched();
	}
	sort_rest(order, compare_address);
	find_way(order);
	/* Soon at first, since each batch until then may go to the wrong place. */
	order->interval = min(max(2 * before, 1U), DIV_ROUND_UP(order->count, LOOKS));
	order->look_at = order->next + order->interval;
	if (before)
		expect(order, DIV_ROUND_UP(order->interval, before));
	else
		expect_nothing(order);
	sort_rest(order, order->goes_down ? compare_going_down : compare_going_up);
	return true;
}
