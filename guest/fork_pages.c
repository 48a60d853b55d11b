// SPDX-License-Identifier: GPL-2.0
/*
 * Free pages that nobody touches before their content is copied to them
 *
 * With init_on_alloc the kernel zeroes what it gives out, and the first touch of a page
 * that the host does not back is a nested fault, which costs more than all the rest. So
 * blocks of free pages are taken as page reporting takes them, by __isolate_free_page().
 * Who gets such a page sees it after a whole page was copied to it only.
 */
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/sched.h>

#include <linux/kvm_pvx.h>

#include "compat.h"
#include "fault.h"
#include "fork_mm.h"
#include "fork_pages.h"

/* Blocks of fewer pages are not worth it. */
#define ORDER_LEAST	4
/* Where there are none now, there are none for so many pages. */
#define PAUSE		64
/* What is in use is not reclaimed here; kswapd is told where little is left. */
#define GFP_TARGET	((GFP_HIGHUSER_MOVABLE | __GFP_THISNODE | __GFP_NOWARN) & ~__GFP_DIRECT_RECLAIM)
/* So much a batch may take. */
#define BATCH		PVX_FORK_PAIRS_MAX
/* How long kswapd may take to make room for that, in ticks. */
#define WAIT_TICKS	25

static bool has_free(struct zone *zone, unsigned long watermark, unsigned long pages)
{
	const enum zone_type movable = gfp_zone(GFP_HIGHUSER_MOVABLE);

	return zone_page_state(zone, NR_FREE_PAGES) >
	       watermark + zone->lowmem_reserve[movable] + pages;
}

/* So that kswapd sleeps on: blocks are for speed only. */
static bool has_blocks(struct zone *zone, unsigned int order)
{
	return has_free(zone, 2 * high_wmark_pages(zone), 1UL << order);
}

/* Where files fill memory little is free, and kswapd makes more so from its low watermark on. */
static bool has_pages(struct zone *zone, unsigned long pages)
{
	return has_free(zone, (min_wmark_pages(zone) + low_wmark_pages(zone)) / 2, pages);
}

static struct page *take_block(struct zone *zone, unsigned int order)
{
	struct list_head *list = &zone->free_area[order].free_list[MIGRATE_MOVABLE];
	struct page *page;
	unsigned long flags;

	spin_lock_irqsave(&zone->lock, flags);
	page = list_first_entry_or_null(list, struct page, buddy_list);
	if (page && !mm_call(__isolate_free_page)(page, order))
		page = NULL;
	spin_unlock_irqrestore(&zone->lock, flags);
	return page;
}

static bool take_of_zone(struct pvx_fork_pages *pages, struct zone *zone)
{
	unsigned int order;

	/* The largest first: the host may back these by huge pages. */
	for (order = PVX_ORDER_MAX; order >= ORDER_LEAST; order--) {
		if (!READ_ONCE(zone->free_area[order].nr_free) || !has_blocks(zone, order))
			continue;
		pages->next = take_block(zone, order);
		if (pages->next) {
			pages->left = 1U << order;
			return true;
		}
	}
	return false;
}

/* Of those that memory of processes comes from; what devices need is not ours. */
#define for_each_zone_of(zone, node)						\
	for (zone = NODE_DATA(node)->node_zones + gfp_zone(GFP_HIGHUSER_MOVABLE);	\
	     zone_idx(zone) > ZONE_DMA; zone--)					\
		if (populated_zone(zone))

static bool take(struct pvx_fork_pages *pages, int node)
{
	struct zone *zone;

	for_each_zone_of(zone, node)
		if (take_of_zone(pages, zone))
			return true;
	return false;
}

static bool fill(struct pvx_fork_pages *pages, int node)
{
	if (pages->pause) {
		pages->pause--;
		return false;
	}
	if (take(pages, node))
		return true;
	pages->pause = PAUSE;
	return false;
}

/* As if the kernel had given it out; NULL where it would not. */
static struct page *give(struct pvx_fork_pages *pages)
{
	struct page *page = pages->next++;

	pages->left--;
	if (PageHWPoison(page))
		return NULL;
	set_page_private(page, 0);
	set_page_count(page, 1);
	return page;
}

/* What was not given out is free again. Process context. */
void pvx_fork_pages_drain(struct pvx_fork_pages *pages)
{
	struct page *page;

	while (pages->left) {
		page = give(pages);
		if (page)
			__free_page(page);
	}
}

/* What the kernel notes of pages when it gives them out is more than we do. */
static bool are_watched(void)
{
	return IS_ENABLED(CONFIG_PAGE_OWNER) || IS_ENABLED(CONFIG_KASAN) ||
	       debug_pagealloc_enabled();
}

static struct page *get_from_block(struct pvx_fork_pages *pages, int node)
{
	if (are_watched())
		return NULL;
	/* Where nodes take turns, a block of each one's turn would go back at once. */
	if (pages->left && page_to_nid(pages->next) != node) {
		pvx_fork_pages_drain(pages);
		pages->pause = PAUSE;
	}
	if (!pages->left && !fill(pages, node))
		return NULL;
	return give(pages);
}

static struct page *get_from_allocator(int node)
{
	struct zone *zone;

	for_each_zone_of(zone, node)
		if (has_pages(zone, 1))
			return alloc_pages_node(node, GFP_TARGET, 0);
	return NULL;
}

/**
 * pvx_fork_page_get() - get a page whose content is undefined
 * @pages: where it comes from; filled when it is empty
 * @node: of which node's memory
 *
 * The page must not be seen by anybody before all of it has been written to.
 *
 * Context: process context.
 * Return: a page with one reference, to be freed as any, or NULL where few are free.
 */
struct page *pvx_fork_page_get(struct pvx_fork_pages *pages, int node)
{
	return get_from_block(pages, node) ?: get_from_allocator(node);
}

static bool has_batch(int node)
{
	struct zone *zone;

	for_each_zone_of(zone, node)
		if (has_pages(zone, BATCH))
			return true;
	return false;
}

/* Who asks for a page where few are free wakes kswapd. */
static void wake_kswapd(int node)
{
	struct page *page = alloc_pages_node(node, GFP_TARGET, 0);

	if (page)
		__free_page(page);
}

/**
 * pvx_fork_pages_wait() - wait until there are free pages for a batch
 * @pages: what was taken and goes back if there are not
 * @node: of which node's memory
 *
 * Where there is room, see pvx_fork_has_room(), files may fill it, and what is free comes by
 * and by.
 *
 * Context: process context; sleeps for some 100 ms at most.
 * Return: false if there are none even then.
 */
bool pvx_fork_pages_wait(struct pvx_fork_pages *pages, int node)
{
	int i;

	for (i = 0; i < WAIT_TICKS && !has_batch(node); i++) {
		pvx_fork_pages_drain(pages);
		wake_kswapd(node);
		schedule_timeout_uninterruptible(1);
	}
	return i < WAIT_TICKS;
}
