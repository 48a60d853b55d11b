/* SPDX-License-Identifier: GPL-2.0 */
/*
 * As much of the kernel as host/ksm_index.h and host/ksm_runs.h need, in user space
 */
#ifndef PVX_KSM_SHIM_H
#define PVX_KSM_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define BITS_PER_LONG		(8 * sizeof(long))
#define BITS_TO_LONGS(n)	(((n) + BITS_PER_LONG - 1) / BITS_PER_LONG)

static inline bool test_bit(unsigned long i, const unsigned long *bits)
{
	return bits[i / BITS_PER_LONG] >> (i % BITS_PER_LONG) & 1;
}

static inline void assign_bit(unsigned long i, unsigned long *bits, bool value)
{
	unsigned long mask = 1UL << (i % BITS_PER_LONG);

	if (value)
		bits[i / BITS_PER_LONG] |= mask;
	else
		bits[i / BITS_PER_LONG] &= ~mask;
}

static inline unsigned long find_next_bit(const unsigned long *bits, unsigned long size,
					  unsigned long from)
{
	while (from < size && !test_bit(from, bits))
		from++;
	return from < size ? from : size;
}

static inline unsigned long find_next_zero_bit(const unsigned long *bits,
					       unsigned long size, unsigned long from)
{
	while (from < size && test_bit(from, bits))
		from++;
	return from < size ? from : size;
}

static inline void bitmap_copy(unsigned long *to, const unsigned long *from,
			       unsigned int size)
{
	memcpy(to, from, BITS_TO_LONGS(size) * sizeof(long));
}

static inline void bitmap_clear(unsigned long *bits, unsigned long start,
				unsigned long count)
{
	while (count--)
		assign_bit(start++, bits, false);
}

#endif /* PVX_KSM_SHIM_H */
