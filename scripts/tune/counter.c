// SPDX-License-Identifier: GPL-2.0
/*
 * Counters in files of debugfs, a "key=value" per line
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counter.h"

void counter_each(const char *path, void (*note)(void *data, const char *key, const char *value),
		  void *data)
{
	char *line = NULL, *value;
	size_t size = 0;
	FILE *file = fopen(path, "re");

	/* A VM may have gone by now. */
	if (!file)
		return;
	while (getline(&line, &size, file) >= 0) {
		value = strchr(line, '=');
		if (!value)
			continue;
		*value++ = '\0';
		note(data, line, value);
	}
	free(line);
	fclose(file);
}

struct sum {
	const char		*key;
	unsigned long long	value;
};

static void add(void *data, const char *key, const char *value)
{
	struct sum *sum = data;

	if (!strcmp(key, sum->key))
		sum->value += strtoull(value, NULL, 10);
}

unsigned long long counter_read(const char *pattern, const char *key)
{
	struct sum sum = { .key = key };
	glob_t files;
	size_t i;

	if (glob(pattern, 0, NULL, &files))
		return 0;
	for (i = 0; i < files.gl_pathc; i++)
		counter_each(files.gl_pathv[i], add, &sum);
	globfree(&files);
	return sum.value;
}
