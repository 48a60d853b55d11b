// SPDX-License-Identifier: GPL-2.0
/*
 * pvxtune: tries other values of kvm-pvx's parameters while a load runs, and keeps what helps
 *
 * What is tried and kept is decided in tune_decide.c; here it is measured and set.
 */
#include <argp.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <linux/kvm_pvx_tune.h>

#include "counter.h"
#include "progress.h"
#include "tool.h"
#include "tune_decide.h"

#define GUEST_KSM	"/sys/kernel/debug/pvx_guest/ksm"

/* So few reads and writes in a second are no load that a trial could harm. */
#define IDLE_PER_S	1000

/*
 * Of each parameter whose value is being tried or was kept: what it was at first, what it was just
 * before, and what it is.
 */
#define STATES		"/run/pvxtune."
#define STATE_PATH	64

struct arguments {
	unsigned long	interval;	/* ms */
	const char	*progress;
	bool		dry_run;
};

/**
 * struct parameter - what can be tuned
 * @path: its file
 * @counters: files with a counter by which is seen whether it can have an effect just now,
 * @live: namely if that grows
 * @for_guests: its effect is on guests, of which this machine's own counters say nothing
 * @knob: its limits, which are wider where somebody has set it to what is outside; its default
 */
struct parameter {
	const char		*path;
	const char		*counters;
	const char		*live;
	bool			for_guests;
	struct tune_knob	knob;
};

static const struct parameter parameters[] = {
	{
		.path = "/sys/module/pvx_guest_lock/parameters/spin_min_ns",
		.counters = "/sys/kernel/debug/pvx_guest/lock",
		.live = "searches",
		.knob = {
			.name = "spin_min_ns",
			.normal = PVX_SPIN_MIN_NS,
			.min = 125,
			.max = 16000,
			.factor = 2,
			.goal = TUNE_LOAD,
		},
	},
	{
		.path = "/sys/module/pvx_host_yield/parameters/boost_us_per_s",
		.counters = "/sys/kernel/debug/pvx_host/[0-9]*/features",
		.live = "yield_budget",
		.for_guests = true,
		.knob = {
			.name = "boost_us_per_s",
			.normal = PVX_BOOST_US_PER_S,
			.min = 500000,
			.max = 16000000,
			.factor = 2,
			.goal = TUNE_LOAD,
		},
	},
	{
		.path = "/sys/module/pvx_guest_ksm/parameters/permille",
		.counters = GUEST_KSM,
		.live = "read",
		.knob = {
			.name = "permille",
			.normal = PVX_KSM_PERMILLE,
			.min = 1,
			.max = 1000,
			.factor = 8,
			.goal = TUNE_FOUND,
		},
	},
};
#define PARAMETERS	ARRAY_SIZE(parameters)

/* Those whose modules are loaded here, in the same order; with what they are to be at the end. */
static const struct parameter *used[PARAMETERS];
static struct tune_knob knobs[PARAMETERS];
static int files[PARAMETERS];
static long set_to[PARAMETERS];
static unsigned int count;

const char *argp_program_version = "pvxtune 0.1 (kvm-pvx)";

static const struct argp_option options[] = {
	{ "interval", 'i', "MS", 0, "length of one measurement in ms (default 500)", 0 },
	{ "progress", 'p', "FILE", 0,
	  "the load is that whose work FILE counts, with a number that grows (default: reads and "
	  "writes of all processes)", 0 },
	{ "dry-run", 'n', NULL, 0, "only say what would be tried", 0 },
	{ NULL, 'h', NULL, OPTION_HIDDEN, "as --help", 0 },
	{ 0 },
};

/* --- arguments ------------------------------------------------------------- */

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'i':
		a->interval = tool_positive(state, arg);
		break;
	case 'p':
		a->progress = arg;
		break;
	case 'n':
		a->dry_run = true;
		break;
	default:
		return tool_parse_other(key, arg, state);
	}
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Try other values of the parameters of pvx_guest_lock and pvx_guest_ksm (in a guest) "
	       "and pvx_host_yield (on a host) while a load runs, one at a time and within limits, "
	       "and keep those with which it does more, or with which more pages are found that "
	       "can be shared.\v"
	       "Each decision is a line of output. SIGTERM or SIGINT ends it; all parameters then "
	       "are what they were before.\n"
	       "Needs root, debugfs and, without --progress, a kernel with BTF.\n"
	       "Exit status: 0; 1 if there is nothing to tune, or it cannot be set or measured; 2 "
	       "for wrong usage.",
};

/* --- parameters ------------------------------------------------------------ */

