/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVX_HOST_NUMA_BIND_H
#define PVX_HOST_NUMA_BIND_H

#include <linux/cpumask.h>
#include <linux/types.h>

struct task_struct;

/**
 * struct pvx_numa_bind - a thread that is kept on a node's CPUs
 * @task: the thread, held; NULL while it is not
 * @token: pvx_affinity_token() when its mask was last known not to be somebody else's
 * @hotplugs: how often CPUs had come or gone when it was last seen to be what we set
 * @theirs: what it was allowed before
 * @ours: what it is allowed by us
 * @mask: room for another one
 */
struct pvx_numa_bind {
	struct task_struct	*task;
	u64			token;
	int			hotplugs;
	cpumask_var_t		theirs;
	cpumask_var_t		ours;
	cpumask_var_t		mask;
};

int pvx_numa_bind_init(void);
void pvx_numa_bind_exit(void);
bool pvx_numa_bind_alloc(struct pvx_numa_bind *bind);
void pvx_numa_bind_free(struct pvx_numa_bind *bind);
bool pvx_numa_bind_look(struct pvx_numa_bind *bind);
void pvx_numa_allowed(struct pvx_numa_bind *bind, struct task_struct *task,
		      struct cpumask *allowed);
bool pvx_numa_bind(struct pvx_numa_bind *bind, struct task_struct *task, int node);
bool pvx_numa_unbind(struct pvx_numa_bind *bind);

#endif /* PVX_HOST_NUMA_BIND_H */
