/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVXCTL_H
#define PVXCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <linux/kvm_pvx.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* print.c: text and JSON */

#define FEATURE_NAME_LEN	16
/* 64 names and their commas */
#define FEATURE_LIST_LEN	(64 * FEATURE_NAME_LEN)

const char *feature_list(__u64 mask, char list[FEATURE_LIST_LEN]);
/* Returns 0 if no feature has that name. */
__u64 feature_mask(const char *name);

/* Pads on the right to @width, does not truncate. */
void put_plain(const char *s, int width);
void put_field(const char *key, const char *value);
void put_number(const char *key, unsigned long long value);
void put_features(const char *key, __u64 mask);

void json_string(const char *s);
void json_value(const char *s);
void json_features(__u64 mask);

/* vmm.c: the VMs of a process */

struct vm {
	int fd;			/* ours */
	int vmm_fd;		/* the number that the VMM knows it by */
	bool known;		/* @query was answered */
	struct pvx_query query;
};

struct vmm {
	pid_t pid;
	char command[64];
	struct vm *vms;
	size_t count;
};

/*
 * Find the VMs of process @pid, or only the one at @vmm_fd unless that is -1.
 *
 * Returns 0 if there is none, too, or a negative error: -ESRCH (no such
 * process, or it is gone by now), -EBADF or -ENOTTY (@vmm_fd is not open, or
 * is no VM), or another. To be released only where this returns 0.
 */
int vmm_scan(struct vmm *vmm, pid_t pid, int vmm_fd);
/* Returns -1 if a query failed and was reported; the other VMs are known. */
int vmm_query(struct vmm *vmm, int dev);
void vmm_release(struct vmm *vmm);

/* counters.c: what the host tells of a VM in debugfs */

typedef void note_fn(void *data, const char *key, const char *value);
/* Notes all counters whose names begin with @prefix. Returns -1 if there are none. */
int read_feature(__u32 id, const char *prefix, note_fn *note, void *data);

/* What KSM's candidates came to, in pages. */
struct ksm {
	bool shares;
	unsigned long long candidates;
	unsigned long long matched;
	unsigned long long marked;
	unsigned long long merged;
};

/* Returns -1 if the VM has no candidates, or that could not be read. */
int read_ksm(__u32 id, struct ksm *ksm);
unsigned long long ksm_saved(const struct ksm *ksm);

/* numa.c: where a VM's vCPUs are, and where their memory is */

/* Nothing for a VM that has said nothing. @first: of a list; changed. */
void put_numa(const struct vmm *vmm, __u32 id);
void json_numa(const struct vmm *vmm, __u32 id, bool *first);

/* counters.c: both return -1 if something could not be read and was reported. */
int put_counters(__u32 id);
int json_counters(__u32 id);

#endif /* PVXCTL_H */
