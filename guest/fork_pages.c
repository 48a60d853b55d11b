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

#include "compat.h"
#include "fork_mm.h"
#include "fork_pages.h"

/* Blocks of fewer pages are not worth it. */
#define ORDER_LEAST	4
/* Where there are none now, there are none for so many pages. */
#define PAUSE		64
/* What must be taken from others is left to them: nothing is reclaimed. */
#define GFP_TARGET	((GFP_HIGHUSER_MOVABLE | __GFP_THISNODE | __GFP_NOWARN) & ~__GFP_RECLAIM)

/* The kernel's own watermarks are kept twice, since this is for speed only. */
static bool has_plenty(struct zone *zone, unsigned int order)
{
	const enum zone_type movable = gfp_zone(GFP_HIGHUSER_MOVABLE);

	return zone_page_state(zone, NR_FREE_PAGES) >
	       2 * high_wmark_pages(zone) + zone->lowmem_reserve[movable] + (1UL << order);
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
		if (!READ_ONCE(zone->free_area[order].nr_free) || !has_plenty(zone, order))
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

/* What the kernel notes of pages when it gives them out is more than we do. */
static bool are_watched(void)
{
	return IS_ENABLED(CONFIG_PAGE_OWNER) || debug_pagealloc_enabled();
}

static struct page *get_from_block(struct pvx_fork_pages *pages, int node)
{
	if (are_watched())
		return NULL;
	if (!pages->left && !fill(pages, node))
		return NULL;
	return page_to_nid(pages->next) == node ? give(pages) : NULL;
}

static struct page *get_from_allocator(int node)
{
	struct zone *zone;

	for_each_zone_of(zone, node)
		if (has_plenty(zone, 0))
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
 * Return: a page with one reference, to be freed as any, or NULL where the node's memory
 * is scarce.
 */
struct page *pvx_fork_page_get(struct pvx_fork_pages *pages, int node)
{
	return get_from_block(pages, node) ?: get_from_allocator(node);
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
