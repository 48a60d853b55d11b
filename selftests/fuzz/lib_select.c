// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of guest/ksm_note.h and guest/ksm_batch.h: what the host is told of a page is taken back
 * before it is told otherwise, and a batch holds what was put into it
 */
#include "input.h"
#include <linux/kvm_pvx.h>
#include "../../guest/ksm_batch.h"
#include "../../guest/ksm_note.h"

#define PAGES	8

/* One that is told of, as the host knows it; and what was put into a batch. */
struct said {
	u64	gfn;
	u64	hash;
	u32	what;
};

/* What a page was at its last look; @class is 0 if that does not count. */
struct look {
	u32	class;
	u32	tag;
	u64	hash;
};

static struct look look_at(u32 class, u32 tag, u64 content)
{
	return (struct look){
		.class = class == PVX_KSM_TEXT ? PVX_KSM_FILE : class,
		.tag = tag & 0xfff,
		.hash = content >> PVX_KSM_HASH_SHIFT,
	};
}

/* Small numbers, so that much is as it was before. */
static void check_notes(struct input *in)
{
	u64 notes[PAGES] = { 0 }, told[PAGES] = { 0 }, hash, content;
	struct look last[PAGES] = { 0 }, now;
	bool knows[PAGES] = { false }, again, same;
	enum pvx_ksm_step step;
	u32 i, class, tag;

	while (has_more(in)) {
		i = take_below(in, PAGES);
		class = take_below(in, PVX_KSM_CONSTANT + 1);
		tag = take_below(in, 3) * 0x1001;
		content = (u64)take_below(in, 3) << 62;
		content |= take_below(in, 2);
		again = take_below(in, 4) == 0;
		now = look_at(class, tag, content);
		if (last[i].class != now.class || last[i].tag != now.tag)
			last[i].class = 0;
		step = pvx_ksm_note_state(&notes[i], class, tag, again, &hash);
		must(step != PVX_KSM_TELL);
		must(class || step != PVX_KSM_READ);
		if (step == PVX_KSM_READ) {
			/* Twice the same, and only then. */
			same = last[i].class && last[i].hash == now.hash;
			step = pvx_ksm_note_content(&notes[i], class, tag, content, &hash);
			must(step != PVX_KSM_READ && (step == PVX_KSM_TELL) == same);
			last[i] = now;
		}
		if (step == PVX_KSM_TELL) {
			must(hash == now.hash);
			must(!knows[i] || (again && told[i] == hash));
		}
		must(step != PVX_KSM_TAKE_BACK || (knows[i] && told[i] == hash));
		if (step == PVX_KSM_TELL || step == PVX_KSM_TAKE_BACK) {
			knows[i] = step == PVX_KSM_TELL;
			told[i] = hash;
		}
		/* What is no candidate any more the host does not take for one. */
		must(class || !knows[i]);
	}
}

/* Goes over the words as the host does. */
static void check_words(const struct pvx_ksm_batch *batch, const struct said *said, u32 count)
{
	const struct pvx_ksm_run *run;
	u32 at = 0, n = 0, i;
	u64 end = 0;

	must(batch->used <= PVX_KSM_WORDS_MAX && batch->pages == count);
	while (at < batch->used) {
		must(batch->used - at > PVX_KSM_RUN_WORDS);
		run = (const struct pvx_ksm_run *)(batch->words + at);
		at += PVX_KSM_RUN_WORDS;
		must(run->pages && run->pages <= batch->used - at && run->gfn >= end);
		for (i = 0; i < run->pages; i++, n++) {
			must(n < count && said[n].gfn == run->gfn + i);
			must(said[n].what == run->what && said[n].hash == batch->words[at + i]);
		}
		at += run->pages;
		end = run->gfn + run->pages;
	}
	must(n == count);
}

/* Adds it if there is room; returns how many there are. */
static u32 add_page(struct pvx_ksm_batch *batch, struct said *said, u32 n, struct said page)
{
	if (!pvx_ksm_batch_takes(batch, page.gfn))
		return n;
	must(n < PVX_KSM_WORDS_MAX);
	said[n] = page;
	pvx_ksm_batch_add(batch, page.gfn, page.what, page.hash);
	return n + 1;
}

static void check_batch(struct input *in)
{
	u64 *words = malloc(PVX_KSM_WORDS_MAX * sizeof(*words));
	struct pvx_ksm_batch batch = { .words = words };
	struct said said[PVX_KSM_WORDS_MAX];
	struct said page = { .what = 1 };
	u32 n = 0, many;

	must(words);
	pvx_ksm_batch_reset(&batch);
	/* There is not enough input to fill it page by page. */
	for (many = take_below(in, PVX_KSM_WORDS_MAX); page.gfn < many; page.gfn++)
		n = add_page(&batch, said, n, page);
	while (has_more(in)) {
		/* The next page mostly. */
		page.gfn += take_below(in, 8) ? 1 : take(in, 1);
		page.hash = take(in, 1);
		page.what = take_below(in, 8) ? 1 : take_below(in, 5);
		n = add_page(&batch, said, n, page);
	}
	check_words(&batch, said, n);
	free(words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { .at = data, .left = size };

	if (take_below(&in, 2))
		check_notes(&in);
	else
		check_batch(&in);
	return 0;
}
