// SPDX-License-Identifier: GPL-2.0
/*
 * Copying by a DMA engine
 *
 * One channel of any engine that copies memory, for all VMs; who finds it busy copies
 * without it. What an engine does not get done is copied again by a CPU, so nothing depends on
 * it but speed. One that does not answer is not asked again.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/dma-mapping.h>
#include <linux/dmaengine.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>

#include "fork_dma.h"

/* Copies that are waited for at once; engines have room for more. */
#define CHUNK		64
#define TIMEOUT		HZ

static struct dma_chan *channel;
/* Protects all below, and the channel's use. */
static DEFINE_MUTEX(channel_lock);
static bool has_failed;
static dma_addr_t to[CHUNK], from[CHUNK];

/* What is waited for. */
struct last_copy {
	struct completion	done;
	enum dmaengine_tx_result result;
};

static void note_done(void *param, const struct dmaengine_result *result)
{
	struct last_copy *last = param;

	last->result = result ? result->result : DMA_TRANS_NOERROR;
	complete(&last->done);
}

static bool map_page(struct page *page, enum dma_data_direction direction, dma_addr_t *address)
{
	*address = dma_map_page(channel->device->dev, page, 0, PAGE_SIZE, direction);
	return !dma_mapping_error(channel->device->dev, *address);
}

static void unmap(dma_addr_t address, enum dma_data_direction direction)
{
	dma_unmap_page(channel->device->dev, address, PAGE_SIZE, direction);
}

static bool map_pair(struct page *target, struct page *source, u32 i)
{
	if (!map_page(source, DMA_TO_DEVICE, &from[i]))
		return false;
	if (map_page(target, DMA_FROM_DEVICE, &to[i]))
		return true;
	unmap(from[i], DMA_TO_DEVICE);
	return false;
}

static bool submit(u32 i, struct last_copy *last)
{
	const unsigned long flags = DMA_CTRL_ACK | (last ? DMA_PREP_INTERRUPT : 0);
	struct dma_async_tx_descriptor *tx;

	tx = dmaengine_prep_dma_memcpy(channel, to[i], from[i], PAGE_SIZE, flags);
	if (!tx)
		return false;
	if (last) {
		tx->callback_result = note_done;
		tx->callback_param = last;
	}
	return !dma_submit_error(dmaengine_submit(tx));
}

/* Copies end in the order in which they began, so the last one's end is that of all. */
static bool copy_mapped(u32 count)
{
	struct last_copy last;
	u32 i;

	init_completion(&last.done);
	for (i = 0; i < count; i++)
		if (!submit(i, i == count - 1 ? &last : NULL))
			break;
	dma_async_issue_pending(channel);
	if (i == count && wait_for_completion_timeout(&last.done, TIMEOUT))
		return last.result == DMA_TRANS_NOERROR;
	/* Behind that it neither writes anywhere nor knows of @last. */
	dmaengine_terminate_sync(channel);
	pr_warn_once("the DMA engine %s does not copy, and is not asked again\n",
		     dma_chan_name(channel));
	has_failed = true;
	return false;
}

static bool copy_chunk(struct page **targets, struct page **sources, u32 count)
{
	bool copied;
	u32 i;

	for (i = 0; i < count; i++)
		if (!map_pair(targets[i], sources[i], i))
			break;
	copied = i == count && copy_mapped(count);
	while (i--) {
		unmap(to[i], DMA_FROM_DEVICE);
		unmap(from[i], DMA_TO_DEVICE);
	}
	return copied;
}

static bool copy_all(struct page **targets, struct page **sources, u32 count)
{
	u32 i;

	for (i = 0; i < count; i += CHUNK)
		if (has_failed || !copy_chunk(targets + i, sources + i,
					      min_t(u32, count - i, CHUNK)))
			return false;
	return true;
}

/**
 * pvx_fork_dma_copy() - copy pages by the DMA engine
 * @targets: what is written to, held
 * @sources: what is read, held
 * @count: how many
 *
 * Context: process context, may sleep, for a second at most if the engine does not answer.
 * Return: false if there is no engine, it is busy, or it did not copy all; then any of the
 * targets may have been written to.
 */
bool pvx_fork_dma_copy(struct page **targets, struct page **sources, u32 count)
{
	bool copied;

	if (!channel || !mutex_trylock(&channel_lock))
		return false;
	copied = copy_all(targets, sources, count);
	mutex_unlock(&channel_lock);
	return copied;
}

/**
 * pvx_fork_dma_begin() - look for a DMA engine
 *
 * Context: process context, before the first copy; may sleep.
 * Return: whether there is one that can be used.
 */
bool pvx_fork_dma_begin(void)
{
	struct dma_chan *found;
	dma_cap_mask_t mask;

	dma_cap_zero(mask);
	dma_cap_set(DMA_MEMCPY, mask);
	found = dma_request_chan_by_mask(&mask);
	if (IS_ERR_OR_NULL(found))
		return false;
	/* One that cannot be stopped might write to pages that are somebody else's by then. */
	if (!found->device->device_terminate_all) {
		dma_release_channel(found);
		return false;
	}
	channel = found;
	return true;
}

/* When nobody copies any more. Process context, may sleep. */
void pvx_fork_dma_end(void)
{
	if (channel)
		dma_release_channel(channel);
	channel = NULL;
}
