// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest says of its vCPUs' use of memory: is the first wrong entry found?
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint32_t u32;

#include "../../host/numa_use.h"
#include "../lib/tap.h"

#define BLOCKS	100

static struct pvx_numa_use right[] = {
	{ 0, 0, 1, 0 }, { 0, 99, PVX_NUMA_WEIGHT_MAX, 0 }, { 0, PVX_NUMA_GROUP, 1, 0 },
	{ 1, 0, 0, 0 }, { 7, 50, 1, 0 }, { 0xffffffff, 1, 1, 0 },
};
#define COUNT	(sizeof(right) / sizeof(right[0]))

static u32 wrong_with(u32 i, struct pvx_numa_use use)
{
	struct pvx_numa_use uses[COUNT];

	memcpy(uses, right, sizeof(uses));
	uses[i] = use;
	return pvx_numa_first_wrong(uses, COUNT, BLOCKS);
}

/* Whatever it is, what is before the first wrong entry is right, and nothing else is read. */
static bool is_wrong(const struct pvx_numa_use *uses, u32 i)
{
	const struct pvx_numa_use *use = &uses[i];

	return use->reserved || use->weight > PVX_NUMA_WEIGHT_MAX || use->block >= BLOCKS ||
	       (i && (use->vcpu < use[-1].vcpu ||
		      (use->vcpu == use[-1].vcpu && use->block <= use[-1].block)));
}

static bool fuzz(void)
{
	u32 round, i, n, wrong;

	for (round = 0; round < 100000; round++) {
		struct pvx_numa_use *uses;

		n = rand() % 8;
		uses = malloc(n * sizeof(*uses) + 1);
		for (i = 0; i < n; i++)
			uses[i] = (struct pvx_numa_use){
				rand() % 4, rand() % (BLOCKS + 2), rand() % 70000, rand() % 8 == 0,
			};
		wrong = pvx_numa_first_wrong(uses, n, BLOCKS);
		if (wrong > n)
			return false;
		for (i = 0; i < wrong; i++)
			if (is_wrong(uses, i))
				return false;
		if (wrong < n && !is_wrong(uses, wrong))
			return false;
		free(uses);
	}
	return true;
}

int main(void)
{
	tap_begin();
	tap_ok(pvx_numa_first_wrong(right, COUNT, BLOCKS) == COUNT, "all are right");
	tap_ok(pvx_numa_first_wrong(right, 0, BLOCKS) == 0, "so are none");
	tap_ok(wrong_with(1, (struct pvx_numa_use){ 0, 100, 1, 0 }) == 1, "a block beyond memory");
	tap_ok(wrong_with(1, (struct pvx_numa_use){ 0, 99, 65536, 0 }) == 1, "too large a weight");
	tap_ok(wrong_with(1, (struct pvx_numa_use){ 0, 99, 0xffffffff, 0 }) == 1, "a huge one");
	tap_ok(wrong_with(1, (struct pvx_numa_use){ 0, 99, 1, 1 }) == 1, "a reserved field");
	tap_ok(wrong_with(1, (struct pvx_numa_use){ 0, 0, 1, 0 }) == 1, "the same twice");
	tap_ok(wrong_with(4, (struct pvx_numa_use){ 0, 1, 1, 0 }) == 4, "vCPUs descend");
	tap_ok(wrong_with(2, (struct pvx_numa_use){ 0, 98, 1, 0 }) == 2, "blocks descend");
	tap_ok(wrong_with(5, (struct pvx_numa_use){ 8, PVX_NUMA_GROUP - 1, 1, 0 }) == 5,
	       "the largest block that is none");
	tap_ok(fuzz(), "100000 random arrays");
	return tap_done();
}
