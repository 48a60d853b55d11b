/* SPDX-License-Identifier: GPL-2.0 */
/*
 * As much of the kernel as guest/history.c needs, in user space
 */
#ifndef PVX_SHIM_MM_H
#define PVX_SHIM_MM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

typedef uint64_t u64;

#define NSEC_PER_MSEC	1000000L
#define GFP_KERNEL	0

#define READ_ONCE(x)	(*(const volatile __typeof__(x) *)&(x))

static inline void *kvzalloc_node(size_t size, int flags, int node)
{
	(void)flags;
	(void)node;
	return calloc(1, size);
}

static inline void kvfree(void *p)
{
	free(p);
}

#endif /* PVX_SHIM_MM_H */
