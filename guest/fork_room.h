/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVX_GUEST_FORK_ROOM_H
#define PVX_GUEST_FORK_ROOM_H

#include <linux/types.h>

struct mm_struct;

bool pvx_fork_has_room(struct mm_struct *mm, int node, u64 took, u32 count);

#endif /* PVX_GUEST_FORK_ROOM_H */
