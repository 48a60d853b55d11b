// SPDX-License-Identifier: GPL-2.0
/*
 * Test of scripts/tune/tune_decide.c against loads that are made up
 *
 * Usage: decide [SEED]: the seed of all runs, printed by each.
 */
#include <time.h>

#include "../lib/tap.h"
#include "../../scripts/tune/tune_decide.c"

#define SEEDS	20
/* That much a steady load may lose. */
#define STEADY	0.98

static unsigned int seed;

/**
 * struct world - a load, and how it is measured
 * @truth: what would be measured without noise at a time, with these values
 * @noise: standard deviation of what is measured, as part of it
 * @length: how many intervals it lasts
 * @live: which parameters can have an effect
 * @alone: there is nothing to compare it with
 */
struct world {
	void (*truth)(const long *values, unsigned int at, double measures[TUNE_MEASURES]);
	double		noise;
	unsigned int	length;
	unsigned int	live;
	bool		alone;
};

/**
 * struct outcome - what came of it
 * @ratio: work that was done, over what would have been with the defaults
 * @late_ratio: the same for the second half
 * @away: part of the time in which a parameter was not at its default
 * @events: how often each was decided
 * @proper: values were within bounds, and one at most changed at a time
 * @values: those at the end
 */
struct outcome {
	double		ratio;
	double		late_ratio;
	double		away;
	unsigned int	events[TUNE_CHANGED + 1];
	bool		proper;
	long		values[2];
};

static const struct tune_knob knobs[] = {
	{ .name = "spin", .normal = 1000, .min = 125, .max = 16000, .factor = 2 },
	{ .name = "share", .normal = 5, .min = 1, .max = 1000, .factor = 4, .goal = TUNE_FOUND },
};
#define KNOBS	2

/* What a world sees of who tunes it, for those that mean ill. */
static struct tune tune;

/* --- chance ---------------------------------------------------------------- */

static unsigned int state;

static double uniform(void)
{
	state = state * 1664525U + 1013904223U;
	return (state >> 8) / 16777216.0;
}

/* Nearly normal, with a standard deviation of 1. */
static double normal(void)
{
	double sum = -6;
	int i;

	for (i = 0; i < 12; i++)
		sum += uniform();
	return sum;
}

static double noisy(double truth, double noise)
{
	const double x = truth * (1 + noise * normal());

	return x > 0 ? x : 0;
}

/* --- a run ----------------------------------------------------------------- */

static bool are_proper(const long *now, const long *before)
{
	unsigned int k, changed = 0;

	for (k = 0; k < KNOBS; k++) {
		if (now[k] < knobs[k].min || now[k] > knobs[k].max)
			return false;
		changed += now[k] != before[k];
	}
	return changed <= 1;
}

static struct outcome run(const struct world *w, unsigned int number)
{
	const long normals[KNOBS] = { knobs[0].normal, knobs[1].normal };
	double done = 0, by_default = 0, half_done = 0, half_default = 0;
	double measures[TUNE_MEASURES], defaults[TUNE_MEASURES] = { 0 };
	long values[KNOBS] = { knobs[0].normal, knobs[1].normal }, before[KNOBS];
	struct outcome o = { .proper = true };
	struct tune_report report;
	unsigned int at, k;

	state = seed + number;
	tune_init(&tune, knobs, KNOBS, state);
	for (at = 0; at < w->length; at++) {
		for (k = 0; k < KNOBS; k++) {
			before[k] = values[k];
			values[k] = tune_value(&tune, k);
		}
		o.proper = o.proper && are_proper(values, before);
		o.away += values[0] != normals[0] || values[1] != normals[1];
		if (!w->alone)
			w->truth(normals, at, defaults);
		w->truth(values, at, measures);
		done += measures[TUNE_LOAD];
		by_default += defaults[TUNE_LOAD];
		if (at == w->length / 2) {
			half_done = done;
			half_default = by_default;
		}
		for (k = 0; k < TUNE_MEASURES; k++)
			measures[k] = noisy(measures[k], w->noise);
		o.events[tune_note(&tune, measures, w->live, &report)]++;
	}
	o.ratio = done / by_default;
	o.late_ratio = (done - half_done) / (by_default - half_default);
	o.away /= w->length;
	for (k = 0; k < KNOBS; k++)
		o.values[k] = tune.states[k].value;
	return o;
}

/* --- many runs ------------------------------------------------------------- */

/**
 * struct outcomes - of runs with all seeds
 * @ratio: the least
 * @late_ratio: the least
 * @away: the mean
 * @kept: how often a value was kept, in all runs together
 * @proper: all were
 */
struct outcomes {
	double		ratio;
	double		late_ratio;
	double		away;
	unsigned int	kept;
	bool		proper;
};

static struct outcomes run_all(const struct world *w)
{
	struct outcomes all = { .ratio = 1e9, .late_ratio = 1e9, .proper = true };
	unsigned int i;

