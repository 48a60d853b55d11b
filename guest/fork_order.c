// SPDX-License-Identifier: GPL-2.0
/*
 * What is privatised first: what the parent writes to most
 *
 * Each write to a page that is still shared is a fault, so those come first that the next
 * writes are likely to go to. What the parent wrote to since the fork, it has its own pages
 * for: as many as there are in a piece of memory, so likely is another write there.
 */
#include <linux/mm.h>
#include <linux/sort.h>

#include "fork_mm.h"
#include "fork_order.h"

/* Looks at all that is left cost time: so many per list. */
#define LOOKS	8
/* Who wants the address space for writing, and all faults behind, waits no longer than that. */
#define LOCKED	32

static bool is_ours(const struct pvx_fork_order *order, unsigned long addr)
{
	return (addr >> PMD_SHIFT) % order->of == order->share;
}

/* False if there is no room for more. */
static bool list_vma(struct pvx_fork_order *order, struct vm_area_struct *vma)
{
	unsigned long addr = max(order->at, vma->vm_start), end;

	for (; addr < vma->vm_end; addr = end) {
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
 * Context: process context, mmap lock of @mm held for reading; may sleep. The list stays
 * empty when that was all.
 */
void pvx_fork_order_list(struct pvx_fork_order *order, struct mm_struct *mm)
{
	struct vm_area_struct *vma;

	order->count = order->next = order->look_at = 0;
	while ((vma = find_vma(mm, order->at))) {
		if (!pvx_fork_is_ours(vma))
			order->at = vma->vm_end;
		else if (!list_vma(order, vma))
			return;
		cond_resched();
	}
}

static int compare_written(const void *a, const void *b)
{
	const struct pvx_fork_piece *x = a, *y = b;

	if (x->written != y->written)
		return x->written < y->written ? 1 : -1;
	return x->from < y->from ? -1 : x->from > y->from;
}

static void look_at(struct pvx_fork_order *order, struct mm_struct *parent, u32 from, u32 end)
{
	struct pvx_fork_piece *piece;

	mmap_read_lock(parent);
	for (piece = order->pieces + from; piece < order->pieces + end; piece++)
		piece->written = pvx_fork_count_written(parent, piece->from, piece->end);
	mmap_read_unlock(parent);
}

/**
 * pvx_fork_order_look() - put first what the parent wrote to most since the fork
 * @order: the list
 * @parent: the parent's memory
 *
 * Context: process context; takes the mmap lock of @parent for reading; may sleep.
 */
void pvx_fork_order_look(struct pvx_fork_order *order, struct mm_struct *parent)
{
	u32 i;

	for (i = order->next; i < order->count; i += LOCKED) {
		look_at(order, parent, i, min(i + LOCKED, order->count));
		cond_resched();
	}
	sort(order->pieces + order->next, order->count - order->next,
	     sizeof(order->pieces[0]), compare_written, NULL);
	order->look_at = order->next + DIV_ROUND_UP(order->count, LOOKS);
}
