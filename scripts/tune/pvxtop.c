// SPDX-License-Identifier: GPL-2.0
/*
 * pvxtop: what the VMs of this host do, and what kvm-pvx does for them, live
 */
#define _GNU_SOURCE
#include <argp.h>
#include <err.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "suite.h"
#include "tool.h"
#include "vcpus.h"
#include "vmm.h"

/* Exit reasons that are shown of a VM. */
#define REASONS_SHOWN	6

struct arguments {
	pid_t		pid;
	unsigned long	interval;
	bool		once;
	bool		log;
	bool		json;
	const char	*openmetrics;
	char		sort;
	bool		vcpus;
	bool		reasons;
};

const char *argp_program_version = "pvxtop 0.1 (kvm-pvx)";

static const struct argp_option options[] = {
	{ "pid", 'p', "PID", 0, "only the VM of this VMM (default: all)", 0 },
	{ "interval", 'i', "S", 0, "seconds between two looks (default 1)", 0 },
	{ "once", '1', NULL, 0, "end after one", 0 },
	{ "log", 'l', NULL, 0, "write each below the one before, with the time", 0 },
	{ "vcpus", 'v', NULL, 0, "also a line for each vCPU", 0 },
	{ "exits", 'e', NULL, 0, "also the most frequent exits", 0 },
	{ "sort", 's', "KEY", 0,
	  "order: p(id), g(uest), s(teal), x (exits), c(alls) or y(ields) (default g)", 0 },
	{ "json", 'j', NULL, 0, "a line of JSON for each look", 0 },
	{ "openmetrics", 'o', "FILE", 0,
	  "write what was counted so far to FILE, for Prometheus, at each look", 0 },
	{ NULL, 'h', NULL, OPTION_HIDDEN, "as --help", 0 },
	{ 0 },
};

static const char sort_keys[] = "pgsxcy";

/**
 * struct line - a VM in the time that was looked at
 * @vmm: its VMM
 * @command: that one's name
 * @vm: what it calls the VM
 * @from: its first vCPU, an index of the rows
 * @end: behind its last one
 * @sum: its vCPUs together
 * @suite: what kvm-pvx did for it in that time
 * @known: whether pvx_host knows it at all
 */
struct line {
	pid_t		vmm;
	char		command[VMM_COMMAND_SIZE];
	char		vm[VMM_VM_SIZE];
	size_t		from;
	size_t		end;
	struct vcpu	sum;
	struct suite_vm	suite;
	bool		known;
};

struct look {
	struct vcpu_rows	rows;
	struct suite		suite;
};

/* --- arguments ------------------------------------------------------------- */

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'p':
		a->pid = tool_positive(state, arg);
		break;
	case 'i':
		a->interval = tool_positive(state, arg);
		break;
	case '1':
		a->once = true;
		break;
	case 'l':
		a->log = true;
		break;
	case 'v':
		a->vcpus = true;
		break;
	case 'e':
		a->reasons = true;
		break;
	case 's':
		if (!*arg || arg[1] || !strchr(sort_keys, *arg))
			argp_error(state, "'%s' is none of the keys", arg);
		a->sort = *arg;
		break;
	case 'j':
		a->json = true;
		break;
	case 'o':
		a->openmetrics = arg;
		break;
	default:
		return tool_parse_other(key, arg, state);
	}
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Show where the time of each VM's vCPUs goes, and what kvm-pvx does for it.\v"
	       "Keys while it runs: those of --sort; v and e, for more lines; q to end.\n"
	       "Needs root and a kernel with BTF; pvx_host need not be loaded.\n"
	       "Exit status: 0; 1 if it cannot look; 2 for wrong usage.",
};

/* --- a look ---------------------------------------------------------------- */

static void take_look(struct vcpu_bpf *bpf, struct look *look)
{
	if (vcpu_rows_read(bpf, &look->rows) || suite_read(&look->suite))
		err(EXIT_FAILED, "VMs");
}

