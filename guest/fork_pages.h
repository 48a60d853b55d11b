/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVX_GUEST_FORK_PAGES_H
#define PVX_GUEST_FORK_PAGES_H

#include <linux/types.h>

struct page;

/**
 * struct pvx_fork_pages - free pages that were taken at once
 * @next: the one that is given out next
 * @left: how many there are
 * @pause: for how many pages it is not tried again to take some
 */
struct pvx_fork_pages {
	struct page	*next;
	u32		left;
	u32		pause;
};

struct page *pvx_fork_page_get(struct pvx_fork_pages *pages, int node);
bool pvx_fork_pages_wait(struct pvx_fork_pages *pages, int node);
void pvx_fork_pages_drain(struct pvx_fork_pages *pages);

#endif /* PVX_GUEST_FORK_PAGES_H */
