// SPDX-License-Identifier: GPL-2.0
/*
 * Which value of which parameter is worth a try, and whether it is kept
 */
#include <string.h>

#include "tune_decide.h"

/* A trial takes so many pairs, unless each of the first ones says the same, and clearly. */
#define PAIRS		8
#define CLEAR		0.2
#define PAIRS_GOOD	4
#define PAIRS_BAD	2

/* To be kept, a value must gain so much, and so many standard errors. */
#define GAIN		0.02
#define GAIN_ERRORS	3.5
/* What loses so much, and so many standard errors, is worse. */
#define LOSS		0.01
#define LOSS_ERRORS	2.0
/* Where it is to raise something else, it must be certain that the load loses less than that. */
#define PRICE		0.005

/* So many intervals tell where a measure is, which later ones tell with less and less weight. */
#define LEVEL_MIN	8
#define LEVEL_MAX	32
/* A change is so many intervals in a row on one side, by that part and standard deviations. */
#define OUTSIDE		3
#define OUTSIDE_PART	0.1
#define OUTSIDE_ERRORS	4.0

/*
 * What was kept is taken back if the load falls clearly, from so many intervals on, or by so many
 * standard errors, when its level is known.
 */
#define PROBATION_MIN	3
#define PROBATION_ERRORS 3.0
#define PROBATION_MAX	16

/* After a trial that changed nothing a parameter rests, each time for twice as many intervals. */
#define BACKOFF_MIN	8
#define BACKOFF_MAX	1024

/*
 * What trials may cost the load, in intervals in which it would have done nothing: so many at
 * first and at any time, and in the long run that part of all.
 */
#define CREDIT		2.0
#define INCOME		0.01
/* A trial begins with so much left, at least. */
#define CREDIT_MIN	1.0

enum verdict {
	UNDECIDED,
	BETTER,
	WORSE,
};

/* --- pairs ----------------------------------------------------------------- */

static double difference(double old, double new)
{
	return old + new > 0 ? 2 * (new - old) / (old + new) : 0;
}

static void add_pair(struct tune_sum *s, double d)
{
	s->sum += d;
	s->squares += d * d;
	s->least = d < s->least ? d : s->least;
	s->most = d > s->most ? d : s->most;
}

/* The square of the mean's standard error. */
static double error2(const struct tune_sum *s, unsigned int pairs)
{
	const double mean = s->sum / pairs;
	const double variance = pairs > 1 ? (s->squares / pairs - mean * mean) / (pairs - 1) : 1;

	return variance > 0 ? variance : 0;
}

static bool exceeds(double value, double limit, double errors, double error_squared)
{
	return value >= limit && value * value >= errors * errors * error_squared;
}

static bool gains(const struct tune_sum *s, unsigned int pairs)
{
	return exceeds(s->sum / pairs, GAIN, GAIN_ERRORS, error2(s, pairs));
}

static bool loses(const struct tune_sum *s, unsigned int pairs)
{
	return exceeds(-s->sum / pairs, LOSS, LOSS_ERRORS, error2(s, pairs));
}

static bool gains_clearly(const struct tune_sum *s, unsigned int pairs)
{
	return pairs >= PAIRS_GOOD && s->least >= CLEAR;
}

static bool loses_clearly(const struct tune_sum *s, unsigned int pairs)
{
	return pairs >= PAIRS_BAD && s->most <= -CLEAR;
}

/* --- levels ---------------------------------------------------------------- */

static bool is_outside(const struct tune_level *l, double x)
{
	const double d = x - l->mean, part = OUTSIDE_PART * l->mean;

	return d * d > part * part && d * d > OUTSIDE_ERRORS * OUTSIDE_ERRORS * l->variance;
}

static void learn(struct tune_level *l, double x)
{
	const double d = x - l->mean;

	if (l->count < LEVEL_MAX)
		l->count++;
	l->mean += d / l->count;
	l->variance += (d * (x - l->mean) - l->variance) / l->count;
	l->outside = 0;
}

