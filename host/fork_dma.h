/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVX_HOST_FORK_DMA_H
#define PVX_HOST_FORK_DMA_H

#include <linux/types.h>

struct page;

/** PVX_FORK_DMA_LEAST - a list of fewer pages is not worth an engine's interrupt */
#define PVX_FORK_DMA_LEAST	64

bool pvx_fork_dma_begin(void);
void pvx_fork_dma_end(void);
bool pvx_fork_dma_copy(struct page **targets, struct page **sources, u32 count);

#endif /* PVX_HOST_FORK_DMA_H */
