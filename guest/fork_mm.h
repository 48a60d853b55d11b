/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVX_GUEST_FORK_MM_H
#define PVX_GUEST_FORK_MM_H

#include <linux/types.h>

struct mm_struct;
struct page;

/**
 * struct pvx_fork_page - a page that two processes share since a fork
 * @addr: where both have it
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
unsigned long pvx_fork_collect(struct mm_struct *mm, unsigned long from,
			       struct pvx_fork_page *pages, u32 most, u32 *count);
u32 pvx_fork_allocate(struct mm_struct *mm, struct pvx_fork_page *pages, u32 count);
u32 pvx_fork_install(struct mm_struct *mm, struct pvx_fork_page *pages, u32 count);
u32 pvx_fork_own(struct mm_struct *mm, struct pvx_fork_page *pages, u32 count);
void pvx_fork_put(struct pvx_fork_page *pages, u32 count);

#endif /* PVX_GUEST_FORK_MM_H */
