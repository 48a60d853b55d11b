// SPDX-License-Identifier: GPL-2.0
/*
 * What could be merged: compares the memory of guests page by page, on the host
 *
 * Usage: oracle PID:HVA:FLAGS PID:HVA:FLAGS...
 *
 * For each guest its VMM, the address of its memory there (gpa 0; contiguous), and
 * a copy of its /proc/kpageflags. Prints how many clean pages of files the guests
 * have (cached), how many of these are equal to one of another guest (equal), and
 * how many of those KSM has merged (merged). Equal means of the same 64-bit hash.
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/kernel-page-flags.h>

#define PAGE	4096
#define BIT(n)	(1ULL << (n))

struct page {
	uint64_t	hash;
	int		guest;
	int		merged;
};

static struct page *pages;
static size_t count, room;

static int open_of(const char *pid, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static int is_cached(uint64_t flags)
{
	const uint64_t want = BIT(KPF_LRU) | BIT(KPF_UPTODATE);
	const uint64_t without = BIT(KPF_ANON) | BIT(KPF_SWAPBACKED) | BIT(KPF_DIRTY) |
				 BIT(KPF_WRITEBACK);

	return (flags & (want | without)) == want;
}

static uint64_t hash_of(const uint64_t *words)
{
	uint64_t hash = 0;
	int i;

	for (i = 0; i < PAGE / 8; i++) {
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 29;
	}
	return hash;
}

/*
 * Has KSM merged the page at this address of a process? Then it is mapped more than once,
 * which nothing else does to a guest's memory. (Linux 6.12 says of all anonymous pages
 * that they are KSM's.)
 */
static int is_merged(int pagemap, int mapped, uint64_t address)
{
	uint64_t entry, count;

	if (pread(pagemap, &entry, 8, address / PAGE * 8) != 8)
		err(1, "pagemap");
	if (!(entry & BIT(63)))
		return 0;
	if (pread(mapped, &count, 8, (entry & (BIT(55) - 1)) * 8) != 8)
		err(1, "/proc/kpagecount");
	return count > 1;
}

static void add(uint64_t hash, int guest, int merged)
{
	if (count == room) {
		room = room ? 2 * room : 65536;
		pages = realloc(pages, room * sizeof(*pages));
		if (!pages)
			err(1, "memory");
	}
	pages[count++] = (struct page){ hash, guest, merged };
}

static void read_guest(int guest, const char *pid, uint64_t hva, const char *path)
{
	int mem = open_of(pid, "mem"), pagemap = open_of(pid, "pagemap");
	int mapped = open("/proc/kpagecount", O_RDONLY);
	FILE *file = fopen(path, "r");
	uint64_t words[PAGE / 8], flags, at;

	if (!file || mapped < 0)
		err(1, "%s", file ? "/proc/kpagecount" : path);
	for (at = hva; fread(&flags, 8, 1, file) == 1; at += PAGE) {
		if (!is_cached(flags))
			continue;
		if (pread(mem, words, PAGE, at) != PAGE)
			err(1, "memory of process %s at %#llx", pid,
			    (unsigned long long)at);
		add(hash_of(words), guest, is_merged(pagemap, mapped, at));
	}
	fclose(file);
	close(mapped);
	close(pagemap);
	close(mem);
}

static int by_hash(const void *a, const void *b)
{
	const struct page *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

int main(int argc, char **argv)
{
	size_t from, to, i, equal = 0, merged = 0;
	char pid[16], path[256];
	unsigned long long hva;
	int several, guest;

	for (guest = 1; guest < argc; guest++) {
		if (sscanf(argv[guest], "%15[0-9]:%llx:%255s", pid, &hva, path) != 3)
			errx(2, "'%s' is not PID:HVA:FLAGS", argv[guest]);
		read_guest(guest, pid, hva, path);
	}
	if (!count)
		errx(1, "the guests have no pages of files");
	qsort(pages, count, sizeof(*pages), by_hash);
	for (from = 0; from < count; from = to) {
		several = 0;
		for (to = from; to < count && pages[to].hash == pages[from].hash; to++)
			several |= pages[to].guest != pages[from].guest;
		for (i = from; several && i < to; i++) {
			equal++;
			merged += pages[i].merged;
		}
	}
	printf("cached=%zu\nequal=%zu\nmerged=%zu\n", count, equal, merged);
	return 0;
}
