// SPDX-License-Identifier: GPL-2.0
/*
 * Inputs for a fuzzer of plain C, where there is no libFuzzer
 *
 * Usage: lib_NAME [SEED | FILE]: the seed of the inputs, printed by each run; or a file with
 * one, as libFuzzer leaves it. FUZZ_TRIES is how many there are (default 5000).
 */
#include <ctype.h>
#include <time.h>

#include "../lib/tap.h"
#include "input.h"

#define BYTES_MAX	4096

static u8 bytes[BYTES_MAX];
static u64 state;

static u64 next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static u8 any_byte(u32 kind)
{
	switch (kind) {
	case 0:
		return next_random();
	case 1:
		return next_random() % 8;
	case 2:
		return next_random() % 4 ? 0 : 1 << next_random() % 8;
	default:
		return next_random() % 2 ? 0xff : 0;
	}
}

/* Stretches of bytes of one kind, since random bytes alone are all alike. */
static size_t make_input(void)
{
	const size_t size = next_random() % (next_random() % 4 ? 256 : BYTES_MAX + 1);
	u32 kind = 0;
	size_t i;

	for (i = 0; i < size; i++) {
		if (next_random() % 32 == 0)
			kind = next_random() % 4;
		bytes[i] = any_byte(kind);
	}
	return size;
}

/* With a copy of its own, so that a sanitizer sees what is read behind it. */
static void try(const u8 *data, size_t size)
{
	u8 *copy = malloc(size ? size : 1);

	must(copy);
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static int try_file(const char *name)
{
	FILE *file = fopen(name, "r");
	size_t size;

	if (!file) {
		perror(name);
		return EXIT_FAILURE;
	}
	size = fread(bytes, 1, BYTES_MAX, file);
	fclose(file);
	try(bytes, size);
	puts("all holds");
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const char *wanted = getenv("FUZZ_TRIES");
	const u32 tries = wanted ? strtoul(wanted, NULL, 0) : 5000;
	u64 seed = time(NULL);
	u32 i;

	if (argc > 1 && !isdigit((unsigned char)*argv[1]))
		return try_file(argv[1]);
	if (argc > 1)
		seed = strtoull(argv[1], NULL, 0);
	state = seed * 0x9e3779b97f4a7c15ULL;
	state = state ? state : 1;
	tap_begin();
	printf("# seed %llu\n", (unsigned long long)seed);
	for (i = 0; i < tries; i++)
		try(bytes, make_input());
	tap_ok(true, "all holds in %u random cases", tries);
	return tap_done();
}
