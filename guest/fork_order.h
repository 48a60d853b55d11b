/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVX_GUEST_FORK_ORDER_H
#define PVX_GUEST_FORK_ORDER_H

#include <linux/types.h>

struct mm_struct;

/** PVX_FORK_PIECES - as many are put in order at once: 8 GiB of memory */
#define PVX_FORK_PIECES	4096

/**
 * struct pvx_fork_piece - memory that has its entries in one table
 * @from: the address that is next
 * @end: behind the last
 * @written: pages of it that the parent has written to since the fork
 * @expected: writes that are likely before the next look; negative: the parent will be
 *            through with it by then
 */
struct pvx_fork_piece {
	unsigned long	from;
	unsigned long	end;
	u32		written;
	s32		expected;
};

/**
 * struct pvx_fork_order - which memory comes next
 * @share: which pieces, where several go over the same memory: one in @of ...
 * @of: ... of these; the piece's number modulo @of is @share
 * @at: where those begin that are not listed yet
 * @ended: there are none
 * @count: pieces that are listed
 * @next: the one that is next
 * @look_at: when that is next, it is to be looked again what the parent writes to
 * @interval: pieces from one look to the next; 0: before the first
 * @center: about where the parent wrote before the last look, as twice a piece's number in its
 *          address space; 0: it is not known
 * @goes_down: it goes to lower addresses, it seems
 * @pieces: the list
 */
struct pvx_fork_order {
	u32			share;
	u32			of;
	unsigned long		at;
	bool			ended;
	u32			count;
	u32			next;
	u32			look_at;
	u32			interval;
	u64			center;
	bool			goes_down;
	struct pvx_fork_piece	pieces[PVX_FORK_PIECES];
};

/* Nothing is left of what is listed. */
static inline bool pvx_fork_order_is_empty(const struct pvx_fork_order *order)
{
	return order->next == order->count;
}

static inline bool pvx_fork_order_is_old(const struct pvx_fork_order *order)
{
	return order->next >= order->look_at;
}

void pvx_fork_order_list(struct pvx_fork_order *order, struct mm_struct *mm);
bool pvx_fork_order_leave(struct pvx_fork_order *order, struct mm_struct *other, u64 *patience);
bool pvx_fork_order_look(struct pvx_fork_order *order, struct mm_struct *parent, u64 *patience);

#endif /* PVX_GUEST_FORK_ORDER_H */
