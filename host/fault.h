/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Allocations that fail, in builds for tests ("make PVX_FAULTS=y"); else there is nothing here
 *
 * What is allocated by these functions in a file that includes this fails as often as
 * pvx_host's parameter fail_nth says, or pvx_guest's, see guest/fault.h. Debian's kernels have no
 * fault injection of their own.
 */
#ifndef PVX_HOST_FAULT_H
#define PVX_HOST_FAULT_H

#ifdef PVX_FAULTS

#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>

#ifndef PVX_FAILS
#define PVX_FAILS	pvx_host_fails
#endif

bool PVX_FAILS(void);

static inline void *pvx_fault_kmalloc(size_t size, gfp_t gfp)
{
	return PVX_FAILS() ? NULL : kmalloc(size, gfp);
}

static inline void *pvx_fault_kzalloc(size_t size, gfp_t gfp)
{
	return PVX_FAILS() ? NULL : kzalloc(size, gfp);
}

static inline void *pvx_fault_kvzalloc(size_t size, gfp_t gfp)
{
	return PVX_FAILS() ? NULL : kvzalloc(size, gfp);
}

static inline void *pvx_fault_kvmalloc_array(size_t n, size_t size, gfp_t gfp)
{
	return PVX_FAILS() ? NULL : kvmalloc_array(n, size, gfp);
}

static inline void *pvx_fault_kvcalloc(size_t n, size_t size, gfp_t gfp)
{
	return PVX_FAILS() ? NULL : kvcalloc(n, size, gfp);
}

static inline void *pvx_fault_vzalloc(unsigned long size)
{
	return PVX_FAILS() ? NULL : vzalloc(size);
}

static inline unsigned long pvx_fault_get_free_pages(gfp_t gfp, unsigned int order)
{
	return PVX_FAILS() ? 0 : __get_free_pages(gfp, order);
}

static inline void __percpu *pvx_fault_alloc_percpu(size_t size, size_t align, gfp_t gfp)
{
	return PVX_FAILS() ? NULL : __alloc_percpu_gfp(size, align, gfp);
}

static inline int pvx_fault_xa_alloc(struct xarray *xa, u32 *id, void *entry, struct xa_limit limit,
				     gfp_t gfp)
{
	return PVX_FAILS() ? -ENOMEM : xa_alloc(xa, id, entry, limit, gfp);
}

/* As the real one does, it leaves no pointer. */
static inline bool pvx_fault_zalloc_cpumask_var(cpumask_var_t *mask, gfp_t gfp)
{
	if (!PVX_FAILS())
		return zalloc_cpumask_var(mask, gfp);
#ifdef CONFIG_CPUMASK_OFFSTACK
	*mask = NULL;
#endif
	return false;
}

/* Some of them are macros already. */
#undef kmalloc
#undef kzalloc
#undef kvzalloc
#undef kvmalloc_array
#undef kvcalloc
#undef vzalloc
#undef __get_free_pages
#undef alloc_percpu_gfp
#define kmalloc			pvx_fault_kmalloc
#define kzalloc			pvx_fault_kzalloc
#define kvzalloc		pvx_fault_kvzalloc
#define kvmalloc_array		pvx_fault_kvmalloc_array
#define kvcalloc		pvx_fault_kvcalloc
#define vzalloc			pvx_fault_vzalloc
#define zalloc_cpumask_var	pvx_fault_zalloc_cpumask_var
#define __get_free_pages	pvx_fault_get_free_pages
#define alloc_percpu_gfp(type, gfp) \
	((typeof(type) __percpu *)pvx_fault_alloc_percpu(sizeof(type), __alignof__(type), gfp))
/* With its arguments, as a struct has a member of that name. */
#define xa_alloc(xa, id, entry, limit, gfp) \
	pvx_fault_xa_alloc(xa, id, entry, limit, gfp)

#endif /* PVX_FAULTS */

#endif /* PVX_HOST_FAULT_H */
