/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Parts of a module that are switched on and off by a parameter
 */
#ifndef PVX_PART_H
#define PVX_PART_H

#include <linux/moduleparam.h>
#include <linux/types.h>

#include "pvx_guest.h"

/**
 * struct pvx_part - a part of a module
 * @on: what its parameter says
 * @runs: whether its hooks are in place
 * @hooks: what makes it run
 * @count: how many
 * @prepare: called before its hooks are put in; NULL: nothing to do
 * @settle: called when they are out; NULL: nothing to do
 *
 * Parameters: module_param_cb(name, &pvx_part_ops, &part, 0644).
 */
struct pvx_part {
	bool			on;
	bool			runs;
	struct pvx_hook		*hooks;
	size_t			count;
	int			(*prepare)(void);
	void			(*settle)(void);
};

extern const struct kernel_param_ops pvx_part_ops;

void pvx_parts_start(struct pvx_part * const *parts, size_t count);
void pvx_parts_stop(struct pvx_part * const *parts, size_t count);

#endif /* PVX_PART_H */
