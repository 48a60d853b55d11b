/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which nodes the memory of another process may be on, by its policies
 */
#ifndef PVX_TUNE_MEMPOLICY_H
#define PVX_TUNE_MEMPOLICY_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Whether memory of a process may go to a node: that without a policy anywhere, that with one to
 * the nodes that it names, and none of what is interleaved. What a process says is remembered for
 * a minute, since the kernel goes over all of its page tables to tell it. False also where that
 * cannot be told.
 */
bool mempolicy_allows(pid_t pid, unsigned long address, unsigned long long bytes,
		      unsigned int node);

#endif /* PVX_TUNE_MEMPOLICY_H */
