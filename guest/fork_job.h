/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVX_GUEST_FORK_JOB_H
#define PVX_GUEST_FORK_JOB_H

#include <linux/types.h>

#include "fork.h"

struct task_struct;

int pvx_fork_job_init(void);
void pvx_fork_job_stop(void);
void pvx_fork_job_exit(void);
u64 pvx_fork_job_count(enum pvx_fork_counter which);
void pvx_fork_privatise(struct pvx_fork_process *process, const struct pvx_fork_setting *setting,
			struct task_struct *child, u64 pages);

#endif /* PVX_GUEST_FORK_JOB_H */
