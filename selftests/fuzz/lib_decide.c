// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of scripts/tune/tune_decide.c: whatever is measured, values are within bounds, one
 * changes at a time, and what cannot have an effect is left alone
 */
#include "input.h"
#include "../../scripts/tune/tune_decide.c"

static const struct tune_knob knobs[] = {
	{ .name = "spin", .normal = 1000, .min = 125, .max = 16000, .factor = 2 },
	{ .name = "share", .normal = 5, .min = 1, .max = 1000, .factor = 4, .goal = TUNE_FOUND },
	{ .name = "fixed", .normal = 7, .min = 7, .max = 7, .factor = 3 },
};
#define KNOBS	(sizeof(knobs) / sizeof(knobs[0]))

/* About the same mostly, nothing at all, or any number. */
static double measured(struct input *in)
{
	switch (take_below(in, 8)) {
	case 0:
		return 0;
	case 1:
		return take(in, 8);
	default:
		return 1000 + take(in, 1);
	}
}

static void check_event(enum tune_event event, const struct tune_report *r, u32 live)
{
	must(event <= TUNE_CHANGED);
	if (event == TUNE_NOTHING || event == TUNE_CHANGED)
		return;
	must(r->knob < KNOBS);
	must(event != TUNE_BEGUN || (live >> r->knob & 1));
	must(r->from >= knobs[r->knob].min && r->from <= knobs[r->knob].max);
	must(r->to >= knobs[r->knob].min && r->to <= knobs[r->knob].max);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { .at = data, .left = size };
	long values[KNOBS], now;
	double measures[TUNE_MEASURES];
	struct tune_report report;
	u32 i, live, changed;
	struct tune tune;

	tune_init(&tune, knobs, KNOBS, take(&in, 4));
	for (i = 0; i < KNOBS; i++) {
		values[i] = tune_value(&tune, i);
		must(values[i] == knobs[i].normal);
	}
	live = take(&in, 1);
	while (has_more(&in)) {
		measures[TUNE_LOAD] = measured(&in);
		measures[TUNE_FOUND] = measured(&in);
		if (take_below(&in, 16) == 0)
			live = take(&in, 1);
		report = (struct tune_report){ 0 };
		check_event(tune_note(&tune, measures, live, &report), &report, live);
		for (i = changed = 0; i < KNOBS; i++) {
			now = tune_value(&tune, i);
			must(now >= knobs[i].min && now <= knobs[i].max);
			changed += now != values[i];
			values[i] = now;
		}
		must(changed <= 1);
	}
	return 0;
}
