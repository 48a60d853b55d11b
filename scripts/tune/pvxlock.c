// SPDX-License-Identifier: GPL-2.0
/*
 * pvxlock: which spinlocks are waited for in a guest, how long, by whom, and why
 */
#define _GNU_SOURCE
#include <argp.h>
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lockwaits.h"
#include "symbols.h"
#include "tool.h"

#define NAME_SIZE	160
#define BAR		40

struct arguments {
	unsigned long	seconds;
	unsigned long	lines;
	bool		once;
	bool		json;
	const char	*save;
	const char	*compare;
};

const char *argp_program_version = "pvxlock 0.1 (kvm-pvx)";

static const struct argp_option options[] = {
	{ "duration", 'd', "S", 0, "seconds to look at (default 10)", 0 },
	{ "once", '1', NULL, 0, "end after one", 0 },
	{ "lines", 'n', "N", 0, "only the N locks and callers waited for longest (default 10)", 0 },
	{ "json", 'j', NULL, 0, "a line of JSON instead of tables", 0 },
	{ "save", 's', "FILE", 0, "also write it to FILE, for --compare, and end", 0 },
	{ "compare", 'c', "FILE", 0, "compare it with what --save wrote to FILE, and end", 0 },
	{ NULL, 'h', NULL, OPTION_HIDDEN, "as --help", 0 },
	{ 0 },
};

/* Waits are added up in two ways. */
enum view {
	LOCKS,
	CALLERS,
	VIEWS,
};

static const char * const kinds[VIEWS] = { "lock", "caller" };

/**
 * struct saved_line - of a file that --save wrote
 * @view: what kind of line it is
 * @s: what was counted, but for what waiters did
 * @name: of the lock or caller
 */
struct saved_line {
	enum view		view;
	struct wait_stats	s;
	char			name[NAME_SIZE];
};

struct saved {
	struct saved_line	*lines;
	size_t			count;
	double			seconds;
};

/**
 * struct group - waits for one lock, or of one caller
 * @address: of the lock, or of the caller's function; 0: not known
 * @chief: the caller, or the lock, with which they were longest
 * @chief_ns: how long these were together
 * @s: what was counted
 * @name: of @address
 * @before: what was counted before, in that time
 */
struct group {
	unsigned long long	address;
	unsigned long long	chief;
	unsigned long long	chief_ns;
	struct wait_stats	s;
	char			name[NAME_SIZE];
	struct wait_stats	before;
};

/**
 * struct report - what was seen in some time
 * @seconds: how long that was
 * @rows: what was counted in it
 * @all: all of that together
 * @groups: added up, the longest first; an array for each view
 * @counts: their lengths
 * @symbols: what the addresses mean
 * @sees_steal: is it known whether holders were preempted?
 * @sees_halts: is it known whether waiters halted?
 * @compares: are there figures from before?
 * @scale: what these are multiplied by, since the times may differ
 */
struct report {
	double			seconds;
	const struct wait_rows	*rows;
	struct wait_stats	all;
	struct group		*groups[VIEWS];
	size_t			counts[VIEWS];
	const struct symbols	*symbols;
	bool			sees_steal;
	bool			sees_halts;
	bool			compares;
	double			scale;
};

/* --- arguments ------------------------------------------------------------- */

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'd':
		a->seconds = tool_positive(state, arg);
		break;
	case '1':
		a->once = true;
		break;
	case 'n':
		a->lines = tool_positive(state, arg);
		break;
	case 'j':
		a->json = true;
		break;
	case 's':
		a->save = arg;
		a->once = true;
		break;
	case 'c':
		a->compare = arg;
		a->once = true;
		break;
	default:
		return tool_parse_other(key, arg, state);
	}
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Tell which spinlocks this guest's CPUs wait for, how long and on whose behalf, "
	       "how often the holder had lost its CPU, and what the waiters did.\v"
	       "Needs root and a kernel with BTF; pvx_guest need not be loaded. SIGINT ends it "
	       "early.\n"
	       "Exit status: 0; 1 if it cannot look, or not use FILE; 2 for wrong usage.",
};

