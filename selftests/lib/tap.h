/* SPDX-License-Identifier: GPL-2.0 */
/*
 * TAP for the tests in user space; the plan comes at the end
 */
#ifndef PVX_TAP_H
#define PVX_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define TAP_SKIP_ALL	4

#ifndef __printf
#define __printf(a, b)	__attribute__((__format__(printf, a, b)))
#endif

static unsigned int tap_count, tap_failed;

static inline void tap_begin(void)
{
	/* What was found before a crash should be seen. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("TAP version 13");
}

/* Returns @ok, so that a test can say more, by printf("# ...\n"). */
static inline __printf(2, 3)
bool tap_ok(bool ok, const char *name, ...)
{
	va_list args;

	printf("%sok %u - ", ok ? "" : "not ", ++tap_count);
	va_start(args, name);
	vprintf(name, args);
	va_end(args);
	putchar('\n');
	if (!ok)
		tap_failed++;
	return ok;
}

static inline void tap_skip(const char *name, const char *reason)
{
	printf("ok %u - %s # SKIP %s\n", ++tap_count, name, reason);
}

static inline _Noreturn void tap_skip_all(const char *reason)
{
	printf("1..0 # SKIP %s\n", reason);
	exit(TAP_SKIP_ALL);
}

/* Returns what main() is to return. */
static inline int tap_done(void)
{
	printf("1..%u\n", tap_count);
	return tap_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif /* PVX_TAP_H */
