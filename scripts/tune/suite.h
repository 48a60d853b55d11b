/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What pvx_host tells of its VMs in debugfs, as numbers
 */
#ifndef PVX_TUNE_SUITE_H
#define PVX_TUNE_SUITE_H

#include <stddef.h>
#include <sys/types.h>

/**
 * enum suite_counter - what is told of a VM, since its first call
 * @SUITE_CALLS: hypercalls
 * @SUITE_REFUSED: of these, refused
 * @SUITE_YIELDS: directed yields
 * @SUITE_BOOSTED: of these, to a vCPU that was run for it
 * @SUITE_BOOST_US: boosted time in us
 * @SUITE_COPIED: pages that were copied
 * @SUITE_COUNTERS: how many there are
 */
enum suite_counter {
	SUITE_CALLS,
	SUITE_REFUSED,
	SUITE_YIELDS,
	SUITE_BOOSTED,
	SUITE_BOOST_US,
	SUITE_COPIED,
	SUITE_COUNTERS,
};

/**
 * struct suite_vm - one VM
 * @id: the host's number for it
 * @vmm: its VMM
 * @counters: by enum suite_counter
 * @merged: pages that KSM has merged just now
 * @remote_permille: of its use of memory, what is remote just now; negative: not known
 */
struct suite_vm {
	unsigned int		id;
	pid_t			vmm;
	unsigned long long	counters[SUITE_COUNTERS];
	unsigned long long	merged;
	long			remote_permille;
};

/**
 * struct suite - all of them
 * @vms: an array; to be given to suite_free()
 * @count: its length
 */
struct suite {
	struct suite_vm	*vms;
	size_t		count;
};

/* Where pvx_host is not loaded, there is none. Returns 0, or -1 if there is no memory. */
int suite_read(struct suite *suite);
void suite_free(struct suite *suite);
const struct suite_vm *suite_find(const struct suite *suite, unsigned int id);

#endif /* PVX_TUNE_SUITE_H */