/* True if the measure is somewhere else now, and has to be got to know anew. */
static bool note_level(struct tune_level *l, double x)
{
	const bool above = x > l->mean;

	if (l->count < LEVEL_MIN || !is_outside(l, x)) {
		learn(l, x);
		return false;
	}
	l->outside = l->outside && l->above == above ? l->outside + 1 : 1;
	l->above = above;
	if (l->outside < OUTSIDE)
		return false;
	*l = (struct tune_level){ 0 };
	return true;
}

static void forget_levels(struct tune *t)
{
	memset(t->levels, 0, sizeof(t->levels));
}

/* What was found out of a parameter by that measure need not hold any more. */
static void try_anew(struct tune *t, enum tune_measure measure)
{
	unsigned int k;

	for (k = 0; k < t->count; k++) {
		const struct tune_knob *knob = &t->knobs[k];
		struct tune_state *s = &t->states[k];

		if (measure != TUNE_LOAD && measure != knob->goal)
			continue;
		s->hold = 0;
		s->backoff = BACKOFF_MIN;
		/* First of all, is it still better than the default? */
		if (s->value != knob->normal)
			s->up = s->value < knob->normal;
	}
}

static bool note_levels(struct tune *t, const double measures[TUNE_MEASURES])
{
	bool changed = false;
	int m;

	for (m = 0; m < TUNE_MEASURES; m++) {
		if (!note_level(&t->levels[m], measures[m]))
			continue;
		try_anew(t, m);
		changed = true;
	}
	return changed;
}

/* --- trials ---------------------------------------------------------------- */

static bool toss(struct tune *t)
{
	t->seed = t->seed * 1103515245U + 12345U;
	return t->seed >> 16 & 1;
}

static bool is_away(const struct tune *t)
{
	return t->trial.to != t->knobs[t->trial.knob].normal;
}

static void begin_trial(struct tune *t, unsigned int knob, long to)
{
	int m;

	t->trial = (struct tune_trial){
		.on = true,
		.knob = knob,
		.to = to,
		.new_first = toss(t),
	};
	for (m = 0; m < TUNE_MEASURES; m++) {
		t->trial.sums[m].least = 2;
		t->trial.sums[m].most = -2;
	}
}

/* The next value on the way, or the default, if that is the way to it. */
static long step(const struct tune_knob *knob, long value, bool up)
{
	long to = up ? value * knob->factor : value / knob->factor;

	if (up ? value < knob->normal : value > knob->normal)
		return knob->normal;
	if (to < knob->min)
		return knob->min;
	return to > knob->max ? knob->max : to;
}

static long candidate(struct tune *t, unsigned int k)
{
	struct tune_state *s = &t->states[k];
	const long to = step(&t->knobs[k], s->value, s->up);

	if (to != s->value)
		return to;
	s->up = !s->up;
	return step(&t->knobs[k], s->value, s->up);
}

/* Back to the default at any time; away from it only if that may cost something. */
static bool may_try(const struct tune *t, unsigned int k, long to)
{
	if (to == t->states[k].value)
		return false;
	return to == t->knobs[k].normal ||
	       (t->credit >= CREDIT_MIN && t->levels[TUNE_LOAD].count >= LEVEL_MIN);
}

static enum tune_event try_next(struct tune *t, unsigned int live, struct tune_report *report)
{
	unsigned int i, k;
	long to;

	for (i = 0; i < t->count; i++) {
		k = (t->next + i) % t->count;
		if (t->states[k].hold || !(live >> k & 1))
			continue;
		to = candidate(t, k);
		if (!may_try(t, k, to))
			continue;
		t->next = (k + 1) % t->count;
		*report = (struct tune_report){ .knob = k, .from = t->states[k].value, .to = to };
		begin_trial(t, k, to);
		return TUNE_BEGUN;
	}
	return TUNE_NOTHING;
}

/* What the trial has cost up to now, against the default or what is better than that. */
static double cost(const struct tune *t)
{
	const double sum = t->trial.sums[TUNE_LOAD].sum;
	const double lost = is_away(t) ? -sum : sum;

	return lost > 0 ? lost : 0;
}

