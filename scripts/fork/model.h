/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVX_FORK_MODEL_H
#define PVX_FORK_MODEL_H

#include <stddef.h>

/**
 * struct model - what copying after a fork costs on this machine, in nanoseconds
 * @fault: t0, a write fault without the copy, per page
 * @guest_copy: 1/beta, the copy that the guest makes in a fault, per byte
 * @threads: that copy side by side where there is enough for them
 * @batch_copy: 1/gamma, the copy in a batch, per byte, by all of them
 * @table: tu, what else is done per page in a batch, by all of them
 * @fixed: c, what a fork that copies costs more than another one, however small
 * @together: the same where several threads copy, which are woken up and waited for
 * @fork: one that copies nothing, of as much memory as was tried
 */
struct model {
	double	fault;
	double	guest_copy;
	double	threads;
	double	batch_copy;
	double	table;
	double	fixed;
	double	together;
	double	fork;
};

int model_measure(struct model *m, int device, size_t bytes);
double model_speedup(const struct model *m, double written, double bytes);
double model_threshold(const struct model *m, double written);

#endif /* PVX_FORK_MODEL_H */
