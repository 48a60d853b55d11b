// SPDX-License-Identifier: GPL-2.0
/*
 * pvx-fork-run: run a program whose forks privatise memory in batches
 */
#include <argp.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm_pvx.h>

#include "model.h"

/* As env(1) has them. */
#define EXIT_OURS	125
#define EXIT_NOT_RUN	126
#define EXIT_NOT_FOUND	127

/* Enough to last longer than what disturbs it, and there on any guest. */
#define EXPLAIN_BYTES	(32UL << 20)

struct arguments {
	struct pvx_fork_control	control;
	bool			automatic;
	bool			explain;
	bool			json;
	double			written;
	char			**command;
};

const char *argp_program_version = "pvx-fork-run 0.1 (kvm-pvx)";

static const struct argp_option options[] = {
	{ "mode", 'm', "MODE", 0,
	  "background: copy while both processes run (default); eager: before fork returns; off: not at all", 0 },
	{ "side", 's', "SIDE", 0, "who gets the copies: child (default) or parent", 0 },
	{ "threshold", 't', "SIZE", 0,
	  "least anonymous memory of a process, with K, M or G; auto: measure from which it pays (default: the module's least_kib)", 0 },
	{ "explain", 'e', NULL, 0,
	  "measure what copying costs here and say from which size it pays; runs nothing", 0 },
	{ "written", 'w', "PERCENT", 0,
	  "of the memory, what is written to after a fork, for --explain and auto (default 100)", 0 },
	{ "json", 'j', NULL, 0, "--explain in JSON", 0 },
	{ NULL, 'h', NULL, OPTION_HIDDEN, "as --help", 0 },
	{ 0 },
};

/* --- arguments ------------------------------------------------------------- */

static int choice(struct argp_state *state, const char *arg, const char * const *names,
		  int count)
{
	int i;

	for (i = 0; i < count; i++)
		if (!strcmp(arg, names[i]))
			return i;
	argp_error(state, "'%s' is none of the choices", arg);
	return 0;
}