/* Is it certain that another value than the default costs the load hardly anything? */
static bool holds(const struct tune *t)
{
	const struct tune_sum *s = &t->trial.sums[TUNE_LOAD];
	const double gain = s->sum / t->trial.pairs, spare = PRICE + (is_away(t) ? gain : -gain);

	return spare > 0 && spare * spare >= LOSS_ERRORS * LOSS_ERRORS * error2(s, t->trial.pairs);
}

static enum verdict judge_away(const struct tune *t)
{
	const struct tune_trial *trial = &t->trial;
	const enum tune_measure measure = t->knobs[trial->knob].goal;
	const struct tune_sum *load = &trial->sums[TUNE_LOAD], *goal = &trial->sums[measure];
	const unsigned int n = trial->pairs;

	if (loses_clearly(load, n) || loses_clearly(goal, n) || cost(t) > t->credit)
		return WORSE;
	if (measure == TUNE_LOAD && gains_clearly(goal, n))
		return BETTER;
	if (n < PAIRS)
		return UNDECIDED;
	return gains(goal, n) && (measure == TUNE_LOAD || holds(t)) ? BETTER : WORSE;
}

static enum verdict judge_default(const struct tune *t)
{
	const struct tune_trial *trial = &t->trial;
	const enum tune_measure measure = t->knobs[trial->knob].goal;
	const struct tune_sum *goal = &trial->sums[measure];
	const unsigned int n = trial->pairs;

	if (measure == TUNE_LOAD && loses_clearly(goal, n))
		return WORSE;
	if (gains_clearly(goal, n))
		return BETTER;
	if (n < PAIRS)
		return UNDECIDED;
	return loses(goal, n) && (measure == TUNE_LOAD || holds(t)) ? WORSE : BETTER;
}

static void rest(struct tune_state *s)
{
	s->hold = s->backoff;
	s->backoff = 2 * s->backoff < BACKOFF_MAX ? 2 * s->backoff : BACKOFF_MAX;
}

static enum tune_event keep(struct tune *t)
{
	struct tune_trial *trial = &t->trial;
	struct tune_state *s = &t->states[trial->knob];

	t->probation = (struct tune_probation){
		.on = true,
		.knob = trial->knob,
		.from = s->value,
		.pairs = trial->pairs,
		.load = trial->old_load / trial->pairs,
	};
	s->value = trial->to;
	/* More of the same may be better yet. */
	t->next = trial->knob;
	forget_levels(t);
	return TUNE_KEPT;
}

static enum tune_event return_to_default(struct tune *t)
{
	struct tune_state *s = &t->states[t->trial.knob];

	t->credit -= cost(t);
	s->value = t->trial.to;
	rest(s);
	forget_levels(t);
	return TUNE_RETURNED;
}

static enum tune_event give_up(struct tune *t)
{
	struct tune_state *s = &t->states[t->trial.knob];

	if (is_away(t))
		t->credit -= cost(t);
	/* The other way, the next time. */
	s->up = !s->up;
	rest(s);
	return is_away(t) ? TUNE_TAKEN_BACK : TUNE_STAYED;
}

static enum tune_event end_trial(struct tune *t, enum verdict verdict, struct tune_report *report)
{
	struct tune_trial *trial = &t->trial;
	const struct tune_sum *goal = &trial->sums[t->knobs[trial->knob].goal];

	*report = (struct tune_report){
		.knob = trial->knob,
		.from = t->states[trial->knob].value,
		.to = trial->to,
		.pairs = trial->pairs,
		.gain = goal->sum / trial->pairs,
		.error2 = error2(goal, trial->pairs),
		.load = trial->sums[TUNE_LOAD].sum / trial->pairs,
	};
	trial->on = false;
	if (verdict == WORSE)
		return give_up(t);
	return is_away(t) ? keep(t) : return_to_default(t);
}

static enum tune_event note_trial(struct tune *t, const double measures[TUNE_MEASURES],
				  struct tune_report *report)
{
	struct tune_trial *trial = &t->trial;
	const double *old = trial->new_first ? measures : trial->first;
	const double *new = trial->new_first ? trial->first : measures;
	enum verdict verdict;
	int m;

