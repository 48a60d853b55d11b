/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The same as host/fault.h, for more functions, by pvx_guest's parameter fail_nth
 */
#ifndef PVX_GUEST_FAULT_H
#define PVX_GUEST_FAULT_H

#ifdef PVX_FAULTS

#include <linux/gfp.h>

#define PVX_FAILS	pvx_guest_fails
#include "../host/fault.h"

static inline void *pvx_fault_kvzalloc_node(size_t size, gfp_t gfp, int node)
{
	return PVX_FAILS() ? NULL : kvzalloc_node(size, gfp, node);
}

static inline void *pvx_fault_vmalloc(unsigned long size, gfp_t gfp)
{
	return PVX_FAILS() ? NULL : __vmalloc(size, gfp);
}

static inline void *pvx_fault_alloc_pages_exact(size_t size, gfp_t gfp)
{
	return PVX_FAILS() ? NULL : alloc_pages_exact(size, gfp);
}

static inline struct page *pvx_fault_alloc_pages_node(int node, gfp_t gfp, unsigned int order)
{
	return PVX_FAILS() ? NULL : alloc_pages_node(node, gfp, order);
}

static inline unsigned long pvx_fault_get_zeroed_page(gfp_t gfp)
{
	return PVX_FAILS() ? 0 : get_zeroed_page(gfp);
}

#undef kvzalloc_node
#undef __vmalloc
#undef alloc_pages_exact
#undef alloc_pages_node
#undef get_zeroed_page
#define kvzalloc_node		pvx_fault_kvzalloc_node
#define __vmalloc		pvx_fault_vmalloc
#define alloc_pages_exact	pvx_fault_alloc_pages_exact
#define alloc_pages_node	pvx_fault_alloc_pages_node
#define get_zeroed_page		pvx_fault_get_zeroed_page

#endif /* PVX_FAULTS */

#endif /* PVX_GUEST_FAULT_H */
