// SPDX-License-Identifier: GPL-2.0
/*
 * What the host tells of a VM in debugfs, whatever that is by now
 *
 * The VM's folder holds files of "key=value" lines. Nothing else is assumed,
 * so that a new feature's file shows without a change here.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pvxctl.h"

#define COUNTERS	"/sys/kernel/debug/pvx_host"

#define DIR_LEN		(sizeof(COUNTERS) + 16)

static int is_regular(const struct dirent *entry)
{
	return entry->d_type == DT_REG;
}

static int list_files(__u32 id, char dir[DIR_LEN], struct dirent ***files)
{
	int count;

	snprintf(dir, DIR_LEN, COUNTERS "/%u", id);
	count = scandir(dir, files, is_regular, alphasort);
	if (count < 0)
		warn("%s", dir);
	return count;
}

/* Cut the next "key=value" line in two; both are valid until the next call. */
static bool next_counter(FILE *file, char **line, size_t *size, char **value)
{
	while (getline(line, size, file) >= 0) {
		*value = strchr(*line, '=');
		if (!*value)
			continue;
		*(*value)++ = '\0';
		(*value)[strcspn(*value, "\n")] = '\0';
		return true;
	}
	return false;
}

static void put_counter(const char *name, const char *key, const char *value)
{
	put_plain(name, 0);
	putchar('.');
	put_plain(key, 23 - (int)strlen(name));
	fputs("  ", stdout);
	put_plain(value, 0);
	putchar('\n');
}

static int print_file(const char *dir, const char *name, bool json)
{
	char *line = NULL, *value;
	const char *comma = "";
	char path[PATH_MAX];
	size_t size = 0;
	FILE *file;
	int ret = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "re");
	if (!file) {
		warn("%s", path);
		return -1;
	}
	while (next_counter(file, &line, &size, &value)) {
		if (!json) {
			put_counter(name, line, value);
			continue;
		}
		fputs(comma, stdout);
		json_string(line);
		putchar(':');
		json_value(value);
		comma = ",";
	}
	if (ferror(file)) {
		warn("%s", path);
		ret = -1;
	}
	free(line);
	fclose(file);
	return ret;
}

int put_counters(__u32 id)
{
	struct dirent **files;
	char dir[DIR_LEN];
	int count, i;
	int ret = 0;

	count = list_files(id, dir, &files);
	if (count < 0)
		return -1;
	for (i = 0; i < count; i++) {
		ret |= print_file(dir, files[i]->d_name, false);
		free(files[i]);
	}
	free(files);
	return ret;
}

int json_counters(__u32 id)
{
	struct dirent **files;
	char dir[DIR_LEN];
	int count, i;
	int ret = 0;

	count = list_files(id, dir, &files);
	if (count < 0) {
		fputs("null", stdout);
		return -1;
	}
	putchar('{');
	for (i = 0; i < count; i++) {
		if (i)
			putchar(',');
		json_string(files[i]->d_name);
		fputs(":{", stdout);
		ret |= print_file(dir, files[i]->d_name, true);
		putchar('}');
		free(files[i]);
	}
	putchar('}');
	free(files);
	return ret;
}

static void note_ksm(void *data, const char *key, const char *value)
{
	struct ksm *ksm = data;
	unsigned long long n = strtoull(value, NULL, 10);

	if (!strcmp(key, "ksm_shares"))
		ksm->shares = n;
	else if (!strcmp(key, "ksm_candidates"))
		ksm->candidates = n;
	else if (!strcmp(key, "ksm_matched"))
		ksm->matched = n;
	else if (!strcmp(key, "ksm_marked"))
		ksm->marked = n;
	else if (!strcmp(key, "ksm_merged"))
		ksm->merged = n;
}

int read_feature(__u32 id, const char *prefix, note_fn *note, void *data)
{
	char *line = NULL, *value;
	char path[PATH_MAX];
	bool found = false;
	size_t size = 0;
	FILE *file;

	snprintf(path, sizeof(path), COUNTERS "/%u/features", id);
	file = fopen(path, "re");
	if (!file)
		return -1;
	while (next_counter(file, &line, &size, &value)) {
		if (strncmp(line, prefix, strlen(prefix)))
			continue;
		found = true;
		note(data, line, value);
	}
	free(line);
	fclose(file);
	return found ? 0 : -1;
}

int read_ksm(__u32 id, struct ksm *ksm)
{
	*ksm = (struct ksm){ 0 };
	return read_feature(id, "ksm_", note_ksm, ksm);
}

static unsigned long long ksm_counter(const char *name)
{
	unsigned long long n = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/kernel/mm/ksm/%s", name);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%llu", &n) != 1)
		n = 0;
	fclose(file);
	return n;
}

/* KSM does not tell who keeps the page that others share: all alike. */
unsigned long long ksm_saved(const struct ksm *ksm)
{
	unsigned long long shared = ksm_counter("pages_shared");
	unsigned long long sharing = ksm_counter("pages_sharing");

	if (!sharing)
		return 0;
	return ksm->merged * sharing / (shared + sharing) * sysconf(_SC_PAGESIZE);
}
