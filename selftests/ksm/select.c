// SPDX-License-Identifier: GPL-2.0
/*
 * Unit test of guest/ksm_note.h and guest/ksm_batch.h: what is announced, and how
 *
 * Usage: select [SEED]: the seed of the randomised run, printed by each run.
 */
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "../lib/tap.h"

#include <linux/kvm_pvx.h>

typedef uint32_t u32;
typedef uint64_t u64;

#include "../../guest/ksm_batch.h"
#include "../../guest/ksm_note.h"

#define CONTENT(n)	((u64)(n) << PVX_KSM_HASH_SHIFT)

/* One look, as the scanner takes it; what the host is told, and of which hash. */
static enum pvx_ksm_step look(u64 *note, u32 class, u32 tag, u64 content, bool again,
			      u64 *hash)
{
	enum pvx_ksm_step step = pvx_ksm_note_state(note, class, tag, again, hash);

	if (step == PVX_KSM_READ)
		step = pvx_ksm_note_content(note, class, tag, content, hash);
	return step;
}

static void test_note(void)
{
	u64 note = 0, hash = 0;

	tap_ok(look(&note, 0, 0, 0, false, &hash) == PVX_KSM_LEAVE && !note,
	       "what is no candidate is left alone");
	tap_ok(look(&note, PVX_KSM_TEXT, 5, CONTENT(7), false, &hash) == PVX_KSM_LEAVE,
	       "one look is not enough");
	tap_ok(look(&note, PVX_KSM_TEXT, 5, CONTENT(8), false, &hash) == PVX_KSM_LEAVE,
	       "nor is one at other content");
	tap_ok(look(&note, PVX_KSM_TEXT, 5, CONTENT(8), false, &hash) == PVX_KSM_TELL &&
	       hash == 8, "two that found the same are");
	tap_ok(pvx_ksm_note_state(&note, PVX_KSM_TEXT, 5, false, &hash) == PVX_KSM_LEAVE,
	       "it is not read again");
	tap_ok(look(&note, PVX_KSM_TEXT, 5, CONTENT(8), true, &hash) == PVX_KSM_TELL &&
	       hash == 8, "but when all is told again");
	tap_ok(look(&note, PVX_KSM_TEXT, 5, CONTENT(9), true, &hash) == PVX_KSM_TAKE_BACK &&
	       hash == 8, "other content is found then, and the old withdrawn");
	tap_ok(look(&note, PVX_KSM_TEXT, 5, CONTENT(9), false, &hash) == PVX_KSM_TELL &&
	       hash == 9, "the new is announced after a second look");
	tap_ok(look(&note, PVX_KSM_TEXT, 6, CONTENT(9), false, &hash) == PVX_KSM_TAKE_BACK &&
	       hash == 9, "a page of another file is noticed unread");
	tap_ok(look(&note, PVX_KSM_TEXT, 6, CONTENT(9), false, &hash) == PVX_KSM_LEAVE &&
	       look(&note, PVX_KSM_TEXT, 6, CONTENT(9), false, &hash) == PVX_KSM_TELL,
	       "and begins anew");
	tap_ok(look(&note, PVX_KSM_FILE, 6, CONTENT(9), false, &hash) == PVX_KSM_LEAVE &&
	       note & PVX_KSM_ANNOUNCED, "a file may be mapped or not");
	tap_ok(look(&note, PVX_KSM_CONSTANT, 6, CONTENT(9), false, &hash) == PVX_KSM_TAKE_BACK,
	       "but is not another kind of memory");
	look(&note, PVX_KSM_FILE, 6, CONTENT(9), false, &hash);
	look(&note, PVX_KSM_FILE, 6, CONTENT(9), false, &hash);
	tap_ok(look(&note, 0, 0, 0, false, &hash) == PVX_KSM_TAKE_BACK && hash == 9 &&
	       !note, "what was dirtied is withdrawn");
	tap_ok(look(&note, 0, 0, 0, false, &hash) == PVX_KSM_LEAVE, "once");
	look(&note, PVX_KSM_FILE, 6, CONTENT(9), false, &hash);
	look(&note, 0, 0, 0, false, &hash);
	tap_ok(look(&note, PVX_KSM_FILE, 6, CONTENT(9), false, &hash) == PVX_KSM_LEAVE,
	       "who was no candidate in between begins anew");
}

