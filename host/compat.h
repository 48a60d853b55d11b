/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All that differs between the kernels the host modules are built for
 *
 * Supported: 6.1 to 6.12. What a header or Module.symvers can tell is probed
 * (PVX_HAVE_*, set by the Makefile); the rest compares versions, here only.
 */
#ifndef PVX_HOST_COMPAT_H
#define PVX_HOST_COMPAT_H

#include <linux/ftrace.h>

/* The arguments of a traced function; opaque from 6.13 on. */
#ifdef arch_ftrace_regs
#define pvx_fregs(fregs)	(&arch_ftrace_regs(fregs)->regs)
#else
#define pvx_fregs(fregs)	(&(fregs)->regs)
#endif

#endif /* PVX_HOST_COMPAT_H */
