// SPDX-License-Identifier: GPL-2.0
/*
 * Counters in files of debugfs, a "key=value" per line
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counter.h"

static unsigned long long read_file(const char *path, const char *key)
{
	const size_t length = strlen(key);
	unsigned long long sum = 0;
	size_t size = 0;
	char *line = NULL;
	FILE *file = fopen(path, "re");

	/* A VM may have gone by now. */
	if (!file)
		return 0;
	while (getline(&line, &size, file) >= 0)
		if (!strncmp(line, key, length) && line[length] == '=')
			sum += strtoull(line + length + 1, NULL, 10);
	free(line);
	fclose(file);
	return sum;
}

unsigned long long counter_read(const char *pattern, const char *key)
{
	unsigned long long sum = 0;
	glob_t files;
	size_t i;

	if (glob(pattern, 0, NULL, &files))
		return 0;
	for (i = 0; i < files.gl_pathc; i++)
		sum += read_file(files.gl_pathv[i], key);
	globfree(&files);
	return sum;
}
