/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a fuzzer of plain C shares with the others: its input, and what must hold
 *
 * Each lib_*.c has an LLVMFuzzerTestOneInput(). clang links it with libFuzzer; with driver.c it
 * is a program of its own that makes inputs up.
 */
#ifndef PVX_FUZZ_INPUT_H
#define PVX_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the program if that does not hold; the fuzzer then says which input it was. */
#define must(holds) \
	do { \
		if (!(holds)) { \
			fprintf(stderr, "%s:%d: %s: does not hold: %s\n", __FILE__, __LINE__, \
				__func__, #holds); \
			abort(); \
		} \
	} while (0)

/**
 * struct input - what the fuzzer has made up
 * @at: the next byte
 * @left: how many there are
 */
struct input {
	const u8	*at;
	size_t		left;
};

static inline bool has_more(const struct input *in)
{
	return in->left > 0;
}

/* A number of so many bytes; 0 where there are no more. */
static inline u64 take(struct input *in, u32 bytes)
{
	u64 n = 0;

	for (; bytes && in->left; bytes--, in->left--)
		n = n << 8 | *in->at++;
	return n;
}

/* One below @n, of as many bytes as that needs. */
static inline u64 take_below(struct input *in, u64 n)
{
	u32 bytes = 1;

	while (bytes < 8 && (n - 1) >> (8 * bytes))
		bytes++;
	return take(in, bytes) % n;
}

#endif /* PVX_FUZZ_INPUT_H */
