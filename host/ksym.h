/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's functions that KVM may keep to itself
 *
 * From 6.18 on KVM exports nothing to modules but its own. Each function of
 * KVM's that we call stands in ksym-list.h and is called as ksym(name)(...).
 * Where it is exported that is an ordinary call. With PVX_KSYM_BY_NAME (make
 * KSYM=byname) it is looked up by name when pvx_host is loaded and called
 * through a static call: a direct call, because functions nobody takes the
 * address of have no ENDBR on kernels with IBT.
 */
#ifndef PVX_HOST_KSYM_H
#define PVX_HOST_KSYM_H

#include <linux/kvm_host.h>

#ifdef PVX_KSYM_BY_NAME
#include <linux/static_call.h>

#define PVX_KSYM(func)	DECLARE_STATIC_CALL(pvx_ksym_##func, func)
#include "ksym-list.h"

#define ksym(name)	static_call(pvx_ksym_##name)
#else
#define ksym(name)	name
#endif

int pvx_ksym_init(void);
void pvx_ksym_exit(void);

#endif /* PVX_HOST_KSYM_H */
