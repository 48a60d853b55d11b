/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVX_HOST_KSM_MARK_H
#define PVX_HOST_KSM_MARK_H

#include "ksm_memory.h"

struct mm_struct;

int pvx_ksm_mark_init(void);
bool pvx_ksm_settle(struct mm_struct *mm, struct pvx_ksm_memory *memory, u32 ranges,
		    u32 least);
int pvx_ksm_unmark(struct mm_struct *mm, struct pvx_ksm_memory *memory, int tries);

#endif /* PVX_HOST_KSM_MARK_H */
