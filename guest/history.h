/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How much had been stolen from a CPU at a time in the past
 */
#ifndef PVX_HISTORY_H
#define PVX_HISTORY_H

#include <linux/types.h>

struct pvx_history;

struct pvx_history *pvx_history_alloc(int node, u64 now);
void pvx_history_free(struct pvx_history *history);
void pvx_history_note(struct pvx_history *history, u64 now, u64 stolen);
bool pvx_history_at(const struct pvx_history *history, u64 time, u64 *stolen);

#endif /* PVX_HISTORY_H */