	for (i = 0; i < SEEDS; i++) {
		const struct outcome o = run(w, i);

		all.ratio = o.ratio < all.ratio ? o.ratio : all.ratio;
		all.late_ratio = o.late_ratio < all.late_ratio ? o.late_ratio : all.late_ratio;
		all.away += o.away / SEEDS;
		all.kept += o.events[TUNE_KEPT];
		all.proper = all.proper && o.proper;
	}
	return all;
}

static const double noises[] = { 0, 0.01, 0.05, 0.2 };
#define NOISES	(sizeof(noises) / sizeof(noises[0]))

/* --- a load to which nothing matters --------------------------------------- */

static void flat(const long *values, unsigned int at, double measures[TUNE_MEASURES])
{
	(void)values;
	(void)at;
	measures[TUNE_LOAD] = 1000;
	measures[TUNE_FOUND] = 0;
}

static void test_flat(void)
{
	struct world w = { .truth = flat, .length = 4000, .live = 3 };
	struct outcomes all;
	unsigned int i;

	for (i = 0; i < NOISES; i++) {
		w.noise = noises[i];
		all = run_all(&w);
		printf("# away for %.3f of the time, kept %u values in %u runs\n", all.away,
		       all.kept, SEEDS);
		tap_ok(all.away < 0.1 && all.proper, "flat, noise %.2f: it hardly tries anything",
		       w.noise);
	}
}

static void test_not_live(void)
{
	const struct world w = { .truth = flat, .noise = 0.05, .length = 4000 };
	const struct outcome o = run(&w, 0);

	tap_ok(o.away == 0, "what can have no effect is not tried");
}

/* --- a load to which all but the defaults is harmful ------------------------ */

static double harm;

static void harmful(const long *values, unsigned int at, double measures[TUNE_MEASURES])
{
	flat(values, at, measures);
	if (values[0] != knobs[0].normal || values[1] != knobs[1].normal)
		measures[TUNE_LOAD] *= 1 - harm;
}

static void test_harmful(void)
{
	static const double harms[] = { 0.01, 0.03, 0.1, 0.5, 1 };
	struct world w = { .truth = harmful, .length = 3000, .live = 3 };
	struct outcomes all;
	unsigned int h, i;

	for (h = 0; h < sizeof(harms) / sizeof(harms[0]); h++)
		for (i = 0; i < NOISES; i++) {
			harm = harms[h];
			w.noise = noises[i];
			all = run_all(&w);
			printf("# %.4f of what it would have done at worst\n", all.ratio);
			tap_ok(all.ratio >= STEADY && all.proper,
			       "all is harmful by %.2f, noise %.2f: it loses 2 %% at most", harm,
			       w.noise);
		}
}

/* --- loads that mean ill ----------------------------------------------------- */

/* Other values look better in a trial, and are worse as soon as they are kept. */
static void bait(const long *values, unsigned int at, double measures[TUNE_MEASURES])
{
	flat(values, at, measures);
	if (values[0] != knobs[0].normal || values[1] != knobs[1].normal)
		measures[TUNE_LOAD] *= tune.trial.on ? 1.15 : 1 - harm;
}

/* By turns it does half as much, as the trials do, and other values are harmful besides. */
static void in_step(const long *values, unsigned int at, double measures[TUNE_MEASURES])
{
	harmful(values, at, measures);
	if (at % 2)
		measures[TUNE_LOAD] /= 2;
}

/* It looks like another load again and again, so that all is tried anew. */
static void restless(const long *values, unsigned int at, double measures[TUNE_MEASURES])
{
	harmful(values, at, measures);
	measures[TUNE_LOAD] *= 1 + at / 40 % 2;
}

static void test_ill(void)
{
	static const struct {
		const char *name;
		void (*truth)(const long *, unsigned int, double *);
		double harm;
	} loads[] = {
		{ "bait, then harm of 0.1", bait, 0.1 },
		{ "bait, then harm of 0.3", bait, 0.3 },
		{ "bait, then nothing is done", bait, 1 },
		{ "in step with the trials", in_step, 0.1 },
		{ "another load each 40 intervals", restless, 0.1 },
	};
	struct world w = { .length = 3000, .live = 3, .noise = 0.02 };
	struct outcomes all;
	unsigned int i;

	for (i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		w.truth = loads[i].truth;
		harm = loads[i].harm;
		all = run_all(&w);
		printf("# %.4f of what it would have done at worst\n", all.ratio);
		tap_ok(all.ratio >= STEADY && all.proper, "%s: it loses 2 %% at most",
		       loads[i].name);
	}
}

/* --- loads that gain --------------------------------------------------------- */

