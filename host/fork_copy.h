/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVX_HOST_FORK_COPY_H
#define PVX_HOST_FORK_COPY_H

#include <linux/static_call.h>

unsigned long pvx_copy_words(void *to, void *from);
/* Copies a page; returns how many bytes of it could not be read, for a memory error. */
DECLARE_STATIC_CALL(pvx_copy_page, pvx_copy_words);

int pvx_fork_copy_init(void);

#endif /* PVX_HOST_FORK_COPY_H */