/* --- figures from before ---------------------------------------------------- */

/* With commas between them. Returns what is behind; NULL if these are none. */
static const char *parse_buckets(const char *text, struct wait_stats *s)
{
	unsigned int b;
	char *end;

	for (b = 0; b < WAIT_BUCKETS; b++) {
		s->buckets[b] = strtoull(text, &end, 10);
		if (end == text || *end != (b < WAIT_BUCKETS - 1 ? ',' : ' '))
			return NULL;
		text = end + 1;
	}
	return text;
}

static bool parse_figures(const char *text, struct saved *saved)
{
	struct saved_line line = { 0 }, *more;
	const char *name;
	char kind[8];
	int buckets = 0;

	if (sscanf(text, "%7s %llu %llu %llu %n", kind, &line.s.count, &line.s.ns,
		   &line.s.preempted, &buckets) != 4 || !buckets)
		return false;
	name = parse_buckets(text + buckets, &line.s);
	if (!name || !*name)
		return false;
	while (line.view < VIEWS && strcmp(kind, kinds[line.view]))
		line.view++;
	if (line.view == VIEWS)
		return false;
	snprintf(line.name, sizeof(line.name), "%s", name);
	more = realloc(saved->lines, (saved->count + 1) * sizeof(*more));
	if (!more)
		err(EXIT_FAILED, "%s", line.name);
	saved->lines = more;
	more[saved->count++] = line;
	return true;
}

static bool parse_line(const char *text, size_t number, struct saved *saved)
{
	if (number == 1)
		return !strcmp(text, "pvxlock 1");
	if (number == 2)
		return sscanf(text, "seconds %lf", &saved->seconds) == 1 && saved->seconds > 0;
	return parse_figures(text, saved);
}

static void load(const char *path, struct saved *saved)
{
	FILE *file = fopen(path, "re");
	size_t size = 0, number = 0;
	char *text = NULL;

	if (!file)
		err(EXIT_FAILED, "%s", path);
	while (getline(&text, &size, file) >= 0) {
		text[strcspn(text, "\n")] = '\0';
		if (!parse_line(text, ++number, saved))
			errx(EXIT_FAILED, "%s:%zu: --save writes no such line", path, number);
	}
	if (ferror(file))
		err(EXIT_FAILED, "%s", path);
	if (number < 2)
		errx(EXIT_FAILED, "%s: --save has not written that", path);
	free(text);
	fclose(file);
}

static void save_group(FILE *file, const struct group *g, enum view view)
{
	unsigned int b;

	fprintf(file, "%s %llu %llu %llu ", kinds[view], g->s.count, g->s.ns, g->s.preempted);
	for (b = 0; b < WAIT_BUCKETS; b++)
		fprintf(file, "%s%llu", b ? "," : "", g->s.buckets[b]);
	fprintf(file, " %s\n", g->name);
}

static void save(FILE *file, const struct report *r)
{
	const struct group *g;
	enum view view;

	fprintf(file, "pvxlock 1\nseconds %.3f\n", r->seconds);
	for (view = 0; view < VIEWS; view++)
		for (g = r->groups[view]; g < r->groups[view] + r->counts[view]; g++)
			if (g->s.count)
				save_group(file, g, view);
}

/* --- groups ---------------------------------------------------------------- */

static void name_address(const struct symbols *symbols, unsigned long long address,
			 char name[NAME_SIZE])
{
	if (address)
		symbols_name(symbols, address, name, NAME_SIZE);
	else
		snprintf(name, NAME_SIZE, "unknown");
}