	trial->second = !trial->second;
	if (trial->second) {
		memcpy(trial->first, measures, sizeof(trial->first));
		return TUNE_NOTHING;
	}
	for (m = 0; m < TUNE_MEASURES; m++)
		add_pair(&trial->sums[m], difference(old[m], new[m]));
	trial->old_load += old[TUNE_LOAD];
	trial->pairs++;
	/* Each second pair is the other way round, so that a load that goes up and down is fair. */
	trial->new_first = trial->pairs % 2 ? !trial->new_first : toss(t);
	verdict = is_away(t) ? judge_away(t) : judge_default(t);
	return verdict == UNDECIDED ? TUNE_NOTHING : end_trial(t, verdict, report);
}

/* --- probation ------------------------------------------------------------- */

static bool is_broken(const struct tune *t)
{
	const struct tune_probation *p = &t->probation;
	const struct tune_level *l = &t->levels[TUNE_LOAD];
	const double lost = p->load - l->mean;

	if (l->count >= PROBATION_MIN && lost > CLEAR * p->load)
		return true;
	return l->count >= LEVEL_MIN &&
	       exceeds(lost, LOSS * p->load, PROBATION_ERRORS,
		       l->variance * (1.0 / l->count + 1.0 / p->pairs));
}

/*
 * What is better when it takes turns need not be when it lasts: it may do harm later, or its
 * harm may meet the other value as well.
 */
static enum tune_event watch(struct tune *t, struct tune_report *report)
{
	struct tune_probation *p = &t->probation;
	struct tune_level *l = &t->levels[TUNE_LOAD];
	struct tune_state *s = &t->states[p->knob];

	if (p->load > 0 && is_broken(t)) {
		*report = (struct tune_report){
			.knob = p->knob,
			.from = p->from,
			.to = s->value,
			.load = l->mean / p->load - 1,
		};
		p->on = false;
		t->credit -= l->count * (1 - l->mean / p->load);
		s->value = p->from;
		s->up = !s->up;
		rest(s);
		forget_levels(t);
		return TUNE_BROKEN;
	}
	if (l->count >= PROBATION_MAX) {
		p->on = false;
		s->backoff = BACKOFF_MIN;
	}
	return TUNE_NOTHING;
}

/* --- all of it ------------------------------------------------------------- */

void tune_init(struct tune *t, const struct tune_knob *knobs, unsigned int count,
	       unsigned int seed)
{
	unsigned int k;

	*t = (struct tune){
		.knobs = knobs,
		.count = count,
		.seed = seed,
		.credit = CREDIT,
	};
	for (k = 0; k < count; k++)
		t->states[k] = (struct tune_state){
			.value = knobs[k].normal,
			.backoff = BACKOFF_MIN,
		};
}

static bool tries_now(const struct tune *t)
{
	return t->trial.on && t->trial.second != t->trial.new_first;
}

long tune_value(const struct tune *t, unsigned int knob)
{
	return tries_now(t) && t->trial.knob == knob ? t->trial.to : t->states[knob].value;
}

static void pass_time(struct tune *t)
{
	unsigned int k;

	t->credit = t->credit + INCOME < CREDIT ? t->credit + INCOME : CREDIT;
	for (k = 0; k < t->count; k++)
		if (t->states[k].hold)
			t->states[k].hold--;
}

enum tune_event tune_note(struct tune *t, const double measures[TUNE_MEASURES],
			  unsigned int live, struct tune_report *report)
{
	/* Levels are those of the values that hold, not of one that is tried. */
	const bool changed = !tries_now(t) && note_levels(t, measures);
	enum tune_event event;

	*report = (struct tune_report){ 0 };
	pass_time(t);
	if (t->trial.on)
		event = note_trial(t, measures, report);
	else if (t->probation.on)
		event = watch(t, report);
	else
		event = changed ? TUNE_CHANGED : try_next(t, live, report);
	return event == TUNE_NOTHING && changed ? TUNE_CHANGED : event;
}
