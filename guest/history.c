// SPDX-License-Identifier: GPL-2.0
/*
 * How much had been stolen from a CPU at a time in the past
 *
 * The kernel's timers do not say when they were set. So their CPU's tick notes
 * when its steal grew, and who looks at a timer later asks how much it was
 * then. A CPU from which nothing is stolen notes nothing.
 */
#include <linux/mm.h>
#include <linux/seqlock.h>
#include <linux/slab.h>

#include "fault.h"
#include "history.h"

/*
 * Marks that come closer than that are put together, so that the history of a
 * CPU from which something is stolen all the time covers about 50 seconds.
 */
#define STEP_NS		(50 * NSEC_PER_MSEC)
#define MARKS		1024

/**
 * struct mark - what was stolen up to a time
 * @time: CLOCK_MONOTONIC, ns
 * @stolen: ns
 */
struct mark {
	u64	time;
	u64	stolen;
};

/**
 * struct pvx_history - a CPU's history
 * @seq: changes while it is written
 * @count: how many marks there have been; the last of them is the newest
 * @marks: the newest, in a ring
 */
struct pvx_history {
	seqcount_t	seq;
	unsigned int	count;
	struct mark	marks[MARKS];
};

/**
 * pvx_history_alloc() - begin a CPU's history
 * @node: the CPU's
 * @now: CLOCK_MONOTONIC in ns; nothing was stolen up to then
 *
 * Context: process context, may sleep.
 * Return: the history, or NULL.
 */
struct pvx_history *pvx_history_alloc(int node, u64 now)
{
	struct pvx_history *history = kvzalloc_node(sizeof(*history), GFP_KERNEL, node);

	if (!history)
		return NULL;
	seqcount_init(&history->seq);
	history->marks[0].time = now;
	history->count = 1;
	return history;
}

/**
 * pvx_history_free() - end a CPU's history
 * @history: the history, or NULL; nobody uses it
 */
void pvx_history_free(struct pvx_history *history)
{
	kvfree(history);
}

static struct mark *newest(struct pvx_history *history, unsigned int age)
{
	return &history->marks[(history->count - 1 - age) % MARKS];
}

/* The newest mark may still move, if it is not far from the one before. */
static bool moves(struct pvx_history *history)
{
	return history->count > 1 &&
	       newest(history, 0)->time - newest(history, 1)->time < STEP_NS;
}

/**
 * pvx_history_note() - note what was stolen up to now
 * @history: of the running CPU
 * @now: CLOCK_MONOTONIC in ns
 * @stolen: what was stolen, ns
 *
 * Context: hardirqs off; on the CPU alone.
 */
void pvx_history_note(struct pvx_history *history, u64 now, u64 stolen)
{
	if (newest(history, 0)->stolen == stolen)
		return;
	raw_write_seqcount_begin(&history->seq);
	if (!moves(history))
		history->count++;
	*newest(history, 0) = (struct mark){ .time = now, .stolen = stolen };
	raw_write_seqcount_end(&history->seq);
}

/* The newest mark that is not after @time; else the oldest there is. */
static u64 look_up(const struct pvx_history *history, u64 time)
{
	unsigned int count = READ_ONCE(history->count);
	unsigned int low = count > MARKS ? count - MARKS : 0, high = count;

	while (high - low > 1) {
		unsigned int middle = low + (high - low) / 2;

		if (READ_ONCE(history->marks[middle % MARKS].time) <= time)
			low = middle;
		else
			high = middle;
	}
	return READ_ONCE(history->marks[low % MARKS].stolen);
}

/**
 * pvx_history_at() - what had been stolen at a time in the past
 * @history: of any CPU
 * @time: CLOCK_MONOTONIC in ns
 * @stolen: set to what had been stolen by then, ns. Where something is stolen
 *	all the time it is what was stolen up to 50 ms before; where @time is before
 *	the history it is more than it was.
 *
 * Context: any but NMI.
 * Return: false if it is being written just now, by a vCPU that may not run.
 */
bool pvx_history_at(const struct pvx_history *history, u64 time, u64 *stolen)
{
	unsigned int seq;
	int tries;

	for (tries = 0; tries < 16; tries++) {
		seq = raw_seqcount_begin(&history->seq);
		*stolen = look_up(history, time);
		if (!read_seqcount_retry(&history->seq, seq))
			return true;
	}
	return false;
}
