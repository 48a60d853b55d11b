// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of host/numa_use.h: is the first entry found that breaks the documented rules?
 */
#include "input.h"
#include "../../host/numa_use.h"

static u64 order_of(const struct pvx_numa_use *use)
{
	return (u64)use->vcpu << 32 | use->block;
}

static bool is_right(const struct pvx_numa_use *use, u32 blocks)
{
	return !use->reserved && use->weight < 65536 &&
	       (use->block < blocks || use->block == 0xffffffff);
}

static u32 first_wrong(const struct pvx_numa_use *uses, u32 count, u32 blocks)
{
	u32 i;

	for (i = 0; i < count; i++)
		if (!is_right(&uses[i], blocks) ||
		    (i && order_of(&uses[i]) <= order_of(&uses[i - 1])))
			return i;
	return count;
}

/* Words as they come, or such as are right mostly. */
static struct pvx_numa_use next_use(struct input *in, const struct pvx_numa_use *last)
{
	struct pvx_numa_use use = last ? *last : (struct pvx_numa_use){ 0 };
	const u32 how = take(in, 1);

	if (how < 16) {
		use.vcpu = take(in, 4);
		use.block = take(in, 4);
		use.weight = take(in, 4);
		use.reserved = take(in, 4);
		return use;
	}
	if (how & 1) {
		use.vcpu += 1 + (how & 6);
		use.block = take(in, 1);
	} else {
		use.block += 1 + (how & 6);
	}
	if (how < 32)
		use.block = PVX_NUMA_GROUP;
	use.weight = take(in, 2);
	use.reserved = how == 255;
	return use;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { .at = data, .left = size };
	const u32 blocks = take(&in, 1 + size % 4);
	struct pvx_numa_use *uses;
	u32 n;

	/* No longer than it is, so that a sanitizer sees what is read behind it. */
	uses = malloc(size * sizeof(*uses) + 1);
	must(uses);
	for (n = 0; has_more(&in); n++)
		uses[n] = next_use(&in, n ? &uses[n - 1] : NULL);
	uses = realloc(uses, n * sizeof(*uses) + 1);
	must(uses);
	must(pvx_numa_first_wrong(uses, n, blocks) == first_wrong(uses, n, blocks));
	free(uses);
	return 0;
}
