// SPDX-License-Identifier: GPL-2.0
/*
 * What the tools share
 */
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

unsigned long tool_positive(struct argp_state *state, const char *arg)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(arg, &end, 10);
	if (errno || *end || *arg < '0' || *arg > '9' || !n || n > 1UL << 30)
		argp_error(state, "'%s' is no number from 1 on", arg);
	return n;
}

error_t tool_parse_other(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'h':
		argp_state_help(state, state->out_stream, ARGP_HELP_STD_HELP);
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument '%s'", arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

void *tool_allocate(size_t count, size_t size)
{
	void *memory = calloc(count ?: 1, size);

	if (!memory)
		errx(EXIT_FAILED, "no memory");
	return memory;
}

/* --- time ------------------------------------------------------------------ */

volatile sig_atomic_t tool_ended;

static void end_it(int signal)
{
	(void)signal;
	tool_ended = 1;
}

void tool_end_on(int signal)
{
	struct sigaction end = { .sa_handler = end_it };

	sigaction(signal, &end, NULL);
}

void tool_end_on_signals(void)
{
	tool_end_on(SIGINT);
	tool_end_on(SIGTERM);
}

static void wait_for(struct timespec ts)
{
	while (!tool_ended && nanosleep(&ts, &ts))
		;
}

void tool_wait(unsigned long seconds)
{
	wait_for((struct timespec){ .tv_sec = seconds });
}

void tool_wait_us(unsigned long us)
{
	wait_for((struct timespec){ .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 });
}

unsigned long long tool_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* --- output ---------------------------------------------------------------- */

void tool_flush(void)
{
	if (fflush(stdout) || ferror(stdout))
		err(EXIT_FAILED, "standard output");
}

double tool_percent(unsigned long long part, unsigned long long all)
{
	return all ? 100.0 * part / all : 0;
}

void tool_json_string(const char *s)
{
	putchar('"');
	for (; *s; s++)
		if ((unsigned char)*s < ' ')
			printf("\\u%04x", *s);
		else
			printf(*s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
	putchar('"');
}

static void name_new(const char *path, char new[4096])
{
	snprintf(new, 4096, "%s.new", path);
}

FILE *tool_rewrite(const char *path)
{
	char new[4096];
	FILE *file;

	name_new(path, new);
	/* Not what somebody else has put there, who may write to the folder. */
	unlink(new);
	file = fopen(new, "wxe");
	if (!file)
		err(EXIT_FAILED, "%s", new);
	return file;
}

void tool_replace(FILE *file, const char *path)
{
	const bool failed = fflush(file) || ferror(file);
	char new[4096];

	name_new(path, new);
	if (fclose(file) || failed || rename(new, path))
		err(EXIT_FAILED, "%s", path);
}
