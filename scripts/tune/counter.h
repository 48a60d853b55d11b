/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters in files of debugfs, a "key=value" per line
 */
#ifndef PVX_TUNE_COUNTER_H
#define PVX_TUNE_COUNTER_H

/* Calls @note for each line of the file at @path, if there is one. */
void counter_each(const char *path, void (*note)(void *data, const char *key, const char *value),
		  void *data);

/* Those of @key in all files that match @pattern, added up; 0 where there are none. */
unsigned long long counter_read(const char *pattern, const char *key);

#endif /* PVX_TUNE_COUNTER_H */