static void free_look(struct look *look)
{
	vcpu_rows_free(&look->rows);
	suite_free(&look->suite);
}

static void add(struct vcpu *sum, const struct vcpu *v)
{
	unsigned int i;

	/* One that has not left its guest yet has none. */
	if (v->isa)
		sum->isa = v->isa;
	sum->wakeups += v->wakeups;
	for (i = 0; i < VCPU_STATES; i++)
		sum->ns[i] += v->ns[i];
	for (i = 0; i < VCPU_REASONS; i++) {
		sum->exits[i].count += v->exits[i].count;
		sum->exits[i].ns += v->exits[i].ns;
	}
}

static void add_suite(struct suite_vm *sum, const struct suite_vm *vm, const struct suite_vm *old)
{
	unsigned int i;

	for (i = 0; i < SUITE_COUNTERS; i++)
		/* A module that was loaded anew counts from 0. */
		sum->counters[i] += vm->counters[i] -
			(old && vm->counters[i] >= old->counters[i] ? old->counters[i] : 0);
	/* Of the VMM's memory, so each of its VMs says the same. */
	if (vm->merged > sum->merged)
		sum->merged = vm->merged;
	if (vm->remote_permille > sum->remote_permille)
		sum->remote_permille = vm->remote_permille;
}

/* Of all VMs that a VMM has. */
static void note_suite(struct line *line, const struct look *now, const struct look *then)
{
	const struct suite_vm *vm;

	line->suite.remote_permille = -1;
	for (vm = now->suite.vms; vm < now->suite.vms + now->suite.count; vm++) {
		if (vm->vmm != line->vmm)
			continue;
		line->known = true;
		add_suite(&line->suite, vm, then ? suite_find(&then->suite, vm->id) : NULL);
	}
}

/* Of @now, whose rows are since @then already. Returns how many there are. */
static size_t make_lines(const struct look *now, const struct look *then, struct line **lines)
{
	size_t i, n = 0;

	*lines = calloc(now->rows.count + 1, sizeof(**lines));
	if (!*lines)
		err(EXIT_FAILED, "VMs");
	for (i = 0; i < now->rows.count; i++) {
		const struct vcpu *v = &now->rows.rows[i].v;
		struct line *line = &(*lines)[n ? n - 1 : 0];

		if (!n || line->vmm != (pid_t)v->tgid) {
			line = &(*lines)[n++];
			line->vmm = v->tgid;
			line->from = i;
			vmm_command(line->vmm, line->command);
			vmm_vm(line->vmm, line->vm);
			note_suite(line, now, then);
		}
		add(&line->sum, v);
		line->end = i + 1;
	}
	return n;
}

/* --- order ----------------------------------------------------------------- */

static unsigned long long steal(const struct vcpu *v)
{
	return v->ns[VCPU_WAKING] + v->ns[VCPU_PREEMPTED];
}

static unsigned long long rank(const struct line *line, char sort)
{
	switch (sort) {
	case 'g':
		return line->sum.ns[VCPU_GUEST];
	case 's':
		return steal(&line->sum);
	case 'x':
		return vcpu_exits(&line->sum);
	case 'c':
		return line->suite.counters[SUITE_CALLS];
	case 'y':
		return line->suite.counters[SUITE_YIELDS];
	default:
		return -(unsigned long long)line->vmm;
	}
}

static int compare_lines(const void *a, const void *b, void *sort)
{
	unsigned long long x = rank(a, *(char *)sort), y = rank(b, *(char *)sort);

	return x > y ? -1 : x < y;
}

/* --- text ------------------------------------------------------------------ */

static void put_states(const struct vcpu *v, double seconds)
{
	const unsigned long long all = vcpu_sum(v);

	printf(" %6.1f %6.1f %6.1f %6.1f %9.0f", tool_percent(v->ns[VCPU_GUEST], all),
	       tool_percent(v->ns[VCPU_EXIT] + v->ns[VCPU_VMM], all), tool_percent(steal(v), all),
	       tool_percent(v->ns[VCPU_HALTED] + v->ns[VCPU_BLOCKED], all),
	       vcpu_exits(v) / seconds);
}

