// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's and its modules' symbols, as /proc/kallsyms has them
 */
#include <ctype.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbols.h"
#include "tool.h"

#define KALLSYMS	"/proc/kallsyms"
#define TEXT_STEP	(1UL << 20)
/* Sizes are not told. What is farther behind a symbol is not in it. */
#define DISTANCE_MAX	(1ULL << 20)
#define PAGE		4096ULL

/* @name: with its module behind a space, as it is in a module. */
struct symbol {
	unsigned long long	address;
	char			type;
	const char		*name;
};

/* @text: what was read, which has the names; @all: in the order of addresses. */
struct symbols {
	char		*text;
	struct symbol	*all;
	size_t		count;
};

/* --- reading --------------------------------------------------------------- */

static char *read_text(void)
{
	FILE *file = fopen(KALLSYMS, "re");
	size_t length = 0, got;
	char *text = NULL;

	if (!file)
		err(EXIT_FAILED, KALLSYMS);
	do {
		text = realloc(text, length + TEXT_STEP + 1);
		if (!text)
			err(EXIT_FAILED, KALLSYMS);
		got = fread(text + length, 1, TEXT_STEP, file);
		length += got;
	} while (got);
	fclose(file);
	text[length] = '\0';
	return text;
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	while ((text = strchr(text, '\n'))) {
		text++;
		n++;
	}
	return n;
}

/*
 * "address type name", and behind a tab "[module]". Those of per-CPU variables are offsets, which
 * are small, and where addresses are hidden all are 0.
 */
static bool parse(char *line, struct symbol *symbol)
{
	char *end;

	symbol->address = strtoull(line, &end, 16);
	if (!(symbol->address >> 63) || strlen(end) < 4)
		return false;
	symbol->type = end[1];
	symbol->name = end + 3;
	end = strchr(end, '\t');
	if (end)
		*end = ' ';
	return true;
}

/* Of several with one address the kernel's own choice comes first. */
static int compare(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

struct symbols *symbols_read(void)
{
	struct symbols *symbols = tool_allocate(1, sizeof(*symbols));
	char *line, *rest;

	symbols->text = read_text();
	symbols->all = tool_allocate(count_lines(symbols->text) + 1, sizeof(*symbols->all));
	for (line = strtok_r(symbols->text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (parse(line, &symbols->all[symbols->count]))
			symbols->count++;
	qsort(symbols->all, symbols->count, sizeof(*symbols->all), compare);
	return symbols;
}

void symbols_free(struct symbols *symbols)
{
	free(symbols->text);
	free(symbols->all);
	free(symbols);
}

bool symbols_are_hidden(const struct symbols *symbols)
{
	return !symbols->count;
}

/* --- ranges ---------------------------------------------------------------- */

static const struct symbol *find_name(const struct symbols *symbols, const char *name)
{
	size_t i;

	for (i = 0; i < symbols->count; i++)
		if (!strcmp(symbols->all[i].name, name))
			return &symbols->all[i];
	return NULL;
}

static const struct symbol *find_next(const struct symbols *symbols, const struct symbol *symbol)
{
	const struct symbol *next = symbol, *end = symbols->all + symbols->count;

	while (next < end && next->address == symbol->address)
		next++;
	return next < end ? next : NULL;
}

bool symbols_range(const struct symbols *symbols, const char *from, const char *to,
		   unsigned long long *start, unsigned long long *size)
{
	const struct symbol *first = find_name(symbols, from), *end = NULL;

	if (first)
		end = to ? find_name(symbols, to) : find_next(symbols, first);
	if (!end || end->address < first->address)
		return false;
	*start = first->address;
	*size = end->address - first->address;
	return true;
}

static bool is_of_module(const struct symbol *symbol, const char *module)
{
	const char *at = strchr(symbol->name, '[');
	const size_t length = strlen(module);

	return at && !strncmp(at + 1, module, length) && !strcmp(at + 1 + length, "]");
}

bool symbols_of_module(const struct symbols *symbols, const char *module,
		       unsigned long long *start, unsigned long long *size)
{
	const struct symbol *symbol, *first = NULL, *last = NULL;

	for (symbol = symbols->all; symbol < symbols->all + symbols->count; symbol++) {
		if (toupper((unsigned char)symbol->type) != 'T' || !is_of_module(symbol, module))
			continue;
		if (!first)
			first = symbol;
		last = symbol;
	}
	if (!first)
		return false;
	*start = first->address;
	/* A module has whole pages. */
	*size = (last->address | (PAGE - 1)) + 1 - *start;
	return true;
}

/* --- addresses ------------------------------------------------------------- */

/* The one that @address is in; NULL: it is in none. */
static const struct symbol *find(const struct symbols *symbols, unsigned long long address)
{
	size_t low = 0, high = symbols->count, middle;
	const struct symbol *symbol;

	/* Those below low begin at the address or before it, those from high on behind it. */
	while (low < high) {
		middle = low + (high - low) / 2;
		if (symbols->all[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	symbol = &symbols->all[low - 1];
	if (address - symbol->address > DISTANCE_MAX)
		return NULL;
	while (symbol > symbols->all && symbol[-1].address == symbol->address)
		symbol--;
	return symbol;
}

unsigned long long symbols_begin(const struct symbols *symbols, unsigned long long address)
{
	const struct symbol *symbol = find(symbols, address);

	return symbol ? symbol->address : address;
}

void symbols_name(const struct symbols *symbols, unsigned long long address, char *name,
		  size_t size)
{
	const struct symbol *symbol = find(symbols, address);
	int length;

	if (!symbol) {
		snprintf(name, size, "%#llx", address);
		return;
	}
	if (symbol->address == address) {
		snprintf(name, size, "%s", symbol->name);
		return;
	}
	length = strcspn(symbol->name, " ");
	snprintf(name, size, "%.*s+%#llx%s", length, symbol->name, address - symbol->address,
		 symbol->name + length);
}
