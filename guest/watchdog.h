/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's watchdogs on effective time
 */
#ifndef PVX_WATCHDOG_H
#define PVX_WATCHDOG_H

#include "part.h"

extern struct pvx_part pvx_soft_lockup;
extern struct pvx_part pvx_rcu_stall;

u64 pvx_soft_lockup_corrections(void);
u64 pvx_rcu_stalls_held(void);

#endif /* PVX_WATCHDOG_H */