static void put_calls(const struct vcpu_calls *c, double seconds)
{
	printf(" %8.0f %8.0f %5.1f %7.2f", c->calls / seconds, c->yields / seconds,
	       tool_percent(c->boosted, c->yields), c->boost_us / 1e4 / seconds);
}

static void put_suite(const struct suite_vm *vm, double seconds)
{
	const unsigned long long *c = vm->counters;
	const struct vcpu_calls calls = {
		.calls = c[SUITE_CALLS],
		.yields = c[SUITE_YIELDS],
		.boosted = c[SUITE_BOOSTED],
		.boost_us = c[SUITE_BOOST_US],
	};

	put_calls(&calls, seconds);
	printf(" %8llu %8.0f", vm->merged, c[SUITE_COPIED] / seconds);
	if (vm->remote_permille < 0)
		printf(" %6s", "-");
	else
		printf(" %6.1f", vm->remote_permille / 10.0);
}

static void put_reasons(const struct vcpu *v, double seconds)
{
	bool shown[VCPU_REASONS] = { false };
	unsigned int i, n, most;
	const char *name;

	for (n = 0; n < REASONS_SHOWN; n++) {
		for (most = i = 0; i < VCPU_REASONS; i++)
			if (!shown[i] && (shown[most] || v->exits[i].count > v->exits[most].count))
				most = i;
		if (shown[most] || !v->exits[most].count)
			return;
		shown[most] = true;
		name = vcpu_reason_name(v->isa, most);
		printf("%25s %-20s %9.0f/s %8.2f us\n", "", name ?: "?",
		       v->exits[most].count / seconds,
		       v->exits[most].ns / 1e3 / v->exits[most].count);
	}
}

static void put_line(const struct line *line, const struct look *now, double seconds,
		     const struct arguments *a)
{
	size_t i;

	printf("%7d %-15.15s %5zu", line->vmm, line->vm, line->end - line->from);
	put_states(&line->sum, seconds);
	if (line->known)
		put_suite(&line->suite, seconds);
	putchar('\n');
	if (a->reasons)
		put_reasons(&line->sum, seconds);
	for (i = line->from; a->vcpus && i < line->end; i++) {
		printf("%23s %5u", "vcpu", now->rows.rows[i].v.id);
		put_states(&now->rows.rows[i].v, seconds);
		if (now->rows.sees_calls)
			put_calls(&now->rows.rows[i].v.calls, seconds);
		putchar('\n');
		if (a->reasons)
			put_reasons(&now->rows.rows[i].v, seconds);
	}
}

static void put_all(const struct line *lines, size_t count, const struct look *now,
		    double seconds, const struct arguments *a)
{
	char clock[16];
	time_t t = time(NULL);
	size_t i;

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&t));
	printf("%s  %zu VMs, %.1f s", clock, count, seconds);
	if (now->rows.missed)
		printf(", %llu events were not seen", now->rows.missed);
	putchar('\n');
	printf("%7s %-15s %5s %6s %6s %6s %6s %9s %8s %8s %5s %7s %8s %8s %6s\n", "PID", "VM",
	       "VCPUS", "GUEST%", "EXIT%", "STEAL%", "HALT%", "EXITS/S", "CALLS/S", "YIELD/S",
	       "RUN%", "BOOST%", "MERGED", "COPIED/S", "REMOT%");
	for (i = 0; i < count; i++)
		put_line(&lines[i], now, seconds, a);
}

/* --- JSON ------------------------------------------------------------------ */

static void json_states(const struct vcpu *v)
{
	int s;

	for (s = 0; s < VCPU_STATES; s++)
		printf("%s\"%s_ns\":%llu", s ? "," : "", vcpu_state_name(s), v->ns[s]);
	printf(",\"exits\":%llu", vcpu_exits(v));
}