static long read_value(unsigned int i)
{
	char text[32];
	ssize_t n = pread(files[i], text, sizeof(text) - 1, 0);

	if (n < 0)
		err(EXIT_FAILED, "%s", used[i]->path);
	text[n] = '\0';
	return atol(text);
}

static void state_path(unsigned int i, char path[STATE_PATH])
{
	snprintf(path, STATE_PATH, STATES "%s", knobs[i].name);
}

static void write_state(unsigned int i, long value)
{
	char path[STATE_PATH];
	FILE *file;

	state_path(i, path);
	file = tool_rewrite(path);
	fprintf(file, "%ld %ld %ld\n", knobs[i].normal, set_to[i], value);
	tool_replace(file, path);
}

/* What it was before a pvxtune that was killed has set it; 0 if somebody else has, or nobody. */
static long read_state(unsigned int i)
{
	long normal = 0, before = 0, set = 0;
	char path[STATE_PATH];
	FILE *file;

	state_path(i, path);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%ld %ld %ld", &normal, &before, &set) != 3 ||
	    (set_to[i] != before && set_to[i] != set))
		normal = 0;
	fclose(file);
	return normal;
}

static bool write_value(unsigned int i, long value)
{
	char text[32];
	const int n = snprintf(text, sizeof(text), "%ld\n", value);

	if (value != knobs[i].normal)
		write_state(i, value);
	if (pwrite(files[i], text, n, 0) != n)
		return false;
	set_to[i] = value;
	return true;
}

/* Also when something else fails; a module that was unloaded need not be told. */
static void set_back(void)
{
	char path[STATE_PATH];
	unsigned int i;

	for (i = 0; i < count; i++) {
		write_value(i, knobs[i].normal);
		state_path(i, path);
		unlink(path);
	}
}

/* Returns whether it can be tuned: what somebody has turned off stays so. */
static bool begin_with(unsigned int i, bool dry_run)
{
	struct tune_knob *knob = &knobs[i];
	const long usual = knob->normal;
	long before;

	set_to[i] = read_value(i);
	before = read_state(i);
	knob->normal = before > 0 ? before : set_to[i];
	if (knob->normal <= 0) {
		printf("%s is %ld, and left alone\n", knob->name, knob->normal);
		return false;
	}
	if (knob->normal != set_to[i])
		printf("%s is %ld, as a pvxtune that was killed has left it, and %s to %ld\n",
		       knob->name, set_to[i], dry_run ? "would be set back" : "is set back",
		       knob->normal);
	else
		printf("%s is %ld%s\n", knob->name, knob->normal,
		       knob->normal == usual ? ", its default" : "");
	if (knob->normal < knob->min)
		knob->min = knob->normal;
	if (knob->normal > knob->max)
		knob->max = knob->normal;
	return true;
}

static void find_parameters(bool dry_run)
{
	unsigned int i;
	int fd;

	for (i = 0; i < PARAMETERS; i++) {
		fd = open(parameters[i].path, O_RDWR | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0)
			err(EXIT_FAILED, "%s", parameters[i].path);
		if (flock(fd, LOCK_EX | LOCK_NB))
			err(EXIT_FAILED, "%s (does pvxtune run already?)", parameters[i].path);
		files[count] = fd;
		used[count] = &parameters[i];
		knobs[count] = parameters[i].knob;
		if (begin_with(count, dry_run))
			count++;
	}
	if (!count)
		errx(EXIT_FAILED,
		     "nothing to tune: none of pvx_guest_lock, pvx_guest_ksm and pvx_host_yield is loaded, or all is turned off");
	tool_flush();
}

/* What a pvxtune that was killed has left. */
static void begin(void)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (set_to[i] != knobs[i].normal && !write_value(i, knobs[i].normal))
			err(EXIT_FAILED, "%s", used[i]->path);
}

static void say_what_counts(void)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (used[i]->for_guests)
			printf("%s is judged by what processes of this host read and write, and not by what guests do: see --progress\n",
			       knobs[i].name);
	tool_flush();
}

/* Returns whether anything has another value now. */
static bool set_all(const struct tune *tune)
{
	bool changed = false;
	unsigned int i;

	for (i = 0; i < count; i++) {
		const long value = tune_value(tune, i);

		if (value == set_to[i])
			continue;
		if (!write_value(i, value))
			err(EXIT_FAILED, "%s", used[i]->path);
		changed = true;
	}
	return changed;
}

/* --- measuring ------------------------------------------------------------- */

struct reading {
	double			seconds;
	double			progress;
	unsigned long long	found;
	unsigned long long	live[PARAMETERS];
};

