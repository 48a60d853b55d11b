/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVX_GUEST_KSM_PAGE_H
#define PVX_GUEST_KSM_PAGE_H

#include <linux/types.h>

#include <linux/kvm_pvx.h>

struct folio;
struct page;

/**
 * enum pvx_ksm_turn - which pages are looked at; the likeliest come first
 * @PVX_KSM_MAPPED: of files that are mapped: programs and libraries
 * @PVX_KSM_FILES: of other files, but not in tmpfs, and the kernel's image
 * @PVX_KSM_OTHERS: all others
 * @PVX_KSM_TURNS: how many there are
 */
enum pvx_ksm_turn {
	PVX_KSM_MAPPED,
	PVX_KSM_FILES,
	PVX_KSM_OTHERS,
	PVX_KSM_TURNS,
};

/**
 * struct pvx_ksm_page - a page that is looked at
 * @page: the page
 * @folio: what it belongs to, locked; or NULL
 * @content: where its content can be read while it is not put
 * @class: PVX_KSM_*, or 0 where it is no candidate
 * @tag: which page of which file it is, in twelve bits
 * @steady: it seldom changes without a trace, so there is no need to look at it twice
 *	with time in between
 */
struct pvx_ksm_page {
	struct page	*page;
	struct folio	*folio;
	const void	*content;
	u32		class;
	u32		tag;
	bool		steady;
};

int pvx_ksm_page_init(void);
void pvx_ksm_page_exit(void);
bool pvx_ksm_page_get(struct pvx_ksm_page *p, unsigned long pfn, enum pvx_ksm_turn turn);
u64 pvx_ksm_page_hash(const struct pvx_ksm_page *p);
void pvx_ksm_page_put(struct pvx_ksm_page *p);

#endif /* PVX_GUEST_KSM_PAGE_H */
