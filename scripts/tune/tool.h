/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tools share
 */
#ifndef PVX_TUNE_TOOL_H
#define PVX_TUNE_TOOL_H

#include <argp.h>
#include <signal.h>
#include <stdio.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define EXIT_FAILED	1
#define EXIT_USAGE	2

/* Of an option; ends the program where it is none. */
unsigned long tool_positive(struct argp_state *state, const char *arg);

/* What a tool's own parser leaves: -h, as --help; arguments, of which there may be none. */
error_t tool_parse_other(int key, char *arg, struct argp_state *state);

/* Zeroed memory; ends the program where there is none. */
void *tool_allocate(size_t count, size_t size);

/* --- time ------------------------------------------------------------------ */

/* Set by SIGINT and SIGTERM from tool_end_on_signals() on, by others from tool_end_on() on. */
extern volatile sig_atomic_t tool_ended;
void tool_end_on_signals(void);
void tool_end_on(int signal);

/* Return early when the program is to end. */
void tool_wait(unsigned long seconds);
void tool_wait_us(unsigned long us);
/* Of CLOCK_MONOTONIC. */
unsigned long long tool_now_ns(void);

/* --- output ---------------------------------------------------------------- */

/* Ends the program where standard output cannot be written. */
void tool_flush(void);
double tool_percent(unsigned long long part, unsigned long long all);
void tool_json_string(const char *s);

/*
 * Who reads the file at @path finds all that was written between these two, or what was there
 * before. Both end the program where that cannot be done.
 */
FILE *tool_rewrite(const char *path);
void tool_replace(FILE *file, const char *path);

#endif /* PVX_TUNE_TOOL_H */
