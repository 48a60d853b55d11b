// SPDX-License-Identifier: GPL-2.0
/*
 * pvxtax: where the CPU time goes that a VM has paid for
 */
#include <argp.h>
#include <err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"
#include "vcpus.h"

struct arguments {
	pid_t		pid;
	unsigned long	seconds;
	bool		json;
	const char	*svg;
};

const char *argp_program_version = "pvxtax 0.1 (kvm-pvx)";

static const struct argp_option options[] = {
	{ "pid", 'p', "PID", 0, "only the VM of this VMM (default: all)", 0 },
	{ "duration", 'd', "S", 0, "seconds to look at (default 10)", 0 },
	{ "json", 'j', NULL, 0, "JSON instead of a table", 0 },
	{ "svg", 's', "FILE", 0, "also draw a bar for each vCPU (needs gnuplot)", 0 },
	{ NULL, 'h', NULL, OPTION_HIDDEN, "as --help", 0 },
	{ 0 },
};

/* --- arguments ------------------------------------------------------------- */

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'p':
		a->pid = tool_positive(state, arg);
		break;
	case 'd':
		a->seconds = tool_positive(state, arg);
		break;
	case 'j':
		a->json = true;
		break;
	case 's':
		a->svg = arg;
		break;
	default:
		return tool_parse_other(key, arg, state);
	}
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Tell where the time of VMs' vCPUs goes: in the guest, in exits and for which "
	       "reasons, in the VMM, halted, and waiting for a CPU of the host.\v"
	       "Needs root and a kernel with BTF. SIGINT ends it early.\n"
	       "Exit status: 0; 1 if it cannot look, or there was no vCPU; 2 for wrong usage.",
};

/* --- numbers --------------------------------------------------------------- */

/* Of the time that was looked at, what is accounted for. */
static double accounted(const struct vcpu *v, unsigned long long wall)
{
	return tool_percent(vcpu_sum(v), wall);
}

struct reason {
	unsigned int		isa;
	unsigned int		index;
	struct vcpu_exits	exits;
};

static int compare_reasons(const void *a, const void *b)
{
	const struct reason *x = a, *y = b;

	return x->exits.ns > y->exits.ns ? -1 : x->exits.ns < y->exits.ns;
}

/* Those of the vCPUs from @from up to @end together, the longest first. Returns how many. */
static size_t sum_reasons(const struct vcpu_rows *rows, size_t from, size_t end,
			  struct reason reasons[VCPU_REASONS])
{
	size_t i, r, n = 0;

	memset(reasons, 0, VCPU_REASONS * sizeof(*reasons));
	for (r = 0; r < VCPU_REASONS; r++) {
		struct reason *reason = &reasons[n];

		*reason = (struct reason){ .index = r };
		for (i = from; i < end; i++) {
			reason->isa |= rows->rows[i].v.isa;
			reason->exits.count += rows->rows[i].v.exits[r].count;
			reason->exits.ns += rows->rows[i].v.exits[r].ns;
		}
		n += reason->exits.count != 0;
	}
	qsort(reasons, n, sizeof(*reasons), compare_reasons);
	return n;
}

static void name_reason(const struct reason *reason, char name[32])
{
	const char *known = vcpu_reason_name(reason->isa, reason->index);

	if (known)
		snprintf(name, 32, "%s", known);
	else
		snprintf(name, 32, "%#x", reason->index);
}

/* --- the table ------------------------------------------------------------- */

static void print_vcpu(const struct vcpu *v, unsigned long long wall)
{
	int s;

	printf("%5u", v->id);
	for (s = 0; s < VCPU_STATES; s++)
		printf(" %9.2f", tool_percent(v->ns[s], wall));
	printf(" %9.2f %10.1f\n", accounted(v, wall),
	       v->wakeups ? v->ns[VCPU_WAKING] / 1e3 / v->wakeups : 0.0);
}

static void print_reasons(const struct vcpu_rows *rows, size_t from, size_t end,
			  unsigned long long wall)
{
	struct reason reasons[VCPU_REASONS];
	size_t i, n = sum_reasons(rows, from, end, reasons);
	char name[32];

	printf("\n%-28s %10s %10s %10s %9s\n", "exit", "count", "per s", "mean us", "% of time");
	for (i = 0; i < n; i++) {
		const struct vcpu_exits *e = &reasons[i].exits;

		name_reason(&reasons[i], name);
		printf("%-28s %10llu %10.1f %10.2f %9.3f\n", name, e->count,
		       e->count * 1e9 / wall, e->ns / 1e3 / e->count,
		       tool_percent(e->ns, wall * (end - from)));
	}
}

static void print_vmm(const struct vcpu_rows *rows, size_t from, size_t end,
		      unsigned long long wall)
{
	size_t i;
	int s;

	printf("%sVMM %u, %.1f s, percent of each vCPU's time\n\n vcpu", from ? "\n" : "",
	       rows->rows[from].v.tgid, wall / 1e9);
	for (s = 0; s < VCPU_STATES; s++)
		printf(" %9s", vcpu_state_name(s));
	printf(" %9s %10s\n", "sum", "wakeup us");
	for (i = from; i < end; i++)
		print_vcpu(&rows->rows[i].v, wall);
	print_reasons(rows, from, end, wall);
}