static void take_reading(struct reading *r)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		r->live[i] = counter_read(used[i]->counters, used[i]->live);
	r->found = counter_read(GUEST_KSM, "announced");
	r->progress = progress_read();
	r->seconds = tool_now_ns() / 1e9;
}

static double per_second(double from, double to, double seconds)
{
	return to > from && seconds > 0 ? (to - from) / seconds : 0;
}

static void compare(const struct reading *from, const struct reading *to, bool counts_calls,
		    double measures[TUNE_MEASURES])
{
	const double seconds = to->seconds - from->seconds;

	measures[TUNE_LOAD] = per_second(from->progress, to->progress, seconds);
	if (counts_calls && measures[TUNE_LOAD] < IDLE_PER_S)
		measures[TUNE_LOAD] = IDLE_PER_S;
	measures[TUNE_FOUND] = per_second(from->found, to->found, seconds);
}

/* One that is not what it was is live, so that it can go back there. */
static unsigned int find_live(const struct reading *from, const struct reading *to)
{
	unsigned int i, live = 0;

	for (i = 0; i < count; i++)
		if (to->live[i] > from->live[i] || set_to[i] != knobs[i].normal)
			live |= 1U << i;
	return live;
}

/* --- what is said ---------------------------------------------------------- */

static void say_time(void)
{
	char clock[16];
	time_t t = time(NULL);

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&t));
	printf("%s ", clock);
}

static void say_trial(const struct tune_report *r)
{
	const struct tune_knob *knob = &knobs[r->knob];

	printf("%s %ld -> %ld: %s %+.1f %% (error %.1f %%, %u pairs)", knob->name, r->from, r->to,
	       knob->goal == TUNE_LOAD ? "work" : "pages found", 100 * r->gain,
	       100 * sqrt(r->error2), r->pairs);
	if (knob->goal != TUNE_LOAD)
		printf(", work %+.1f %%", 100 * r->load);
}

static void say(enum tune_event event, const struct tune_report *r)
{
	static const char * const outcomes[] = {
		[TUNE_KEPT] = "kept",
		[TUNE_TAKEN_BACK] = "taken back",
		[TUNE_RETURNED] = "no worse, so it is what it was at first",
		[TUNE_STAYED] = "worse, so it stays as it was",
	};

	say_time();
	if (event == TUNE_CHANGED) {
		puts("another load: all is tried anew");
	} else if (event == TUNE_BROKEN) {
		printf("%s %ld -> %ld: work fell by %.1f %% since: taken back\n",
		       knobs[r->knob].name, r->from, r->to, -100 * r->load);
	} else {
		say_trial(r);
		printf(": %s\n", outcomes[event]);
	}
	fflush(stdout);
}

static void say_what_would_be(const struct tune_report *r)
{
	say_time();
	printf("%s %ld -> %ld would be tried\n", knobs[r->knob].name, r->from, r->to);
	fflush(stdout);
}

/* --- all of it ------------------------------------------------------------- */

/* An interval without what comes of the change of a value itself. */
static void run_interval(struct tune *tune, const struct arguments *a)
{
	double measures[TUNE_MEASURES];
	struct reading before, after;
	struct tune_report report;
	enum tune_event event;

	if (!a->dry_run && set_all(tune))
		tool_wait_us(a->interval * 250);
	take_reading(&before);
	tool_wait_us(a->interval * 1000);
	if (tool_ended)
		return;
	take_reading(&after);
	compare(&before, &after, !a->progress, measures);
	event = tune_note(tune, measures, find_live(&before, &after), &report);
	if (event == TUNE_BEGUN && a->dry_run)
		say_what_would_be(&report);
	else if (event > TUNE_BEGUN && !a->dry_run)
		say(event, &report);
}

/* As nohup has it. */
static bool ignores_hangups(void)
{
	struct sigaction hangup;

	return !sigaction(SIGHUP, NULL, &hangup) && hangup.sa_handler == SIG_IGN;
}

int main(int argc, char **argv)
{
	struct arguments a = { .interval = 500 };
	struct tune tune;

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	tool_end_on_signals();
	/* When the terminal or who reads the output goes away, all is to be set back, too. */
	if (!ignores_hangups())
		tool_end_on(SIGHUP);
	tool_end_on(SIGPIPE);
	find_parameters(a.dry_run);
	progress_open(a.progress);
	if (!a.dry_run) {
		atexit(set_back);
		begin();
	}
	if (!a.progress)
		say_what_counts();
	tune_init(&tune, knobs, count, time(NULL));
	while (!tool_ended)
		run_interval(&tune, &a);
	return 0;
}
