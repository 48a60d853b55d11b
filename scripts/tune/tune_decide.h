/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which value of which parameter is worth a try, and whether it is kept
 *
 * Hill climbing by trials. In a trial two values of one parameter take turns, interval by
 * interval and in an order that is by lot in one pair and the other way round in the next, so that
 * what changes by itself meets both alike; the differences of the pairs also tell how large the
 * noise is. Another value than the default is kept if it is better by more than noise; the
 * default is gone back to unless it is worse by more than noise, or the other value may cost the
 * load anything. It needs no system calls, and is tested without any.
 */
#ifndef PVX_TUNE_DECIDE_H
#define PVX_TUNE_DECIDE_H

#include <stdbool.h>

/**
 * enum tune_measure - what is measured in an interval, each per second; more is better
 * @TUNE_LOAD: work that the load has done; no parameter is to cost it much
 * @TUNE_FOUND: pages that can be shared and were found
 * @TUNE_MEASURES: how many there are
 */
enum tune_measure {
	TUNE_LOAD,
	TUNE_FOUND,
	TUNE_MEASURES,
};

/**
 * struct tune_knob - a parameter
 * @name: what it is called
 * @normal: its default
 * @min: its least value, more than 0
 * @max: its largest value
 * @factor: values are tried that are so many times more or less
 * @goal: what it is to raise
 */
struct tune_knob {
	const char		*name;
	long			normal;
	long			min;
	long			max;
	long			factor;
	enum tune_measure	goal;
};

/**
 * enum tune_event - what was decided
 * @TUNE_NOTHING: to go on
 * @TUNE_BEGUN: a trial has begun
 * @TUNE_KEPT: the new value was better, and stays
 * @TUNE_TAKEN_BACK: it was not
 * @TUNE_RETURNED: the default was no worse, and holds again
 * @TUNE_STAYED: it was worse, so the present value stays
 * @TUNE_BROKEN: what was kept did not hold what it promised, and was taken back
 * @TUNE_CHANGED: the load is another one, and all is tried anew
 */
enum tune_event {
	TUNE_NOTHING,
	TUNE_BEGUN,
	TUNE_KEPT,
	TUNE_TAKEN_BACK,
	TUNE_RETURNED,
	TUNE_STAYED,
	TUNE_BROKEN,
	TUNE_CHANGED,
};

/**
 * struct tune_report - the numbers behind an event
 * @knob: which parameter, but for TUNE_CHANGED
 * @from: its value
 * @to: the value that was tried
 * @pairs: pairs of intervals in which it was, if it was
 * @gain: of the parameter's goal by @to; 0.1: a tenth
 * @error2: the square of the standard error of @gain
 * @load: gain of TUNE_LOAD by @to
 */
struct tune_report {
	unsigned int	knob;
	long		from;
	long		to;
	unsigned int	pairs;
	double		gain;
	double		error2;
	double		load;
};

/* What is below is tune_decide.c's. */

#define TUNE_KNOBS_MAX	8

/* Differences of pairs; each is from -2 to 2. */
struct tune_sum {
	double	sum;
	double	squares;
	double	least;
	double	most;
};

/* Where a measure has been lately, and how far and on which side it has been off since. */
struct tune_level {
	unsigned int	count;
	double		mean;
	double		variance;
	unsigned int	outside;
	bool		above;
};

struct tune_state {
	long		value;
	bool		up;
	unsigned int	hold;
	unsigned int	backoff;
};

struct tune_trial {
	bool		on;
	unsigned int	knob;
	long		to;
	unsigned int	pairs;
	bool		new_first;
	bool		second;
	double		first[TUNE_MEASURES];
	double		old_load;
	struct tune_sum	sums[TUNE_MEASURES];
};

struct tune_probation {
	bool		on;
	unsigned int	knob;
	long		from;
	unsigned int	pairs;
	double		load;
};

struct tune {
	const struct tune_knob	*knobs;
	unsigned int		count;
	unsigned int		next;
	unsigned int		seed;
	double			credit;
	struct tune_level	levels[TUNE_MEASURES];
	struct tune_state	states[TUNE_KNOBS_MAX];
	struct tune_trial	trial;
	struct tune_probation	probation;
};

/**
 * tune_init() - begin with all parameters at their defaults
 * @t: what is filled in
 * @knobs: the parameters; must stay
 * @count: how many, TUNE_KNOBS_MAX at most
 * @seed: any number
 */
void tune_init(struct tune *t, const struct tune_knob *knobs, unsigned int count,
	       unsigned int seed);

/* What a parameter must be in the next interval. */
long tune_value(const struct tune *t, unsigned int knob);

/**
 * tune_note() - take what was measured in an interval, and decide
 * @t: as tune_init() has made it
 * @measures: of the interval, in which all parameters were what tune_value() says
 * @live: bit n: parameter n can have had an effect; others are not tried
 * @report: filled in, if something was decided
 */
enum tune_event tune_note(struct tune *t, const double measures[TUNE_MEASURES],
			  unsigned int live, struct tune_report *report);

#endif /* PVX_TUNE_DECIDE_H */
