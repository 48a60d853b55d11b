/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random numbers that are the same in each run
 */
#ifndef PVX_SELFTESTS_RANDOM_H
#define PVX_SELFTESTS_RANDOM_H

#include <stdint.h>

/* G. Marsaglia, Xorshift RNGs, 2003. The state must not be 0 at first. */
static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif /* PVX_SELFTESTS_RANDOM_H */