/* Those that have a name; the others are in the sum only. */
static void json_reasons(const struct vcpu *v)
{
	const char *name, *before = "";
	unsigned int r;

	fputs(",\"reasons\":{", stdout);
	for (r = 0; r < VCPU_REASONS; r++) {
		name = vcpu_reason_name(v->isa, r);
		if (!name || !v->exits[r].count)
			continue;
		printf("%s\"%s\":%llu", before, name, v->exits[r].count);
		before = ",";
	}
	putchar('}');
}

static void json_calls(const struct vcpu_calls *c)
{
	printf(",\"calls\":%llu,\"yields\":%llu,\"boosted\":%llu,\"boost_us\":%llu", c->calls,
	       c->yields, c->boosted, c->boost_us);
}

static void json_line(const struct line *line, const struct look *now)
{
	static const char * const names[SUITE_COUNTERS] = {
		"calls", "refused", "yields", "boosted", "boost_us", "copied",
	};
	unsigned int c;
	size_t i;

	printf("{\"pid\":%d,\"command\":", line->vmm);
	tool_json_string(line->command);
	fputs(",\"vm\":", stdout);
	tool_json_string(line->vm);
	putchar(',');
	json_states(&line->sum);
	json_reasons(&line->sum);
	for (c = 0; line->known && c < SUITE_COUNTERS; c++)
		printf(",\"%s\":%llu", names[c], line->suite.counters[c]);
	if (line->known)
		printf(",\"merged\":%llu", line->suite.merged);
	if (line->known && line->suite.remote_permille >= 0)
		printf(",\"remote_permille\":%ld", line->suite.remote_permille);
	fputs(",\"vcpus\":[", stdout);
	for (i = line->from; i < line->end; i++) {
		printf("%s{\"vcpu\":%u", i > line->from ? "," : "", now->rows.rows[i].v.id);
		json_reasons(&now->rows.rows[i].v);
		putchar(',');
		json_states(&now->rows.rows[i].v);
		if (now->rows.sees_calls)
			json_calls(&now->rows.rows[i].v.calls);
		putchar('}');
	}
	fputs("]}", stdout);
}

static void json_all(const struct line *lines, size_t count, const struct look *now,
		     double seconds)
{
	size_t i;

	printf("{\"time\":%lld,\"seconds\":%.3f,\"missed\":%llu,\"vms\":[", (long long)time(NULL),
	       seconds, now->rows.missed);
	for (i = 0; i < count; i++) {
		fputs(i ? "," : "", stdout);
		json_line(&lines[i], now);
	}
	puts("]}");
}

/* --- OpenMetrics ----------------------------------------------------------- */

static void metric_states(FILE *file, const struct line *lines, size_t count)
{
	size_t i;
	int s;

	fputs("# TYPE pvx_vcpu_seconds counter\n", file);
	fputs("# HELP pvx_vcpu_seconds Time of a VM's vCPUs by state.\n", file);
	for (i = 0; i < count; i++)
		for (s = 0; s < VCPU_STATES; s++)
			fprintf(file, "pvx_vcpu_seconds_total{pid=\"%d\",vm=\"%s\",state=\"%s\"} %.6f\n",
				lines[i].vmm, lines[i].vm, vcpu_state_name(s),
				lines[i].sum.ns[s] / 1e9);
}

static void metric_exits(FILE *file, const struct line *lines, size_t count)
{
	const char *name;
	unsigned int r;
	size_t i;

	fputs("# TYPE pvx_exits counter\n# HELP pvx_exits Exits of a VM by reason.\n", file);
	for (i = 0; i < count; i++)
		for (r = 0; r < VCPU_REASONS; r++) {
			name = vcpu_reason_name(lines[i].sum.isa, r);
			if (lines[i].sum.exits[r].count && name)
				fprintf(file, "pvx_exits_total{pid=\"%d\",vm=\"%s\",reason=\"%s\"} %llu\n",
					lines[i].vmm, lines[i].vm, name,
					lines[i].sum.exits[r].count);
		}
}

