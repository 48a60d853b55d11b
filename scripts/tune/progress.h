/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How much work the load of this machine has done
 */
#ifndef PVX_TUNE_PROGRESS_H
#define PVX_TUNE_PROGRESS_H

/*
 * From a file that begins with a number, which the load has grow; NULL: as progress.bpf.c counts
 * it. Both end the program where that cannot be done, and say what is missing.
 */
void progress_open(const char *path);
double progress_read(void);

#endif /* PVX_TUNE_PROGRESS_H */
