// SPDX-License-Identifier: GPL-2.0
/*
 * Is a page likely to be in another guest, too?
 *
 * Candidates are clean pages of files, those that are mapped first, and pages
 * that are all zero. What is being written or changed by a device is none, nor
 * is memory that only looks like a file (tmpfs): that is always dirty.
 */
#include <linux/hash.h>
#include <linux/highmem.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/string.h>
#include <linux/xxhash.h>

#include "ksm_page.h"

static struct folio *lru_folio(struct page *page)
{
	struct folio *folio = page_folio(page);

	return folio_test_lru(folio) ? folio : NULL;
}

/* As page_idle and others do that look at any page: it may be freed meanwhile. */
static struct folio *get_folio(struct page *page)
{
	struct folio *folio = lru_folio(page);

	if (!folio || !folio_try_get(folio))
		return NULL;
	if (page_folio(page) == folio && folio_test_lru(folio))
		return folio;
	folio_put(folio);
	return NULL;
}

/* Of a program or a library that runs, most likely. */
static bool is_mapped_file(struct folio *folio)
{
	return folio && folio_mapped(folio) && !folio_test_anon(folio);
}

static bool is_clean(struct folio *folio)
{
	return folio_test_uptodate(folio) && !folio_test_dirty(folio) &&
	       !folio_test_writeback(folio) && !folio_test_swapbacked(folio) &&
	       !folio_maybe_dma_pinned(folio);
}

static unsigned long page_index_of(const struct pvx_ksm_page *p)
{
	return p->folio->index + folio_page_idx(p->folio, p->page);
}

/* With the folio locked, so that the file stays. */
static void look_at_file(struct pvx_ksm_page *p)
{
	struct address_space *mapping = p->folio->mapping;

	if (!mapping || !is_clean(p->folio))
		return;
	p->class = mapping_mapped(mapping) && !mapping_writably_mapped(mapping) ?
			   PVX_KSM_TEXT : PVX_KSM_FILE;
	p->tag = hash_long((unsigned long)mapping + page_index_of(p) * 64, 12);
}

static void look_at_anon(struct pvx_ksm_page *p)
{
	void *content;

	if (folio_maybe_dma_pinned(p->folio))
		return;
	content = kmap_local_page(p->page);
	if (!memchr_inv(content, 0, PAGE_SIZE))
		p->class = PVX_KSM_ZERO;
	kunmap_local(content);
}

/**
 * pvx_ksm_page_get() - look at a page
 * @p: what is found; to be given to pvx_ksm_page_put()
 * @pfn: the page
 * @mapped: look at pages of mapped files only, or at all others only
 *
 * Context: process context. The page's folio is locked when it returns, if there
 * is one, so that file and state stay.
 * Return: false if it is not the page's turn, or somebody else has it locked, so that
 * nothing can be said of it now; then there is nothing to put.
 */
bool pvx_ksm_page_get(struct pvx_ksm_page *p, unsigned long pfn, bool mapped)
{
	p->page = pfn_to_online_page(pfn);
	p->class = 0;
	p->tag = 0;
	/* Most are none of those that come first; that can be seen without holding them. */
	if (mapped && !(p->page && is_mapped_file(lru_folio(p->page))))
		return false;
	p->folio = p->page ? get_folio(p->page) : NULL;
	if (is_mapped_file(p->folio) != mapped)
		goto not_now;
	if (!p->folio)
		return true;
	if (!folio_trylock(p->folio))
		goto not_now;
	if (folio_test_anon(p->folio))
		look_at_anon(p);
	else
		look_at_file(p);
	return true;

not_now:
	if (p->folio)
		folio_put(p->folio);
	return false;
}

/* The hash of its content. */
u64 pvx_ksm_page_hash(const struct pvx_ksm_page *p)
{
	void *content = kmap_local_page(p->page);
	u64 hash = xxh64(content, PAGE_SIZE, 0);

	kunmap_local(content);
	return hash;
}

void pvx_ksm_page_put(struct pvx_ksm_page *p)
{
	if (!p->folio)
		return;
	folio_unlock(p->folio);
	folio_put(p->folio);
}