static void metric_suite(FILE *file, const struct line *lines, size_t count)
{
	static const struct {
		const char *name;
		const char *help;
	} metrics[SUITE_COUNTERS] = {
		{ "pvx_calls", "Hypercalls of kvm-pvx." },
		{ "pvx_calls_refused", "Of these, refused." },
		{ "pvx_yields", "Directed yields." },
		{ "pvx_yields_boosted", "Of these, to a vCPU that was run for it." },
		{ "pvx_boost_microseconds", "Boosted time." },
		{ "pvx_pages_copied", "Pages copied after forks." },
	};
	unsigned int c;
	size_t i;

	for (c = 0; c < SUITE_COUNTERS; c++) {
		fprintf(file, "# TYPE %s counter\n# HELP %s %s\n", metrics[c].name,
			metrics[c].name, metrics[c].help);
		for (i = 0; i < count; i++)
			if (lines[i].known)
				fprintf(file, "%s_total{pid=\"%d\",vm=\"%s\"} %llu\n",
					metrics[c].name, lines[i].vmm, lines[i].vm,
					lines[i].suite.counters[c]);
	}
	fputs("# TYPE pvx_pages_merged gauge\n", file);
	fputs("# HELP pvx_pages_merged Pages that KSM has merged.\n", file);
	for (i = 0; i < count; i++)
		if (lines[i].known)
			fprintf(file, "pvx_pages_merged{pid=\"%d\",vm=\"%s\"} %llu\n",
				lines[i].vmm, lines[i].vm, lines[i].suite.merged);
	fputs("# TYPE pvx_remote_ratio gauge\n", file);
	fputs("# HELP pvx_remote_ratio Use of memory of other nodes.\n", file);
	for (i = 0; i < count; i++)
		if (lines[i].known && lines[i].suite.remote_permille >= 0)
			fprintf(file, "pvx_remote_ratio{pid=\"%d\",vm=\"%s\"} %.3f\n",
				lines[i].vmm, lines[i].vm, lines[i].suite.remote_permille / 1000.0);
}

static void metric_missed(FILE *file, const struct look *now)
{
	fputs("# TYPE pvx_events_missed counter\n", file);
	fputs("# HELP pvx_events_missed Events of vCPUs that were not seen.\n", file);
	fprintf(file, "pvx_events_missed_total %llu\n", now->rows.missed);
}

/* What vCPUs had counted that have ended, so that no counter of a VM ever falls. */
static struct gone {
	pid_t		vmm;
	struct vcpu	sum;
} *gone;
static size_t nr_gone;

static struct vcpu *gone_of(pid_t vmm)
{
	size_t i;

	for (i = 0; i < nr_gone; i++)
		if (gone[i].vmm == vmm)
			return &gone[i].sum;
	gone = realloc(gone, (nr_gone + 1) * sizeof(*gone));
	if (!gone)
		err(EXIT_FAILED, "VMs");
	gone[nr_gone] = (struct gone){ .vmm = vmm };
	return &gone[nr_gone++].sum;
}

static bool has_line(const struct line *lines, size_t count, pid_t vmm)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (lines[i].vmm == vmm)
			return true;
	return false;
}

/* Of VMs that have ended nothing more is told. */
static void add_gone(struct line *lines, size_t count, const struct look *now,
		     const struct look *then)
{
	size_t i;

	for (i = 0; i < then->rows.count; i++)
		if (!vcpu_rows_find(&now->rows, &then->rows.rows[i]))
			add(gone_of(then->rows.rows[i].v.tgid), &then->rows.rows[i].v);
	for (i = 0; i < nr_gone;)
		if (has_line(lines, count, gone[i].vmm))
			i++;
		else
			gone[i] = gone[--nr_gone];
	for (i = 0; nr_gone && i < count; i++)
		add(&lines[i].sum, gone_of(lines[i].vmm));
}

