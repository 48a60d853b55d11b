/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is noted of each page between one look at it and the next
 *
 * A page is announced when two looks, a round apart, found the same content, so
 * that what is rewritten all the time never is. One word per page holds all that
 * is needed to decide, so this compiles in user space, where it is tested.
 */
#ifndef PVX_GUEST_KSM_NOTE_H
#define PVX_GUEST_KSM_NOTE_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/kvm_pvx.h>
#endif

/*
 * The word: 48 bits of the content's hash, 12 that tell pages of different files
 * apart, the class (0: nothing is known), and whether the host was told.
 */
#define PVX_KSM_ANNOUNCED	0x1ULL
#define PVX_KSM_CLASS_SHIFT	1
#define PVX_KSM_CLASS_MASK	(0x7ULL << PVX_KSM_CLASS_SHIFT)
#define PVX_KSM_TAG_SHIFT	4
#define PVX_KSM_TAG_MASK	(0xfffULL << PVX_KSM_TAG_SHIFT)
#define PVX_KSM_HASH_SHIFT	16

/**
 * enum pvx_ksm_step - what is to be done with a page
 * @PVX_KSM_LEAVE: nothing
 * @PVX_KSM_READ: read it and ask pvx_ksm_note_content()
 * @PVX_KSM_TELL: announce it
 * @PVX_KSM_TAKE_BACK: withdraw what was announced
 */
enum pvx_ksm_step {
	PVX_KSM_LEAVE,
	PVX_KSM_READ,
	PVX_KSM_TELL,
	PVX_KSM_TAKE_BACK,
};

/* The hash as it is announced: what a note has room for. */
static inline u64 pvx_ksm_hash_of(u64 note)
{
	return note >> PVX_KSM_HASH_SHIFT;
}

/*
 * Which page of which file it is, as far as twelve bits tell. A file that is mapped
 * for a while remains the same file.
 */
static inline u64 pvx_ksm_note_of(u32 class, u32 tag)
{
	if (class == PVX_KSM_TEXT)
		class = PVX_KSM_FILE;
	return ((u64)class << PVX_KSM_CLASS_SHIFT) |
	       (((u64)tag << PVX_KSM_TAG_SHIFT) & PVX_KSM_TAG_MASK);
}

/**
 * pvx_ksm_note_state() - look at a page without its content
 * @note: what is noted of it; changed
 * @class: PVX_KSM_* if it is a candidate just now, else 0
 * @tag: which page of which file it is, any number
 * @again: whether the host is to be told again of what it was told
 * @hash: set to what was announced where PVX_KSM_TAKE_BACK is returned
 *
 * Return: PVX_KSM_LEAVE, PVX_KSM_READ or PVX_KSM_TAKE_BACK.
 */
static inline enum pvx_ksm_step pvx_ksm_note_state(u64 *note, u32 class, u32 tag,
						   bool again, u64 *hash)
{
	const u64 same = PVX_KSM_CLASS_MASK | PVX_KSM_TAG_MASK;
	u64 old = *note;

	if (class && (old & same) == pvx_ksm_note_of(class, tag))
		return (old & PVX_KSM_ANNOUNCED) && !again ? PVX_KSM_LEAVE :
							     PVX_KSM_READ;
	*note = 0;
	if (old & PVX_KSM_ANNOUNCED) {
		*hash = pvx_ksm_hash_of(old);
		return PVX_KSM_TAKE_BACK;
	}
	return class ? PVX_KSM_READ : PVX_KSM_LEAVE;
}

/**
 * pvx_ksm_note_content() - look at the content of a page
 * @note: what is noted of it; changed
 * @class: as for pvx_ksm_note_state(), which asked for this
 * @tag: as there
 * @content: 64-bit hash of the content
 * @hash: set to what is to be announced or withdrawn
 *
 * Return: PVX_KSM_LEAVE, PVX_KSM_TELL or PVX_KSM_TAKE_BACK.
 */
static inline enum pvx_ksm_step pvx_ksm_note_content(u64 *note, u32 class, u32 tag,
						     u64 content, u64 *hash)
{
	u64 old = *note;
	u64 now = pvx_ksm_note_of(class, tag) |
		  (content >> PVX_KSM_HASH_SHIFT << PVX_KSM_HASH_SHIFT);

	*note = now;
	if ((old & ~PVX_KSM_ANNOUNCED) == now) {
		*note |= PVX_KSM_ANNOUNCED;
		*hash = pvx_ksm_hash_of(now);
		return PVX_KSM_TELL;
	}
	if (old & PVX_KSM_ANNOUNCED) {
		*hash = pvx_ksm_hash_of(old);
		return PVX_KSM_TAKE_BACK;
	}
	return PVX_KSM_LEAVE;
}

#endif /* PVX_GUEST_KSM_NOTE_H */
