// SPDX-License-Identifier: GPL-2.0
/*
 * What pvx_host tells of its VMs in debugfs, as numbers
 */
#define _GNU_SOURCE
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counter.h"
#include "suite.h"
#include "tool.h"

#define COUNTERS	"/sys/kernel/debug/pvx_host"
/* KVM names the thread that made the VM, which need not be the VMM's first one. */
static pid_t process_of(pid_t tid)
{
	char path[32], line[128];
	pid_t pid = tid;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	file = fopen(path, "re");
	if (!file)
		return tid;
	while (fgets(line, sizeof(line), file) && sscanf(line, "Tgid: %d", &pid) != 1)
		;
	fclose(file);
	return pid;
}

/* What several keys say is added up. */
static const struct {
	const char		*key;
	enum suite_counter	counter;
} keys[] = {
	{ "calls", SUITE_CALLS },
	{ "refused", SUITE_REFUSED },
	{ "yield_boosted", SUITE_BOOSTED },
	{ "yield_boosted_far", SUITE_BOOSTED },
	{ "yield_woken", SUITE_BOOSTED },
	{ "yield_boost_us", SUITE_BOOST_US },
	{ "fork_copied", SUITE_COPIED },
};

/* Whatever came of a directed yield, it is one. */
static int is_yield(const char *key)
{
	return !strncmp(key, "yield_", 6) && strcmp(key, "yield_boost_us");
}

static void note(void *data, const char *key, const char *value)
{
	struct suite_vm *vm = data;
	size_t i;

	if (!strcmp(key, "vmm"))
		vm->vmm = process_of(atoi(value));
	else if (!strcmp(key, "ksm_merged"))
		vm->merged = strtoull(value, NULL, 10);
	else if (!strcmp(key, "numa_remote_permille"))
		vm->remote_permille = atol(value);
	if (is_yield(key))
		vm->counters[SUITE_YIELDS] += strtoull(value, NULL, 10);
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(key, keys[i].key))
			vm->counters[keys[i].counter] += strtoull(value, NULL, 10);
}

static void read_vm(struct suite_vm *vm, const char *folder)
{
	static const char * const names[] = { "core", "features" };
	char path[256];
	size_t i;

	*vm = (struct suite_vm){ .remote_permille = -1 };
	vm->id = atoi(strrchr(folder, '/') + 1);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		counter_each(path, note, vm);
	}
}

int suite_read(struct suite *suite)
{
	glob_t folders;
	size_t i;

	*suite = (struct suite){ 0 };
	if (glob(COUNTERS "/[0-9]*", GLOB_ONLYDIR, NULL, &folders))
		return 0;
	suite->vms = calloc(folders.gl_pathc, sizeof(*suite->vms));
	for (i = 0; suite->vms && i < folders.gl_pathc; i++)
		read_vm(&suite->vms[suite->count++], folders.gl_pathv[i]);
	globfree(&folders);
	return suite->vms ? 0 : -1;
}

void suite_free(struct suite *suite)
{
	free(suite->vms);
	*suite = (struct suite){ 0 };
}

const struct suite_vm *suite_find(const struct suite *suite, unsigned int id)
{
	size_t i;

	for (i = 0; i < suite->count; i++)
		if (suite->vms[i].id == id)
			return &suite->vms[i];
	return NULL;
}