/* How many steps up from its default a parameter is. */
static int steps(unsigned int k, long value)
{
	const long normal_value = knobs[k].normal;
	int n = 0;

	if (value > normal_value)
		for (; value > normal_value; value /= knobs[k].factor)
			n++;
	else
		for (; value < normal_value; value *= knobs[k].factor)
			n--;
	return n;
}

/* A tenth more with each step down, three of which there are, and less up. */
static void down(const long *values, unsigned int at, double measures[TUNE_MEASURES])
{
	flat(values, at, measures);
	measures[TUNE_LOAD] *= 1 - 0.1 * steps(0, values[0]);
}

/* Another load, which does thrice as much, and up is better. */
static void up_and_down(const long *values, unsigned int at, double measures[TUNE_MEASURES])
{
	const int n = steps(0, values[0]);

	flat(values, at, measures);
	if (at / 500 % 2)
		measures[TUNE_LOAD] *= 3 * (1 + 0.1 * (n < 3 ? n : 3));
	else
		measures[TUNE_LOAD] *= 1 - 0.1 * n;
}

static void test_gains(void)
{
	struct world w = { .truth = down, .length = 2000, .live = 3, .noise = 0.03 };
	struct outcomes all = run_all(&w);

	printf("# %.4f at worst, %.4f in the second half\n", all.ratio, all.late_ratio);
	tap_ok(all.late_ratio >= 1.2 && all.proper, "a better value is found and kept");
	w.truth = up_and_down;
	w.length = 4000;
	all = run_all(&w);
	printf("# %.4f at worst, %.4f in the second half\n", all.ratio, all.late_ratio);
	tap_ok(all.ratio >= 1.1 && all.proper, "another load is noticed, and all is tried anew");
}

/* --- pages that can be shared ------------------------------------------------- */

/* There are so many to be found, in a time in which there is no load. */
static double left;

static void shared(const long *values, unsigned int at, double measures[TUNE_MEASURES])
{
	measures[TUNE_LOAD] = 0;
	if (at < 50)
		left = 2e5;
	measures[TUNE_FOUND] = at < 50 ? 0 : values[1] * 20;
	if (measures[TUNE_FOUND] > left)
		measures[TUNE_FOUND] = left;
	left -= measures[TUNE_FOUND];
}

/* The same for ever, but the search takes from the load. */
static void costly(const long *values, unsigned int at, double measures[TUNE_MEASURES])
{
	flat(values, at, measures);
	measures[TUNE_LOAD] *= 1 - 0.05 * (steps(1, values[1]) > 0 ? steps(1, values[1]) : 0);
	measures[TUNE_FOUND] = values[1] * 20;
}

static void test_shared(void)
{
	struct world w = { .truth = shared, .noise = 0.1, .length = 500, .live = 2, .alone = true };
	struct outcome o = run(&w, 0);

	printf("# %.0f are left, the share is %ld in the end\n", left, o.values[1]);
	tap_ok(left == 0 && o.values[1] == knobs[1].normal && o.proper,
	       "the search is faster as long as it finds something");
	w.truth = costly;
	w.alone = false;
	w.noise = 0.02;
	w.length = 3000;
	o = run(&w, 0);
	printf("# %.4f of the load\n", o.ratio);
	tap_ok(o.ratio >= STEADY && o.proper, "but not at the cost of the load");
}

/* --- loads at random ---------------------------------------------------------- */

static double table[KNOBS][16];

static void at_random(const long *values, unsigned int at, double measures[TUNE_MEASURES])
{
	unsigned int k;

	flat(values, at, measures);
	for (k = 0; k < KNOBS; k++)
		measures[TUNE_LOAD] *= table[k][steps(k, values[k]) + 8];
	measures[TUNE_FOUND] = values[1];
}

static void make_table(void)
{
	unsigned int k, i;

	for (k = 0; k < KNOBS; k++)
		for (i = 0; i < 16; i++)
			table[k][i] = i == 8 ? 1 : 0.5 + uniform();
}

static void test_random(void)
{
	struct world w = { .truth = at_random, .length = 3000, .live = 3 };
	double least = 1e9;
	bool proper = true;
	unsigned int i;

	for (i = 0; i < 200; i++) {
		struct outcome o;

		state = seed + 1000 * i;
		make_table();
		w.noise = 0.15 * uniform();
		o = run(&w, i);
		least = o.ratio < least ? o.ratio : least;
		proper = proper && o.proper;
	}
	printf("# %.4f of what it would have done at worst\n", least);
	tap_ok(least >= STEADY, "200 loads at random: none loses more than 2 %%");
	tap_ok(proper, "values keep within their bounds, and one changes at a time");
}

int main(int argc, char **argv)
{
	seed = argc > 1 ? strtoul(argv[1], NULL, 0) : (unsigned int)time(NULL);
	tap_begin();
	printf("# seed %u\n", seed);
	test_flat();
	test_not_live();
	test_harmful();
	test_ill();
	test_gains();
	test_shared();
	test_random();
	return tap_done();
}
