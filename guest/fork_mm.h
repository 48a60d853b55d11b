/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVX_GUEST_FORK_MM_H
#define PVX_GUEST_FORK_MM_H

#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/rmap.h>
#include <linux/static_call.h>
#include <linux/swap.h>
#include <linux/types.h>

#include "compat.h"
#include "fork_pages.h"

/*
 * What the kernel keeps to itself; direct calls, because kernels with IBT have no
 * ENDBR where nobody takes a function's address.
 */
#define FORK_KSYM(name)	DECLARE_STATIC_CALL(pvx_##name, name)
#include "fork_ksym.h"
#define mm_call(name)	static_call(pvx_##name)

/** PVX_FORK_DROPPED - in place of the address of a page that changed meanwhile */
#define PVX_FORK_DROPPED	(~0UL)

/**
 * struct pvx_fork_page - a page that two processes share since a fork
 * @addr: where both have it, or PVX_FORK_DROPPED
 * @entry: the page-table entry of the one that is to get its own, as it was found
 * @old: the page, held
 * @new: what that process gets instead, held; or NULL
 */
struct pvx_fork_page {
	unsigned long	addr;
	unsigned long	entry;
	struct page	*old;
	struct page	*new;
};

int pvx_fork_mm_init(void);
bool pvx_fork_lock(struct mm_struct *mm, u64 *patience);
bool pvx_fork_is_ours(struct vm_area_struct *vma);
struct vm_area_struct *pvx_fork_find_ours(struct mm_struct *mm, unsigned long addr);
unsigned long pvx_fork_next_table(struct mm_struct *mm, unsigned long addr,
				  unsigned long end);
u32 pvx_fork_count_written(struct mm_struct *mm, unsigned long from, unsigned long end);
unsigned long pvx_fork_collect(struct mm_struct *mm, unsigned long from, unsigned long end,
			       struct pvx_fork_page *pages, u32 most, u32 *count);
u32 pvx_fork_allocate(struct mm_struct *mm, struct pvx_fork_pages *pool,
		      struct pvx_fork_page *pages, u32 count);
u32 pvx_fork_install(struct mm_struct *mm, struct pvx_fork_page *pages, u32 count);
u32 pvx_fork_own(struct mm_struct *mm, struct pvx_fork_page *pages, u32 count);
void pvx_fork_put(struct pvx_fork_page *pages, u32 count);

#endif /* PVX_GUEST_FORK_MM_H */
