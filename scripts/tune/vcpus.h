/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading what vcpu.bpf.c has counted
 */
#ifndef PVX_TUNE_VCPUS_H
#define PVX_TUNE_VCPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "vcpu.h"

struct vcpu_bpf;

/**
 * struct vcpu_row - a vCPU as it was when it was read
 * @tid: its thread
 * @v: what was counted, up to then
 */
struct vcpu_row {
	pid_t		tid;
	struct vcpu	v;
};

/**
 * struct vcpu_rows - all of them, by VMM and number
 * @rows: an array; to be given to vcpu_rows_free()
 * @count: its length
 * @at: when they were read, ns of CLOCK_MONOTONIC
 * @missed: how many events were not seen
 * @sees_calls: is it known what each has asked pvx_host for?
 */
struct vcpu_rows {
	struct vcpu_row		*rows;
	size_t			count;
	unsigned long long	at;
	unsigned long long	missed;
	bool			sees_calls;
};

/* Ends the program where that cannot be done, and says what is missing. */
struct vcpu_bpf *vcpus_open(pid_t only_tgid);
void vcpus_close(struct vcpu_bpf *bpf);

/*
 * From now on, or no more, calls are counted by vCPU, as far as our modules are loaded; meanwhile
 * they cannot be unloaded.
 */
void vcpus_see_calls(struct vcpu_bpf *bpf, bool wanted);

/* Returns 0, or -1 if there is no memory. */
int vcpu_rows_read(struct vcpu_bpf *bpf, struct vcpu_rows *rows);
void vcpu_rows_free(struct vcpu_rows *rows);
/* Returns 0, or -1 if there is no memory. */
int vcpu_rows_copy(struct vcpu_rows *to, const struct vcpu_rows *from);

/* @then is subtracted from @now; what has come since stays as it is, what has gone is not there. */
void vcpu_rows_since(struct vcpu_rows *now, const struct vcpu_rows *then);

/* The one of the same vCPU and thread; NULL if there is none. */
const struct vcpu_row *vcpu_rows_find(const struct vcpu_rows *rows, const struct vcpu_row *row);

const char *vcpu_state_name(enum vcpu_state state);
/* Of an index of struct vcpu's exits; NULL if it has none. */
const char *vcpu_reason_name(unsigned int isa, unsigned int reason);

unsigned long long vcpu_sum(const struct vcpu *v);
unsigned long long vcpu_exits(const struct vcpu *v);

#endif /* PVX_TUNE_VCPUS_H */
