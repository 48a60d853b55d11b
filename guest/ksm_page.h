/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVX_GUEST_KSM_PAGE_H
#define PVX_GUEST_KSM_PAGE_H

#include <linux/types.h>

#include <linux/kvm_pvx.h>

struct folio;
struct page;

/**
 * struct pvx_ksm_page - a page that is looked at
 * @page: the page
 * @folio: what it belongs to, locked; or NULL
 * @class: PVX_KSM_*, or 0 where it is no candidate
 * @tag: which page of which file it is, in twelve bits
 */
struct pvx_ksm_page {
	struct page	*page;
	struct folio	*folio;
	u32		class;
	u32		tag;
};

bool pvx_ksm_page_get(struct pvx_ksm_page *p, unsigned long pfn, bool mapped);
u64 pvx_ksm_page_hash(const struct pvx_ksm_page *p);
void pvx_ksm_page_put(struct pvx_ksm_page *p);

#endif /* PVX_GUEST_KSM_PAGE_H */
