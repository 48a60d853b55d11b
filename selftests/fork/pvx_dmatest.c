// SPDX-License-Identifier: GPL-2.0
/*
 * A DMA engine made of software, that copies, fails or hangs as it is told
 *
 * It copies on another CPU, later, as an engine does, and no earlier than it is told that
 * copies are pending. "fault": as for what comes from then on.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dma-mapping.h>
#include <linux/dmaengine.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/workqueue.h>

static char fault[8];
module_param_string(fault, fault, sizeof(fault), 0644);
MODULE_PARM_DESC(fault, "error: copies fail; hang: they do not end; else they are made");

struct soft_copy {
	struct dma_async_tx_descriptor	tx;
	struct list_head		node;
	dma_addr_t			to;
	dma_addr_t			from;
	size_t				bytes;
};

static struct platform_device *platform;
static struct dma_device engine;
static struct dma_chan channel;
/* Protects the lists and the channel's cookies. */
static DEFINE_SPINLOCK(lock);
static LIST_HEAD(submitted);
static LIST_HEAD(issued);

static bool is_fault(const char *which)
{
	return !strncmp(fault, which, strlen(which));
}

static void free_copies(struct list_head *copies)
{
	struct soft_copy *copy, *next;

	list_for_each_entry_safe(copy, next, copies, node)
		kfree(copy);
}

static void tell(const struct dma_async_tx_descriptor *tx, enum dmaengine_tx_result how)
{
	const struct dmaengine_result result = { .result = how };

	if (tx->callback_result)
		tx->callback_result(tx->callback_param, &result);
	else if (tx->callback)
		tx->callback(tx->callback_param);
}

static void complete_one(struct soft_copy *copy)
{
	const bool fails = is_fault("error");

	/* Without an IOMMU these are the pages' addresses. */
	if (!fails)
		memcpy(phys_to_virt(copy->to), phys_to_virt(copy->from), copy->bytes);
	spin_lock_bh(&lock);
	channel.completed_cookie = copy->tx.cookie;
	spin_unlock_bh(&lock);
	tell(&copy->tx, fails ? DMA_TRANS_READ_FAILED : DMA_TRANS_NOERROR);
}

static void work_on(struct work_struct *work)
{
	struct soft_copy *copy;

	while (!is_fault("hang")) {
		spin_lock_bh(&lock);
		copy = list_first_entry_or_null(&issued, struct soft_copy, node);
		if (copy)
			list_del(&copy->node);
		spin_unlock_bh(&lock);
		if (!copy)
			return;
		complete_one(copy);
		kfree(copy);
	}
}
static DECLARE_WORK(work, work_on);

static dma_cookie_t submit(struct dma_async_tx_descriptor *tx)
{
	struct soft_copy *copy = container_of(tx, struct soft_copy, tx);
	dma_cookie_t cookie;

	spin_lock_bh(&lock);
	cookie = channel.cookie + 1;
	if (cookie < DMA_MIN_COOKIE)
		cookie = DMA_MIN_COOKIE;
	channel.cookie = tx->cookie = cookie;
	list_add_tail(&copy->node, &submitted);
	spin_unlock_bh(&lock);
	return cookie;
}

static struct dma_async_tx_descriptor *prepare(struct dma_chan *chan, dma_addr_t to,
					       dma_addr_t from, size_t bytes,
					       unsigned long flags)
{
	struct soft_copy *copy = kzalloc(sizeof(*copy), GFP_NOWAIT);

	if (!copy)
		return NULL;
	dma_async_tx_descriptor_init(&copy->tx, chan);
	copy->tx.flags = flags;
	copy->tx.tx_submit = submit;
	copy->to = to;
	copy->from = from;
	copy->bytes = bytes;
	return &copy->tx;
}

static void issue(struct dma_chan *chan)
{
	spin_lock_bh(&lock);
	list_splice_tail_init(&submitted, &issued);
	spin_unlock_bh(&lock);
	queue_work(system_unbound_wq, &work);
}

static enum dma_status status(struct dma_chan *chan, dma_cookie_t cookie,
			      struct dma_tx_state *state)
{
	enum dma_status status;

	spin_lock_bh(&lock);
	status = dma_async_is_complete(cookie, chan->completed_cookie, chan->cookie);
	dma_set_tx_state(state, chan->completed_cookie, chan->cookie, 0);
	spin_unlock_bh(&lock);
	return status;
}

static int terminate(struct dma_chan *chan)
{
	LIST_HEAD(copies);

	spin_lock_bh(&lock);
	list_splice_init(&submitted, &copies);
	list_splice_init(&issued, &copies);
	spin_unlock_bh(&lock);
	free_copies(&copies);
	return 0;
}

static void synchronize(struct dma_chan *chan)
{
	flush_work(&work);
}

static int take_channel(struct dma_chan *chan)
{
	chan->cookie = chan->completed_cookie = DMA_MIN_COOKIE;
	return 1;
}

static void free_channel(struct dma_chan *chan)
{
	terminate(chan);
	synchronize(chan);
}

static int probe(struct platform_device *pdev)
{
	int err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));

	if (err)
		return err;
	dma_cap_set(DMA_MEMCPY, engine.cap_mask);
	engine.dev = &pdev->dev;
	engine.device_alloc_chan_resources = take_channel;
	engine.device_free_chan_resources = free_channel;
	engine.device_prep_dma_memcpy = prepare;
	engine.device_issue_pending = issue;
	engine.device_tx_status = status;
	engine.device_terminate_all = terminate;
	engine.device_synchronize = synchronize;
	INIT_LIST_HEAD(&engine.channels);
	channel.device = &engine;
	list_add_tail(&channel.device_node, &engine.channels);
	return dma_async_device_register(&engine);
}

static struct platform_driver driver = {
	.driver	= { .name = KBUILD_MODNAME, .owner = THIS_MODULE },
};

static int __init pvx_dmatest_init(void)
{
	platform = platform_create_bundle(&driver, probe, NULL, 0, NULL, 0);
	return PTR_ERR_OR_ZERO(platform);
}

/* Who uses the channel holds us. */
static void __exit pvx_dmatest_exit(void)
{
	dma_async_device_unregister(&engine);
	platform_device_unregister(platform);
	platform_driver_unregister(&driver);
}

module_init(pvx_dmatest_init);
module_exit(pvx_dmatest_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("Tests of kvm-pvx: a DMA engine made of software");
MODULE_LICENSE("GPL");
