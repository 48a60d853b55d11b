/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who announced which content
 *
 * One table for all groups, of a fixed size: buckets of eight owners, chosen by
 * a key made of the content's hash and the group, so that VMs of two groups never meet.
 * A bucket that is full forgets an owner that has no peer, or one of a VM that has more
 * than its share or than twice as many as who wants the place; guests repeat what they announced, so that is put right in time.
 * Compiles in user space, where it is tested.
 */
#ifndef PVX_HOST_KSM_INDEX_H
#define PVX_HOST_KSM_INDEX_H

#ifdef __KERNEL__
#include <linux/types.h>
#endif

/**
 * struct pvx_ksm_owner - a page whose content is known
 * @key: of the content and the group; 0 where nobody is
 * @vm: number of the VM, not 0
 * @gfn: the page
 */
struct pvx_ksm_owner {
	u64	key;
	u64	vm : 16;
	u64	gfn : 48;
};

#define PVX_KSM_WAYS	8
/* As many owners of one content are kept; more would tell nothing new. */
#define PVX_KSM_KEPT	3
/* VMs have numbers below that. */
#define PVX_KSM_VMS	(1U << 16)

/**
 * struct pvx_ksm_index - the table
 * @owners: PVX_KSM_WAYS for each bucket
 * @buckets: how many, a power of two
 * @turn: where the next search for one to forget begins
 * @share: how many of them may be one VM's, where others want a place
 * @used: owners that are known
 * @of: of these, how many are of each VM
 * @forgotten: how many had to be forgotten for want of room
 */
struct pvx_ksm_index {
	struct pvx_ksm_owner	*owners;
	u32			buckets;
	u32			turn;
	u32			share;
	u64			used;
	u32			*of;
	u64			forgotten;
};

static inline struct pvx_ksm_owner *pvx_ksm_bucket(struct pvx_ksm_index *index,
						   u64 key)
{
	return index->owners +
	       (size_t)(key & (index->buckets - 1)) * PVX_KSM_WAYS;
}

static inline bool pvx_ksm_has_peer(const struct pvx_ksm_owner *bucket, int way)
{
	int i;

	for (i = 0; i < PVX_KSM_WAYS; i++)
		if (i != way && bucket[i].key == bucket[way].key)
			return true;
	return false;
}

static inline void pvx_ksm_drop(struct pvx_ksm_index *index, struct pvx_ksm_owner *owner)
{
	owner->key = 0;
	index->used--;
	index->of[owner->vm]--;
}

/* May this owner be forgotten for one of @vm's? */
static inline bool pvx_ksm_may_go(const struct pvx_ksm_index *index,
				  const struct pvx_ksm_owner *bucket, int way, u16 vm)
{
	const u32 has = index->of[bucket[way].vm];

	/* Who has its share gets no more of what others have. */
	if (index->of[vm] >= index->share)
		return bucket[way].vm == vm && !pvx_ksm_has_peer(bucket, way);
	return !pvx_ksm_has_peer(bucket, way) || has > index->share ||
	       has / 2 > index->of[vm];
}

/* A place in a bucket for one of @vm's: a free one, or that of one who may go. */
static inline struct pvx_ksm_owner *pvx_ksm_place(struct pvx_ksm_index *index,
						  struct pvx_ksm_owner *bucket, u16 vm)
{
	int i, way;

	for (i = 0; i < PVX_KSM_WAYS; i++)
		if (!bucket[i].key)
			return bucket + i;
	for (i = 0; i < PVX_KSM_WAYS; i++) {
		way = (index->turn + i) % PVX_KSM_WAYS;
		if (!pvx_ksm_may_go(index, bucket, way, vm))
			continue;
		index->turn = way + 1;
		index->forgotten++;
		pvx_ksm_drop(index, bucket + way);
		return bucket + way;
	}
	return NULL;
}

/**
 * pvx_ksm_announce() - note that a page has a content
 * @index: the table
 * @key: of the content
 * @vm: the page's VM
 * @gfn: the page
 * @peers: set to others that are known to have the same content
 *
 * Return: how many there are, at most PVX_KSM_KEPT.
 */
static inline int pvx_ksm_announce(struct pvx_ksm_index *index, u64 key, u16 vm,
				   u64 gfn, struct pvx_ksm_owner peers[PVX_KSM_KEPT])
{
	struct pvx_ksm_owner *bucket = pvx_ksm_bucket(index, key), *place;
	bool known = false;
	int i, n = 0;

	for (i = 0; i < PVX_KSM_WAYS; i++) {
		if (bucket[i].key != key)
			continue;
		if (bucket[i].vm == vm && bucket[i].gfn == gfn)
			known = true;
		else if (n < PVX_KSM_KEPT)
			peers[n++] = bucket[i];
	}
	if (known || n == PVX_KSM_KEPT)
		return n;
	place = pvx_ksm_place(index, bucket, vm);
	if (place) {
		place->key = key;
		place->vm = vm;
		place->gfn = gfn;
		index->used++;
		index->of[vm]++;
	}
	return n;
}

/**
 * pvx_ksm_withdraw() - a page no longer has a content
 * @index: the table
 * @key: of the content
 * @vm: the page's VM
 * @gfn: the page
 * @left: set to the one that is known to have it still
 *
 * Return: true if that is the only one, which so has no peer left.
 */
static inline bool pvx_ksm_withdraw(struct pvx_ksm_index *index, u64 key, u16 vm,
				    u64 gfn, struct pvx_ksm_owner *left)
{
	struct pvx_ksm_owner *bucket = pvx_ksm_bucket(index, key);
	int i, others = 0;
	bool known = false;

	for (i = 0; i < PVX_KSM_WAYS; i++) {
		if (bucket[i].key != key)
			continue;
		if (bucket[i].vm == vm && bucket[i].gfn == gfn) {
			pvx_ksm_drop(index, bucket + i);
			known = true;
		} else {
			*left = bucket[i];
			others++;
		}
	}
	return known && others == 1;
}

/**
 * pvx_ksm_forget() - forget the owners of one VM in a part of the table
 * @index: the table
 * @vm: the VM
 * @from: first bucket
 * @to: the one behind the last
 */
static inline void pvx_ksm_forget(struct pvx_ksm_index *index, u16 vm, u32 from,
				  u32 to)
{
	struct pvx_ksm_owner *owner = index->owners + (size_t)from * PVX_KSM_WAYS;
	struct pvx_ksm_owner *end = index->owners + (size_t)to * PVX_KSM_WAYS;

	for (; owner < end; owner++)
		if (owner->key && owner->vm == vm)
			pvx_ksm_drop(index, owner);
}

#endif /* PVX_HOST_KSM_INDEX_H */
