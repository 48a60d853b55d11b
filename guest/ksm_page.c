// SPDX-License-Identifier: GPL-2.0
/*
 * Is a page likely to be in another guest, too?
 *
 * Candidates are clean pages of files, those that are mapped first, the kernel's own
 * image, and pages that are constant, most of them zero. What is being written or changed
 * by a device is none. Files in tmpfs are always dirty, which says nothing: they are
 * candidates, too, for as long as they do not change.
 */
#include <linux/hash.h>
#include <linux/hugetlb.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/notifier.h>
#include <linux/pagemap.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/xxhash.h>

#include "ksm_page.h"
#include "ksym.h"

/* The kernel's image, from the first page to the one behind the last. */
static unsigned long image_begin, image_end;

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

static bool is_image(struct page *page)
{
	unsigned long pfn = page_to_pfn(page);

	/* What was of use for booting only is free, or somebody else's. */
	return pfn >= image_begin && pfn < image_end && PageReserved(page);
}

static enum pvx_ksm_turn turn_of(struct page *page, struct folio *folio)
{
	if (!folio)
		return page && is_image(page) ? PVX_KSM_FILES : PVX_KSM_OTHERS;
	if (folio_test_anon(folio))
		return PVX_KSM_OTHERS;
	if (folio_mapped(folio))
		return PVX_KSM_MAPPED;
	return folio_test_swapbacked(folio) ? PVX_KSM_OTHERS : PVX_KSM_FILES;
}

/* Of tmpfs, it is in memory only. */
static bool is_tmpfs(struct folio *folio)
{
	return folio_test_swapbacked(folio) && !folio_test_swapcache(folio);
}

/*
 * Not of what the kernel can never reclaim: among that is memfd_secret(2)'s, which it
 * cannot even read.
 */
static bool is_clean(struct folio *folio)
{
	return folio_test_uptodate(folio) && !mapping_unevictable(folio->mapping) &&
	       (is_tmpfs(folio) || !folio_test_dirty(folio)) &&
	       !folio_test_writeback(folio) && !folio_maybe_dma_pinned(folio);
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
	p->steady = !is_tmpfs(p->folio);
}

/* The same eight bytes over and over. */
static bool is_constant(const void *content, size_t size)
{
	return !memcmp(content, content + sizeof(u64), size - sizeof(u64));
}

/* Of the kernel's own pages; the one thread that looks at pages has it alone. */
static u64 copied[PAGE_SIZE / sizeof(u64)];

/* Others may take the page out of where the kernel has it mapped at any time. */
static bool copy_constant(struct page *page)
{
	const size_t begin = 8 * sizeof(u64);

	return !copy_from_kernel_nofault(copied, page_address(page), begin) &&
	       is_constant(copied, begin) &&
	       !copy_from_kernel_nofault(copied, page_address(page), PAGE_SIZE) &&
	       is_constant(copied, PAGE_SIZE);
}

/*
 * What is in a balloon is no memory, and what is free may never have been any: to read
 * it would make it some. Who asked for huge pages by name wants no parts of them.
 */
static bool is_in_use(struct page *page)
{
	return page_count(page) && !PageHuge(page) && !PageReserved(page) &&
	       !PageOffline(page);
}

static void look_at_kernel(struct pvx_ksm_page *p)
{
	if (is_image(p->page)) {
		p->class = PVX_KSM_TEXT;
		p->steady = true;
		return;
	}
	if (is_in_use(p->page) && copy_constant(p->page)) {
		p->class = PVX_KSM_CONSTANT;
		p->content = copied;
	}
}

static void look_at_anon(struct pvx_ksm_page *p)
{
	if (!folio_maybe_dma_pinned(p->folio) && is_constant(p->content, PAGE_SIZE))
		p->class = PVX_KSM_CONSTANT;
}

/*
 * Who looks at a page has preemption off from when he found it online on. Its struct page goes
 * right after this, and the kernel waits for nobody who has no reference.
 */
static int on_memory(struct notifier_block *nb, unsigned long action, void *unused)
{
	if (action == MEM_OFFLINE)
		synchronize_rcu();
	return NOTIFY_OK;
}

static struct notifier_block memory_nb = { .notifier_call = on_memory };

/**
 * pvx_ksm_page_init() - find the kernel's image, and watch memory go
 *
 * Context: process context, may sleep.
 * Return: 0, -ENOENT if the kernel does not say where it is, or another negative errno.
 */
int pvx_ksm_page_init(void)
{
	unsigned long begin = pvx_ksym_find("_text");
	unsigned long end = pvx_ksym_find("_end");

	if (!begin || !end)
		return -ENOENT;
	image_begin = PHYS_PFN(__pa(begin));
	image_end = PHYS_PFN(__pa(end));
	return register_memory_notifier(&memory_nb);
}

/**
 * pvx_ksm_page_exit() - watch no longer
 *
 * Context: process context, may sleep; nobody looks at pages any more.
 */
void pvx_ksm_page_exit(void)
{
	unregister_memory_notifier(&memory_nb);
}

/* With its folio, if it has one, held and locked; false if that cannot be done now. */
static bool lock_folio(struct pvx_ksm_page *p, enum pvx_ksm_turn turn)
{
	p->folio = get_folio(p->page);
	if (turn_of(p->page, p->folio) == turn && (!p->folio || folio_trylock(p->folio)))
		return true;
	if (p->folio)
		folio_put(p->folio);
	return false;
}

/**
 * pvx_ksm_page_get() - look at a page
 * @p: what is found; to be given to pvx_ksm_page_put()
 * @pfn: the page
 * @turn: whose turn it is
 *
 * Context: process context. The page's folio is locked when it returns, if there
 * is one, so that file and state stay, and preemption is off, so that nobody has to
 * wait for that lock till a thread that all others go before has the CPU again.
 * Return: false if it is not the page's turn, or somebody else has it locked, so that
 * nothing can be said of it now; then there is nothing to put.
 */
bool pvx_ksm_page_get(struct pvx_ksm_page *p, unsigned long pfn, enum pvx_ksm_turn turn)
{
	struct page *page;

	/* From now on, so that the page cannot be unplugged meanwhile: see on_memory(). */
	preempt_disable();
	page = pfn_to_online_page(pfn);
	*p = (struct pvx_ksm_page){ .page = page };
	/* Whose turn it is can be seen without holding it, as far as that goes. */
	if (turn_of(page, page ? lru_folio(page) : NULL) != turn) {
		preempt_enable();
		return false;
	}
	if (!page || PageHWPoison(page))
		return true;
	p->content = page_address(page);
	if (!lock_folio(p, turn)) {
		preempt_enable();
		return false;
	}
	if (!p->folio)
		look_at_kernel(p);
	else if (folio_test_anon(p->folio))
		look_at_anon(p);
	else
		look_at_file(p);
	return true;
}

/* The hash of its content. */
u64 pvx_ksm_page_hash(const struct pvx_ksm_page *p)
{
	return xxh64(p->content, PAGE_SIZE, 0);
}

void pvx_ksm_page_put(struct pvx_ksm_page *p)
{
	if (p->folio) {
		folio_unlock(p->folio);
		folio_put(p->folio);
	}
	preempt_enable();
}