static int compare_addresses(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

static int compare_pairs(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return compare_addresses(a, b) ?: x->chief < y->chief ? -1 : x->chief > y->chief;
}

static int compare_names(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int compare_times(const void *a, const void *b, void *scale)
{
	const struct group *x = a, *y = b;
	const double s = x->s.ns + x->before.ns * *(double *)scale;
	const double t = y->s.ns + y->before.ns * *(double *)scale;

	return s > t ? -1 : s < t;
}

static struct group make_group(const struct report *r, const struct wait_row *row,
			       enum view view)
{
	const unsigned long long caller = symbols_begin(r->symbols, row->key.caller);
	struct group g = { .address = row->key.lock, .chief = caller };

	if (view == CALLERS)
		g = (struct group){ .address = caller, .chief = row->key.lock };
	g.chief_ns = row->s.ns;
	g.s = row->s;
	return g;
}

/* Those that are alike, which are next to each other, to one. Returns how many are left. */
static size_t merge(struct group *groups, size_t count,
		    int (*compare)(const void *, const void *))
{
	struct group *last = groups;
	size_t i;

	for (i = 1; i < count; i++) {
		if (compare(&groups[i], last)) {
			*++last = groups[i];
			continue;
		}
		wait_stats_add(&last->s, &groups[i].s);
		if (groups[i].chief == last->chief) {
			last->chief_ns += groups[i].chief_ns;
		} else if (groups[i].chief_ns > last->chief_ns) {
			last->chief = groups[i].chief;
			last->chief_ns = groups[i].chief_ns;
		}
	}
	return count ? last - groups + 1 : 0;
}

static struct group *find_group(struct report *r, enum view view, const char *name)
{
	size_t i;

	for (i = 0; i < r->counts[view]; i++)
		if (!strcmp(r->groups[view][i].name, name))
			return &r->groups[view][i];
	return NULL;
}

/* There is room for all of them. */
static void add_saved(struct report *r, const struct saved *saved)
{
	const struct saved_line *line;
	struct group *g;

	for (line = saved->lines; line < saved->lines + saved->count; line++) {
		g = find_group(r, line->view, line->name);
		if (!g) {
			g = &r->groups[line->view][r->counts[line->view]++];
			strcpy(g->name, line->name);
		}
		wait_stats_add(&g->before, &line->s);
	}
	r->scale = r->seconds / saved->seconds;
}

static void make_groups(struct report *r, enum view view, size_t room)
{
	struct group *groups = tool_allocate(r->rows->count + room, sizeof(*groups));
	size_t i, left, n = 0;

	for (i = 0; i < r->rows->count; i++)
		if (r->rows->rows[i].s.count)
			groups[n++] = make_group(r, &r->rows->rows[i], view);
	qsort(groups, n, sizeof(*groups), compare_pairs);
	left = merge(groups, merge(groups, n, compare_pairs), compare_addresses);
	for (i = 0; i < left; i++)
		name_address(r->symbols, groups[i].address, groups[i].name);
	/* What was saved has names only, which several may have. */
	if (r->compares) {
		qsort(groups, left, sizeof(*groups), compare_names);
		left = merge(groups, left, compare_names);
	}
	/* What is behind them is for those that were there before only. */
	memset(groups + left, 0, (n - left) * sizeof(*groups));
	r->counts[view] = left;
	r->groups[view] = groups;
}

static void make_report(struct report *r, const struct saved *saved)
{
	enum view view;
	size_t i;

	r->all = r->rows->no_room;
	for (i = 0; i < r->rows->count; i++)
		wait_stats_add(&r->all, &r->rows->rows[i].s);
	for (view = 0; view < VIEWS; view++)
		make_groups(r, view, saved->count);
	if (r->compares)
		add_saved(r, saved);
	for (view = 0; view < VIEWS; view++)
		qsort_r(r->groups[view], r->counts[view], sizeof(*r->groups[view]), compare_times,
			&r->scale);
}

static size_t shown(const struct report *r, enum view view, const struct arguments *a)
{
	return r->counts[view] < a->lines ? r->counts[view] : a->lines;
}

/* --- text ------------------------------------------------------------------ */

static double mean_us(double ns, double waits)
{
	return waits > 0 ? ns / 1e3 / waits : 0;
}

static unsigned long long spun(const struct wait_stats *s)
{
	const unsigned long long asked = s->yielded + s->halted;

	/* They were not read at one time. */
	return s->count > asked ? s->count - asked : 0;
}

/* 99 of a hundred waits were shorter. */
static unsigned long long percentile_ns(const struct wait_stats *s)
{
	unsigned long long seen = 0;
	unsigned int b;

	if (!s->count)
		return 0;
	for (b = 0; b < WAIT_BUCKETS - 1; b++) {
		seen += s->buckets[b];
		if (seen * 100 >= s->count * 99)
			break;
	}
	return WAIT_FIRST_NS << b;
}

static double holder_percent(const struct wait_stats *s)
{
	return tool_percent(s->preempted, s->count);
}

static void put_stats(const struct report *r, const struct wait_stats *s)
{
	printf("%11.2f %5.1f %9llu %9.2f %9.1f", s->ns / 1e6, tool_percent(s->ns, r->all.ns),
	       s->count, mean_us(s->ns, s->count), percentile_ns(s) / 1e3);
	if (r->sees_steal)
		printf(" %7.1f", holder_percent(s));
	else
		printf(" %7s", "-");
	printf(" %9llu %8llu", spun(s), s->yielded);
	if (r->sees_halts)
		printf(" %8llu", s->halted);
	else
		printf(" %8s", "-");
}

static void put_table(const struct report *r, enum view view, const struct arguments *a)
{
	char chief[NAME_SIZE];
	size_t i;

	printf("\n%11s %5s %9s %9s %9s %7s %9s %8s %8s  %s\n", "WAIT MS", "%", "WAITS", "MEAN US",
	       "99% < US", "HOLDER%", "SPUN", "YIELDED", "HALTED",
	       view == LOCKS ? "LOCK, MOST OF ALL FROM" : "CALLER, MOST OF ALL FOR");
	for (i = 0; i < shown(r, view, a); i++) {
		const struct group *g = &r->groups[view][i];

		put_stats(r, &g->s);
		name_address(r->symbols, g->chief, chief);
		printf("  %s, %s\n", g->name, chief);
	}
}

static void put_bar(unsigned long long part, unsigned long long most)
{
	int n = (BAR * part + most - 1) / most;

	printf("%.*s\n", n, "########################################");
}

static double bucket_from_us(unsigned int b)
{
	return b ? (WAIT_FIRST_NS << (b - 1)) / 1e3 : 0;
}

static void put_histogram(const struct report *r, const struct group *g)
{
	unsigned int b, first = WAIT_BUCKETS, end = 0;
	unsigned long long most = 1;

	for (b = 0; b < WAIT_BUCKETS; b++) {
		if (!g->s.buckets[b] && !g->before.buckets[b])
			continue;
		first = end ? first : b;
		end = b + 1;
		if (g->s.buckets[b] > most)
			most = g->s.buckets[b];
	}
	/* It was counted, and its bucket not yet. */
	if (!end)
		return;
	printf("\n%11s", "FROM US");
	if (r->compares)
		printf(" %9s %9s  %s\n", "BEFORE", "AFTER", g->name);
	else
		printf(" %9s  %s\n", "WAITS", g->name);
	for (b = first; b < end; b++) {
		printf("%11.3f", bucket_from_us(b));
		if (r->compares)
			printf(" %9.0f", g->before.buckets[b] * r->scale);
		printf(" %9llu  ", g->s.buckets[b]);
		put_bar(g->s.buckets[b], most);
	}
}

static void put_compared(double before, double after)
{
	printf(" %10.2f %10.2f", before, after);
	if (before > 0)
		printf(" %6.2f", after / before);
	else
		printf(" %6s", "-");
}

static void put_shares(double before, double after)
{
	printf(" %8.1f %8.1f", before, after);
}

static void put_comparison(const struct report *r, enum view view, const struct arguments *a)
{
	size_t i;
	int n;

	printf("\n%28s %28s %28s %17s %17s\n", "WAIT MS", "WAITS", "MEAN US", "99% < US", "HOLDER%");
	for (n = 0; n < 3; n++)
		printf(" %10s %10s %6s", "BEFORE", "AFTER", "RATIO");
	for (n = 0; n < 2; n++)
		printf(" %8s %8s", "BEFORE", "AFTER");
	printf("  %s\n", view == LOCKS ? "LOCK" : "CALLER");
	for (i = 0; i < shown(r, view, a); i++) {
		const struct group *g = &r->groups[view][i];

		put_compared(g->before.ns * r->scale / 1e6, g->s.ns / 1e6);
		put_compared(g->before.count * r->scale, g->s.count);
		put_compared(mean_us(g->before.ns, g->before.count), mean_us(g->s.ns, g->s.count));
		put_shares(percentile_ns(&g->before) / 1e3, percentile_ns(&g->s) / 1e3);
		if (r->sees_steal)
			put_shares(holder_percent(&g->before), holder_percent(&g->s));
		else
			printf(" %8s %8s", "-", "-");
		printf("  %s\n", g->name);
	}
}

/* Nothing is left out silently. */
static void put_notes(const struct wait_rows *rows)
{
	if (rows->no_room.count)
		printf("%llu waits, %.2f ms, are in the sum only: there is room for %d pairs of "
		       "lock and caller\n",
		       rows->no_room.count, rows->no_room.ns / 1e6, WAIT_PAIRS_MAX - 1);
	if (rows->without_holder)
		printf("of %llu waits no holder is known: there is room for those of %d locks\n",
		       rows->without_holder, WAIT_LOCKS_MAX);
	if (rows->missed)
		printf("up to %llu waits were not seen\n", rows->missed);
}

static void put_report(const struct report *r, const struct arguments *a)
{
	enum view view;
	size_t i;

	printf("%.1f s: %llu waits, %.2f ms; %zu locks, %zu callers\n", r->seconds, r->all.count,
	       r->all.ns / 1e6, r->counts[LOCKS], r->counts[CALLERS]);
	put_notes(r->rows);
	for (view = 0; view < VIEWS; view++)
		(r->compares ? put_comparison : put_table)(r, view, a);
	for (view = 0; view < VIEWS; view++)
		for (i = 0; i < shown(r, view, a); i++)
			put_histogram(r, &r->groups[view][i]);
	putchar('\n');
}

/* --- JSON ------------------------------------------------------------------ */

static void json_stats(const struct report *r, const struct wait_stats *s)
{
	unsigned int b;

	printf("\"waits\":%llu,\"ns\":%llu,\"spun\":%llu,\"yielded\":%llu", s->count, s->ns,
	       spun(s), s->yielded);
	if (r->sees_halts)
		printf(",\"halted\":%llu", s->halted);
	if (r->sees_steal)
		printf(",\"preempted\":%llu", s->preempted);
	fputs(",\"buckets\":[", stdout);
	for (b = 0; b < WAIT_BUCKETS; b++)
		printf("%s%llu", b ? "," : "", s->buckets[b]);
	putchar(']');
}

static void json_before(const struct report *r, const struct wait_stats *s)
{
	unsigned int b;

	printf(",\"before_waits\":%.0f,\"before_ns\":%.0f", s->count * r->scale, s->ns * r->scale);
	if (r->sees_steal)
		printf(",\"before_preempted\":%.0f", s->preempted * r->scale);
	fputs(",\"before_buckets\":[", stdout);
	for (b = 0; b < WAIT_BUCKETS; b++)
		printf("%s%.0f", b ? "," : "", s->buckets[b] * r->scale);
	putchar(']');
}

static void json_group(const struct report *r, const struct group *g, enum view view)
{
	char chief[NAME_SIZE];

	fputs("{\"name\":", stdout);
	tool_json_string(g->name);
	if (g->s.count) {
		name_address(r->symbols, g->chief, chief);
		printf(",\"address\":\"%#llx\",\"%s\":", g->address, kinds[!view]);
		tool_json_string(chief);
	}
	putchar(',');
	json_stats(r, &g->s);
	if (r->compares)
		json_before(r, &g->before);
	putchar('}');
}

static void json_report(const struct report *r, const struct arguments *a)
{
	enum view view;
	unsigned int b;
	size_t i;

	printf("{\"time\":%lld,\"seconds\":%.3f,", (long long)time(NULL), r->seconds);
	json_stats(r, &r->all);
	printf(",\"no_room\":%llu,\"no_room_ns\":%llu,\"without_holder\":%llu,\"missed\":%llu",
	       r->rows->no_room.count, r->rows->no_room.ns, r->rows->without_holder,
	       r->rows->missed);
	fputs(",\"from_ns\":[0", stdout);
	for (b = 1; b < WAIT_BUCKETS; b++)
		printf(",%llu", WAIT_FIRST_NS << (b - 1));
	putchar(']');
	for (view = 0; view < VIEWS; view++) {
		printf(",\"%ss\":[", kinds[view]);
		for (i = 0; i < shown(r, view, a); i++) {
			fputs(i ? "," : "", stdout);
			json_group(r, &r->groups[view][i], view);
		}
		putchar(']');
	}
	puts("}");
}

/* --- all of it ------------------------------------------------------------- */

static void put(struct report *r, const struct saved *saved, FILE *file,
		const struct arguments *a)
{
	enum view view;

	make_report(r, saved);
	(a->json ? json_report : put_report)(r, a);
	tool_flush();
	if (file) {
		save(file, r);
		tool_replace(file, a->save);
	}
	for (view = 0; view < VIEWS; view++)
		free(r->groups[view]);
}

/* What has come since @then, which is brought up to date. */
static void look(struct lockwait_bpf *bpf, const struct symbols *symbols, struct wait_rows *then,
		 const struct saved *saved, FILE *file, const struct arguments *a)
{
	struct wait_rows now, since;
	struct report r = {
		.rows = &since,
		.symbols = symbols,
		.sees_steal = lockwaits_see_steal(bpf),
		.sees_halts = lockwaits_see_halts(bpf),
		.compares = a->compare,
	};

	wait_rows_read(bpf, &now);
	wait_rows_since(&since, &now, then);
	r.seconds = (now.at - then->at) / 1e9;
	put(&r, saved, file, a);
	wait_rows_free(&since);
	wait_rows_free(then);
	*then = now;
}

int main(int argc, char **argv)
{
	struct arguments a = { .seconds = 10, .lines = 10 };
	struct saved saved = { 0 };
	struct lockwait_bpf *bpf;
	struct symbols *symbols;
	struct wait_rows rows;
	FILE *file;

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (a.compare)
		load(a.compare, &saved);
	tool_end_on_signals();
	symbols = symbols_read();
	bpf = lockwaits_open(symbols);
	if (symbols_are_hidden(symbols))
		warnx("/proc/kallsyms has no addresses: locks have no names, callers are unknown");
	file = a.save ? tool_rewrite(a.save) : NULL;
	wait_rows_read(bpf, &rows);
	do {
		tool_wait(a.seconds);
		/* Modules may have come meanwhile. */
		symbols_free(symbols);
		symbols = symbols_read();
		look(bpf, symbols, &rows, &saved, file, &a);
	} while (!a.once && !tool_ended);
	wait_rows_free(&rows);
	lockwaits_close(bpf);
	symbols_free(symbols);
	free(saved.lines);
	return 0;
}
