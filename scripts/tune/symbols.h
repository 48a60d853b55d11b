/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's and its modules' symbols, as /proc/kallsyms has them
 */
#ifndef PVX_TUNE_SYMBOLS_H
#define PVX_TUNE_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>

struct symbols;

/* Ends the program where they cannot be read. */
struct symbols *symbols_read(void);
void symbols_free(struct symbols *symbols);
/* Without the right to see addresses, there are none. */
bool symbols_are_hidden(const struct symbols *symbols);

/* From the symbol @from up to @to, or up to the next one where that is NULL; false: no such. */
bool symbols_range(const struct symbols *symbols, const char *from, const char *to,
		   unsigned long long *start, unsigned long long *size);
/* All functions of a module; false: it has none. */
bool symbols_of_module(const struct symbols *symbols, const char *module,
		       unsigned long long *start, unsigned long long *size);

/* Where the symbol begins that @address is in; @address where it is in none. */
unsigned long long symbols_begin(const struct symbols *symbols, unsigned long long address);
/* "symbol+offset [module]" as far as there is that, or the address. */
void symbols_name(const struct symbols *symbols, unsigned long long address, char *name,
		  size_t size);

#endif /* PVX_TUNE_SYMBOLS_H */
