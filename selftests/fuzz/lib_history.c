// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of guest/history.c: what it says was stolen once was so, is never more than had been
 * stolen by then, and never gets less with time
 */
#include "input.h"
#include "../../guest/history.c"

#define START		(1000 * 1000 * 1000000ULL)
#define NOTES_MAX	8192

/* All that was noted; the history keeps less. */
static struct mark notes[NOTES_MAX];
static u32 count;

static void note(struct pvx_history *h, u64 time, u64 stolen)
{
	if (count == NOTES_MAX)
		return;
	pvx_history_note(h, time, stolen);
	notes[count++] = (struct mark){ .time = time, .stolen = stolen };
}

/* The newest note that is not after @time. */
static u64 stolen_by(u64 time)
{
	u32 low = 0, high = count, middle;

	while (high - low > 1) {
		middle = low + (high - low) / 2;
		if (notes[middle].time <= time)
			low = middle;
		else
			high = middle;
	}
	return notes[low].stolen;
}

static bool was_noted(u64 stolen)
{
	u32 low = 0, high = count, middle;

	while (high - low > 1) {
		middle = low + (high - low) / 2;
		if (notes[middle].stolen <= stolen)
			low = middle;
		else
			high = middle;
	}
	return notes[low].stolen == stolen;
}

static u64 oldest_mark(const struct pvx_history *h)
{
	return h->marks[h->count > MARKS ? h->count % MARKS : 0].time;
}

static u64 check_at(const struct pvx_history *h, u64 time)
{
	u64 stolen = 0;

	must(pvx_history_at(h, time, &stolen));
	must(was_noted(stolen));
	if (time >= oldest_mark(h))
		must(stolen <= stolen_by(time));
	if (time >= notes[count - 1].time)
		must(stolen == notes[count - 1].stolen);
	return stolen;
}

static void check_all(const struct pvx_history *h, u64 step)
{
	const u64 end = notes[count - 1].time + step;
	u64 time, stolen, last = 0;
	u32 i;

	for (i = 0, time = START; time <= end && i < 256; time += step, i++) {
		stolen = check_at(h, time);
		must(stolen >= last);
		last = stolen;
	}
	must(check_at(h, end) >= last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { .at = data, .left = size };
	struct pvx_history *h = pvx_history_alloc(0, START);
	u64 now = START, stolen = 0, step, more;
	u32 times;

	must(h);
	count = 0;
	notes[count++] = (struct mark){ .time = START };
	while (has_more(&in)) {
		/* Up to 256 ticks, of which the same is stolen each. */
		times = 1 + take(&in, 1);
		step = take(&in, 2) * 10000;
		more = take(&in, 2) * 10000;
		while (times--) {
			now += step;
			stolen += more < step ? more : step;
			note(h, now, stolen);
		}
		check_at(h, START + (now - START) / 256 * take(&in, 1));
	}
	check_all(h, (now - START) / 200 + 1);
	check_all(h, 50000001);
	pvx_history_free(h);
	return 0;
}