static uint64_t size(struct argp_state *state, const char *arg)
{
	static const char units[] = "KMG";
	unsigned long long n;
	const char *unit;
	int shift = 0;
	char *end;

	errno = 0;
	n = strtoull(arg, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	if (unit) {
		shift = 10 * (unit - units + 1);
		end++;
	}
	if (errno || *end || *arg < '1' || *arg > '9' || n > UINT64_MAX >> shift)
		argp_error(state, "'%s' is no size such as 64M", arg);
	return n << shift;
}

static double share(struct argp_state *state, const char *arg)
{
	char *end;
	double percent = strtod(arg, &end);

	if (*end || !*arg || !(percent > 0 && percent <= 100))
		argp_error(state, "'%s' is no percentage", arg);
	return percent / 100;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const char * const modes[] = { "off", "eager", "background" };
	static const char * const sides[] = { "child", "parent" };
	struct arguments *a = state->input;

	switch (key) {
	case 'm':
		a->control.mode = choice(state, arg, modes, 3);
		break;
	case 's':
		a->control.side = choice(state, arg, sides, 2);
		break;
	case 't':
		a->automatic = !strcmp(arg, "auto");
		if (!a->automatic)
			a->control.least_bytes = size(state, arg);
		break;
	case 'w':
		a->written = share(state, arg);
		break;
	case 'e':
		a->explain = true;
		break;
	case 'j':
		a->json = true;
		break;
	case 'h':
		argp_state_help(state, state->out_stream, ARGP_HELP_STD_HELP);
		break;
	case ARGP_KEY_ARGS:
		a->command = state->argv + state->next;
		break;
	case ARGP_KEY_END:
		if (a->explain == !!a->command)
			argp_error(state, a->explain ? "--explain runs no command" :
						       "no command");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "-- COMMAND [ARGUMENT...]\n--explain",
	.doc = "Run COMMAND, and when it forks, or what it forks does, give one of both "
	       "processes copies of what they share, in batches that the KVM host makes, "
	       "instead of a page at a time when it is written to.\v"
	       "Exit status: COMMAND's; 125 if /dev/pvx_fork is missing or does not work, 126 if "
	       "COMMAND cannot be run, 127 if it is not found.",
};

/* --- explanations ---------------------------------------------------------- */

static int measure(int device, struct model *m)
{
	struct sigaction ours = { .sa_handler = SIG_DFL }, was;
	int error;

	/* It waits for children of its own, which who has SIGCHLD ignored cannot. */
	sigaction(SIGCHLD, &ours, &was);
	error = model_measure(m, device, EXPLAIN_BYTES);
	sigaction(SIGCHLD, &was, NULL);
	return error;
}

/* MiB of memory for which it is said how much it pays. */
static const unsigned int sizes[] = { 4, 16, 64, 256, 1024 };
#define SIZES	(sizeof(sizes) / sizeof(*sizes))

static double speedup_of(const struct model *m, double written, size_t size)
{
	return model_speedup(m, written, sizes[size] * 1048576.0);
}

static void print_json(const struct model *m, double written)
{
	size_t i;

	printf("{\"fault_ns\":%.1f,\"guest_copy_ns_per_byte\":%.4f,\"batch_copy_ns_per_byte\":%.4f,\"table_ns\":%.1f,\"fixed_ns\":%.0f,\"together_ns\":%.0f,\"written\":%.3f,\"speedup\":%.3f,\"threshold_bytes\":%.0f",
	       m->fault, m->guest_copy, m->batch_copy, m->table, m->fixed, m->together, written,
	       model_speedup(m, written, INFINITY), model_threshold(m, written));
	for (i = 0; i < SIZES; i++)
		printf(",\"speedup_%u_mib\":%.3f", sizes[i], speedup_of(m, written, i));
	printf("}\n");
}

static void print_model(const struct model *m, double written)
{
	double threshold = model_threshold(m, written);
	size_t i;

	printf("t0       a write fault, without its copy          %10.0f ns\n", m->fault);
	printf("1/beta   the copy in a fault, per 4 KiB page      %10.0f ns\n",
	       m->guest_copy * 4096);
	printf("1/gamma  the copy in a batch, per 4 KiB page      %10.0f ns\n",
	       m->batch_copy * 4096);
	printf("tu       all else of a batch, per page            %10.0f ns\n", m->table);
	printf("c        what a fork costs more, however small    %10.0f ns\n", m->fixed);
	if (m->threads > 1)
		printf("         and one that several threads copy for    %10.0f ns\n", m->together);
	printf("S = phi (t0/p + 1/beta) / (1/gamma + tu/p) = %.2f, where %.0f %% of the pages are written to\n",
	       model_speedup(m, written, INFINITY), written * 100);
	for (i = 0; i < SIZES; i++)
		printf("%6.2f with %u MiB, where c counts\n", speedup_of(m, written, i), sizes[i]);
	if (threshold < 0)
		printf("It does not pay here.\n");
	else
		printf("It pays from %.0f KiB on.\n", threshold / 1024);
}

static void explain(int device, const struct arguments *a)
{
	struct model m;
	int error = measure(device, &m);

	if (error)
		errx(EXIT_OURS, "cannot measure: %s", strerror(-error));
	(a->json ? print_json : print_model)(&m, a->written);
}

static uint64_t automatic_threshold(int device, double written)
{
	struct model m;
	int error = measure(device, &m);
	double bytes;

	/* What is to be run can do without; 0 is the module's own. */
	if (error) {
		warnx("cannot measure, so the module's threshold is used: %s", strerror(-error));
		return 0;
	}
	bytes = model_threshold(&m, written);
	if (bytes < 0)
		return UINT64_MAX;
	return bytes < 4096 ? 4096 : bytes;
}

/* --- running --------------------------------------------------------------- */

static void run(char **command)
{
	execvp(*command, command);
	err(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUN, "%s", *command);
}

int main(int argc, char **argv)
{
	struct arguments a = {
		.control = { .size = sizeof(a.control), .mode = PVX_FORK_BACKGROUND },
		.written = 1,
	};
	int device;

	argp_err_exit_status = EXIT_OURS;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &a);
	device = open("/dev/pvx_fork", O_RDWR | O_CLOEXEC);
	if (device < 0)
		err(EXIT_OURS, "/dev/pvx_fork (is pvx_guest_fork loaded?)");
	if (a.explain) {
		explain(device, &a);
		return 0;
	}
	if (a.automatic)
		a.control.least_bytes = automatic_threshold(device, a.written);
	if (ioctl(device, PVX_IOC_FORK_SET, &a.control))
		err(EXIT_OURS, "/dev/pvx_fork");
	run(a.command);
}
