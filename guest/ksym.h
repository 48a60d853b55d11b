/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVX_GUEST_KSYM_H
#define PVX_GUEST_KSYM_H

unsigned long pvx_ksym_find(const char *name);

#endif /* PVX_GUEST_KSYM_H */