/* --- JSON ------------------------------------------------------------------ */

static void json_vcpu(const struct vcpu *v, unsigned long long wall)
{
	int s;

	printf("{\"vcpu\":%u", v->id);
	for (s = 0; s < VCPU_STATES; s++)
		printf(",\"%s_ns\":%llu", vcpu_state_name(s), v->ns[s]);
	printf(",\"accounted\":%.4f,\"wakeups\":%llu}", accounted(v, wall) / 100, v->wakeups);
}

static void json_vmm(const struct vcpu_rows *rows, size_t from, size_t end,
		     unsigned long long wall)
{
	struct reason reasons[VCPU_REASONS];
	size_t i, n = sum_reasons(rows, from, end, reasons);
	char name[32];

	printf("{\"pid\":%u,\"ns\":%llu,\"vcpus\":[", rows->rows[from].v.tgid, wall);
	for (i = from; i < end; i++) {
		fputs(i > from ? "," : "", stdout);
		json_vcpu(&rows->rows[i].v, wall);
	}
	fputs("],\"exits\":[", stdout);
	for (i = 0; i < n; i++) {
		name_reason(&reasons[i], name);
		printf("%s{\"reason\":\"%s\",\"count\":%llu,\"ns\":%llu}", i ? "," : "", name,
		       reasons[i].exits.count, reasons[i].exits.ns);
	}
	fputs("]}", stdout);
}

/* --- the picture ----------------------------------------------------------- */

static void put_output(FILE *plot, const char *path)
{
	fputs("set output '", plot);
	for (; *path; path++) {
		if (*path == '\'')
			fputc('\'', plot);
		fputc(*path, plot);
	}
	fputs("'\n", plot);
}

static void draw(const struct vcpu_rows *rows, unsigned long long wall, const char *path)
{
	static const char * const colours[VCPU_STATES] = {
		"#3a923a", "#c04000", "#e0a030", "#dddddd", "#aaaaaa", "#7050a0", "#303030",
	};
	FILE *plot;
	size_t i;
	int s;

	/* Where there is none, its end is what tells. */
	signal(SIGPIPE, SIG_IGN);
	plot = popen("gnuplot", "w");
	if (!plot)
		err(EXIT_FAILED, "gnuplot");
	fprintf(plot, "set terminal svg noenhanced size %zu,420 font 'sans,12' background 'white'\n",
		360 + 60 * rows->count);
	put_output(plot, path);
	fputs("$tax << EOD\n", plot);
	for (i = 0; i < rows->count; i++) {
		fprintf(plot, "%u/%u", rows->rows[i].v.tgid, rows->rows[i].v.id);
		for (s = 0; s < VCPU_STATES; s++)
			fprintf(plot, " %.4f", tool_percent(rows->rows[i].v.ns[s], wall));
		fputc('\n', plot);
	}
	fputs("EOD\n"
	      "set title 'Where the time of vCPUs goes'\n"
	      "set xlabel 'VMM and vCPU'\nset ylabel '% of its time'\nset yrange [0:100]\n"
	      "set key outside right\nset style data histograms\nset style histogram rowstacked\n"
	      "set style fill solid noborder\nset boxwidth 0.8\nplot ", plot);
	for (s = 0; s < VCPU_STATES; s++)
		fprintf(plot, "%s$tax using %d:xtic(1) title '%s' lc rgb '%s'", s ? ", " : "",
			s + 2, vcpu_state_name(s), colours[s]);
	fputc('\n', plot);
	if (pclose(plot))
		errx(EXIT_FAILED, "gnuplot cannot draw %s", path);
}

/* --- all of it ------------------------------------------------------------- */

static void print_all(const struct vcpu_rows *rows, unsigned long long wall, bool json)
{
	size_t from, end;

	fputs(json ? "[" : "", stdout);
	for (from = 0; from < rows->count; from = end) {
		for (end = from + 1; end < rows->count; end++)
			if (rows->rows[end].v.tgid != rows->rows[from].v.tgid)
				break;
		fputs(json && from ? "," : "", stdout);
		(json ? json_vmm : print_vmm)(rows, from, end, wall);
	}
	fputs(json ? "]\n" : "", stdout);
}

int main(int argc, char **argv)
{
	struct arguments a = { .seconds = 10 };
	struct vcpu_rows before, after;
	struct vcpu_bpf *bpf;

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	tool_end_on_signals();
	bpf = vcpus_open(a.pid);
	/* By then those that run have been put right. */
	tool_wait(1);
	if (vcpu_rows_read(bpf, &before))
		err(EXIT_FAILED, "vCPUs");
	tool_wait(a.seconds);
	if (vcpu_rows_read(bpf, &after))
		err(EXIT_FAILED, "vCPUs");
	vcpus_close(bpf);
	if (!after.count)
		errx(EXIT_FAILED, "no vCPU has run");
	vcpu_rows_since(&after, &before);
	if (after.missed)
		warnx("%llu events were not seen", after.missed);
	print_all(&after, after.at - before.at, a.json);
	tool_flush();
	if (a.svg)
		draw(&after, after.at - before.at, a.svg);
	vcpu_rows_free(&before);
	vcpu_rows_free(&after);
	return 0;
}