/* Whatever happens, the host knows just what the notes say. */
static void test_random(unsigned int seed)
{
	u64 note = 0, hash, told = 0;
	bool known = false, right = true, twice = true;
	u64 content = 0, changes = 0;
	enum pvx_ksm_step step;
	u32 class, i;

	srand(seed);
	for (i = 0; i < 1000000; i++) {
		if (rand() % 4 == 0) {
			content = rand() % 3;
			changes++;
		}
		class = rand() % 8 ? PVX_KSM_TEXT + rand() % 2 : 0;
		step = look(&note, class, rand() % 2, CONTENT(content), rand() % 3 == 0,
			    &hash);
		if (step == PVX_KSM_TELL) {
			right &= !known || told == hash;
			twice &= content == hash;
			known = true;
			told = hash;
		} else if (step == PVX_KSM_TAKE_BACK) {
			right &= known && told == hash;
			known = false;
		}
		right &= known == !!(note & PVX_KSM_ANNOUNCED);
	}
	printf("# seed %u, %llu changes\n", seed, (unsigned long long)changes);
	tap_ok(right, "the host knows what the notes say");
	tap_ok(twice, "nothing is announced that is not so");
}

static u64 words[PVX_KSM_WORDS_MAX];

static void test_batch(void)
{
	struct pvx_ksm_batch batch = { .words = words };
	const struct pvx_ksm_run *run = (const struct pvx_ksm_run *)words;
	u32 n = 0;

	pvx_ksm_batch_reset(&batch);
	pvx_ksm_batch_add(&batch, 100, PVX_KSM_TEXT, 1);
	pvx_ksm_batch_add(&batch, 101, PVX_KSM_TEXT, 2);
	tap_ok(batch.used == 4 && run->gfn == 100 && run->pages == 2 &&
	       run->what == PVX_KSM_TEXT && words[2] == 1 && words[3] == 2,
	       "adjacent pages are one run");
	pvx_ksm_batch_add(&batch, 103, PVX_KSM_TEXT, 3);
	run = (const struct pvx_ksm_run *)(words + 4);
	tap_ok(batch.used == 7 && run->gfn == 103 && run->pages == 1 && words[6] == 3,
	       "a gap begins another");
	pvx_ksm_batch_add(&batch, 104, PVX_KSM_WITHDRAWN, 4);
	tap_ok(batch.used == 10 && batch.pages == 4, "so does another class");
	tap_ok(pvx_ksm_batch_takes(&batch, 105) && pvx_ksm_batch_takes(&batch, 1000) &&
	       !pvx_ksm_batch_takes(&batch, 104), "pages ascend");
	pvx_ksm_batch_reset(&batch);
	tap_ok(!batch.used && !batch.pages, "a batch can be begun anew");
	for (n = 0; pvx_ksm_batch_takes(&batch, 2 * n); n++)
		pvx_ksm_batch_add(&batch, 2 * n, PVX_KSM_TEXT, n);
	tap_ok(batch.used <= PVX_KSM_WORDS_MAX && n == PVX_KSM_WORDS_MAX / 3,
	       "single pages fill it: %u", n);
	tap_ok(n >= 256, "which are 256 at least");
	pvx_ksm_batch_reset(&batch);
	for (n = 0; pvx_ksm_batch_takes(&batch, n); n++)
		pvx_ksm_batch_add(&batch, n, PVX_KSM_TEXT, n);
	tap_ok(batch.used <= PVX_KSM_WORDS_MAX && batch.used >= PVX_KSM_WORDS_MAX - 2,
	       "a run fills it, too: %u", n);
}

int main(int argc, char **argv)
{
	tap_begin();
	test_note();
	test_random(argc > 1 ? strtoul(argv[1], NULL, 0) : (unsigned int)time(NULL));
	test_batch();
	return tap_done();
}
