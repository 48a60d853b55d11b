/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Collecting announcements, so that many go to the host in one exit
 *
 * The format is that of PVX_HC_KSM: runs of adjacent pages, each with the hashes
 * of its pages behind it. Compiles in user space, where it is tested.
 */
#ifndef PVX_GUEST_KSM_BATCH_H
#define PVX_GUEST_KSM_BATCH_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/kvm_pvx.h>
#endif

/**
 * struct pvx_ksm_batch - announcements that wait to be sent
 * @words: where they are; PVX_KSM_WORDS_MAX of them
 * @used: how many words are in use
 * @pages: how many pages they are about
 * @end: the page behind the last run
 * @run: the last run
 */
struct pvx_ksm_batch {
	u64			*words;
	u32			used;
	u32			pages;
	u64			end;
	struct pvx_ksm_run	*run;
};

static inline void pvx_ksm_batch_reset(struct pvx_ksm_batch *batch)
{
	batch->used = 0;
	batch->pages = 0;
	batch->end = 0;
	batch->run = NULL;
}

/* Is there room for this page? The host takes pages in ascending order only. */
static inline bool pvx_ksm_batch_takes(const struct pvx_ksm_batch *batch, u64 gfn)
{
	return gfn >= batch->end &&
	       batch->used + PVX_KSM_RUN_WORDS + 1 <= PVX_KSM_WORDS_MAX;
}

/**
 * pvx_ksm_batch_add() - one more page
 * @batch: one that takes the page
 * @gfn: the page
 * @what: PVX_KSM_WITHDRAWN, or its class
 * @hash: its hash
 */
static inline void pvx_ksm_batch_add(struct pvx_ksm_batch *batch, u64 gfn, u32 what,
				     u64 hash)
{
	struct pvx_ksm_run *run = batch->run;

	if (!run || run->what != what || batch->end != gfn) {
		run = (struct pvx_ksm_run *)(batch->words + batch->used);
		run->gfn = gfn;
		run->pages = 0;
		run->what = what;
		batch->run = run;
		batch->used += PVX_KSM_RUN_WORDS;
	}
	batch->words[batch->used++] = hash;
	run->pages++;
	batch->end = gfn + 1;
	batch->pages++;
}

#endif /* PVX_GUEST_KSM_BATCH_H */