static void write_metrics(const char *path, const struct look *now, const struct look *then)
{
	struct line *lines;
	size_t count = make_lines(now, NULL, &lines);
	FILE *file = tool_rewrite(path);

	add_gone(lines, count, now, then);
	metric_states(file, lines, count);
	metric_exits(file, lines, count);
	metric_suite(file, lines, count);
	metric_missed(file, now);
	fputs("# EOF\n", file);
	tool_replace(file, path);
	free(lines);
}

/* --- the terminal ---------------------------------------------------------- */

static struct termios before;
static bool is_raw;

static void give_terminal_back(void)
{
	if (is_raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

/* Keys are read as they are pressed. */
static void take_terminal(void)
{
	struct termios raw;

	/* Who is not in the foreground would be stopped. */
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) ||
	    tcgetpgrp(STDIN_FILENO) != getpgrp() || tcgetattr(STDIN_FILENO, &before))
		return;
	raw = before;
	raw.c_lflag &= ~(ICANON | ECHO);
	is_raw = !tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	atexit(give_terminal_back);
}

static void press(struct arguments *a, char key)
{
	if (key == 'q')
		tool_ended = 1;
	else if (key == 'v')
		a->vcpus = !a->vcpus;
	else if (key == 'e')
		a->reasons = !a->reasons;
	else if (key && strchr(sort_keys, key))
		a->sort = key;
}

static unsigned long long now_ms(void)
{
	return tool_now_ns() / 1000000;
}

/* Until so much time has passed, or it is to end. */
static void wait_and_listen(struct arguments *a, unsigned long ms)
{
	struct pollfd input = { .fd = is_raw ? STDIN_FILENO : -1, .events = POLLIN };
	unsigned long long now = now_ms();
	const unsigned long long end = now + ms;
	char key;

	for (; !tool_ended && now < end; now = now_ms()) {
		if (poll(&input, 1, end - now < INT_MAX ? end - now : INT_MAX) <= 0)
			continue;
		if (read(STDIN_FILENO, &key, 1) == 1)
			press(a, key);
		else
			/* The terminal is gone. */
			input.fd = -1;
	}
}

/* --- all of it ------------------------------------------------------------- */

static void show(struct look *now, const struct look *then, struct arguments *a)
{
	const double seconds = (now->rows.at - then->rows.at) / 1e9;
	struct vcpu_rows counted = { 0 };
	struct line *lines;
	size_t count;

	if (a->openmetrics)
		write_metrics(a->openmetrics, now, then);
	/* What is subtracted from is wanted as it was, for the next time. */
	if (vcpu_rows_copy(&counted, &now->rows))
		err(EXIT_FAILED, "VMs");
	vcpu_rows_since(&now->rows, &then->rows);
	count = make_lines(now, then, &lines);
	qsort_r(lines, count, sizeof(*lines), compare_lines, &a->sort);
	if (is_raw && !a->log && !a->json && !a->once && !a->openmetrics)
		fputs("\033[H\033[J", stdout);
	if (a->json)
		json_all(lines, count, now, seconds);
	else if (!a->openmetrics || a->log || a->once)
		put_all(lines, count, now, seconds, a);
	tool_flush();
	free(lines);
	vcpu_rows_free(&now->rows);
	now->rows = counted;
}

int main(int argc, char **argv)
{
	struct arguments a = { .interval = 1, .sort = 'g' };
	struct look then, now;
	struct vcpu_bpf *bpf;

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	tool_end_on_signals();
	bpf = vcpus_open(a.pid);
	take_terminal();
	vcpus_see_calls(bpf, a.vcpus);
	take_look(bpf, &then);
	do {
		wait_and_listen(&a, 1000 * a.interval);
		if (tool_ended)
			break;
		vcpus_see_calls(bpf, a.vcpus);
		take_look(bpf, &now);
		show(&now, &then, &a);
		free_look(&then);
		then = now;
	} while (!a.once);
	free_look(&then);
	vcpus_close(bpf);
	return 0;
}
