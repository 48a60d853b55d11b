/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading what lockwait.bpf.c has counted
 */
#ifndef PVX_TUNE_LOCKWAITS_H
#define PVX_TUNE_LOCKWAITS_H

#include <stdbool.h>
#include <stddef.h>

#include "lockwait.h"
#include "symbols.h"

struct lockwait_bpf;

/**
 * struct wait_row - waits of one caller for one lock
 * @key: which ones
 * @s: what was counted of them
 */
struct wait_row {
	struct wait_key		key;
	struct wait_stats	s;
};

/**
 * struct wait_rows - all of them, in the order of their keys
 * @rows: an array; to be given to wait_rows_free()
 * @count: its length
 * @no_room: those that have no row of their own, since there are too many
 * @missed: how many were not seen, or given up
 * @without_holder: of how many it is not known whether the holder was preempted
 * @at: when they were read, ns of CLOCK_MONOTONIC
 */
struct wait_rows {
	struct wait_row		*rows;
	size_t			count;
	struct wait_stats	no_room;
	unsigned long long	missed;
	unsigned long long	without_holder;
	unsigned long long	at;
};

/* Ends the program where that cannot be done, and says what is missing. */
struct lockwait_bpf *lockwaits_open(const struct symbols *symbols);
void lockwaits_close(struct lockwait_bpf *bpf);
/* Can it be seen that waiters halt, and has the host told what it steals? */
bool lockwaits_see_halts(const struct lockwait_bpf *bpf);
bool lockwaits_see_steal(const struct lockwait_bpf *bpf);

/* What has come since lockwaits_open(). */
void wait_rows_read(struct lockwait_bpf *bpf, struct wait_rows *rows);
void wait_rows_free(struct wait_rows *rows);
/* What has come since @then; all that is in that is in @now, too. */
void wait_rows_since(struct wait_rows *since, const struct wait_rows *now,
		     const struct wait_rows *then);

void wait_stats_add(struct wait_stats *sum, const struct wait_stats *s);

#endif /* PVX_TUNE_LOCKWAITS_H */
