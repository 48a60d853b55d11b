// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of host/ksm_index.h: whoever is named as a peer has announced that and not withdrawn
 * it, and the counts are right, however full the table is
 */
#include "input.h"
#include "../ksm/shim.h"
#include "../../host/ksm_index.h"

#define BUCKETS_MAX	4
#define KEYS		12
#define VMS		4
#define GFNS		6

static struct pvx_ksm_owner owners[BUCKETS_MAX * PVX_KSM_WAYS];
static u32 of[PVX_KSM_VMS];
static struct pvx_ksm_index index_;
/* What was announced and not withdrawn; VMs and keys count from 1. */
static bool announced[KEYS + 1][VMS + 1][GFNS];

static void begin(struct input *in)
{
	memset(owners, 0, sizeof(owners));
	memset(of, 0, (VMS + 1) * sizeof(*of));
	memset(announced, 0, sizeof(announced));
	index_ = (struct pvx_ksm_index){ .owners = owners, .of = of };
	index_.buckets = 1U << take_below(in, 3);
	index_.share = 1 + take_below(in, index_.buckets * PVX_KSM_WAYS);
}

static bool is_announced(const struct pvx_ksm_owner *owner)
{
	must(owner->key <= KEYS && owner->vm && owner->vm <= VMS && owner->gfn < GFNS);
	return announced[owner->key][owner->vm][owner->gfn];
}

static bool is_same(const struct pvx_ksm_owner *a, const struct pvx_ksm_owner *b)
{
	return a->key == b->key && a->vm == b->vm && a->gfn == b->gfn;
}

static bool is_known(u64 key, u32 vm, u64 gfn)
{
	const struct pvx_ksm_owner owner = { .key = key, .vm = vm, .gfn = gfn };
	u32 i;

	for (i = 0; i < index_.buckets * PVX_KSM_WAYS; i++)
		if (is_same(&owners[i], &owner))
			return true;
	return false;
}

static u32 count_key(u64 key)
{
	u32 i, n = 0;

	for (i = 0; i < index_.buckets * PVX_KSM_WAYS; i++)
		n += owners[i].key == key;
	return n;
}

static void check(void)
{
	u32 count[VMS + 1] = { 0 }, i, j, vm;
	u64 used = 0;

	for (i = 0; i < index_.buckets * PVX_KSM_WAYS; i++) {
		if (!owners[i].key)
			continue;
		must(is_announced(&owners[i]));
		must(owners[i].key % index_.buckets == i / PVX_KSM_WAYS);
		for (j = 0; j < i; j++)
			must(!is_same(&owners[i], &owners[j]));
		count[owners[i].vm]++;
		used++;
	}
	must(index_.used == used);
	for (vm = 1; vm <= VMS; vm++)
		must(of[vm] == count[vm]);
	for (i = 1; i <= KEYS; i++)
		must(count_key(i) <= PVX_KSM_KEPT);
}

static void announce(u64 key, u32 vm, u64 gfn)
{
	const bool was_known = is_known(key, vm, gfn);
	const u32 others = count_key(key) - was_known;
	struct pvx_ksm_owner peers[PVX_KSM_KEPT];
	const u64 forgotten = index_.forgotten;
	const u32 used = index_.used;
	int i, n;

	announced[key][vm][gfn] = true;
	n = pvx_ksm_announce(&index_, key, vm, gfn, peers);
	must(n == (int)(others < PVX_KSM_KEPT ? others : PVX_KSM_KEPT));
	for (i = 0; i < n; i++) {
		must(peers[i].key == key && is_announced(&peers[i]));
		must(peers[i].vm != vm || peers[i].gfn != gfn);
	}
	must(index_.used <= used + 1);
	/* Nobody is forgotten for one who is known, or whom nobody needs. */
	must(index_.forgotten == forgotten || (!was_known && n < PVX_KSM_KEPT));
}

static void withdraw(u64 key, u32 vm, u64 gfn)
{
	const bool was_known = is_known(key, vm, gfn);
	struct pvx_ksm_owner left = { 0 };
	bool alone;

	announced[key][vm][gfn] = false;
	alone = pvx_ksm_withdraw(&index_, key, vm, gfn, &left);
	must(!is_known(key, vm, gfn));
	must(alone == (was_known && count_key(key) == 1));
	must(!alone || (left.key == key && is_announced(&left)));
}

/* In two parts, as the host does. */
static void forget(u32 vm)
{
	pvx_ksm_forget(&index_, vm, 0, index_.buckets / 2);
	pvx_ksm_forget(&index_, vm, index_.buckets / 2, index_.buckets);
	must(!of[vm]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { .at = data, .left = size };
	u32 what, vm, n;
	u64 key, gfn;

	begin(&in);
	for (n = 0; has_more(&in) && n < 512; n++) {
		what = take(&in, 1);
		key = 1 + take_below(&in, KEYS);
		vm = 1 + what % VMS;
		gfn = take_below(&in, GFNS);
		if (what < 176)
			announce(key, vm, gfn);
		else if (what < 248)
			withdraw(key, vm, gfn);
		else if (what < 252)
			index_.share = 1 + take_below(&in, index_.buckets * PVX_KSM_WAYS);
		else
			forget(vm);
		check();
	}
	return 0;
}
