/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a VMM is called, and what it calls its VM
 *
 * Both are its own words: what could do harm on a terminal, or would need quotes, is a ?.
 */
#ifndef PVX_TUNE_VMM_H
#define PVX_TUNE_VMM_H

#include <sys/types.h>

#define VMM_COMMAND_SIZE	16
#define VMM_VM_SIZE		64

/* The name of its process; empty if there is none any more. */
void vmm_command(pid_t pid, char command[VMM_COMMAND_SIZE]);
/* What follows QEMU's -name, as pvx-grants has it, else the name of its process. */
void vmm_vm(pid_t pid, char vm[VMM_VM_SIZE]);

#endif /* PVX_TUNE_VMM_H */
