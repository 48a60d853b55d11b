/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVX_GUEST_TABLE_H
#define PVX_GUEST_TABLE_H

#include <linux/mm.h>

#include "compat.h"

int pvx_table_init(void);
pmd_t *pvx_table_pmd(struct mm_struct *mm, unsigned long addr);
pte_t *pvx_table_lock(struct mm_struct *mm, unsigned long addr, spinlock_t **lock);
void pvx_table_flush(struct mm_struct *mm, unsigned long begin, unsigned long end);

/**
 * pvx_table_unlock() - let a table go
 * @entry: what pvx_table_lock() returned, not NULL
 * @lock: the lock that it set
 *
 * Sparse does not follow locks that are taken in some cases only, so it is told that none is held
 * between pvx_table_lock() and this.
 *
 * Context: as pvx_table_lock() has left it.
 */
static inline void pvx_table_unlock(pte_t *entry, spinlock_t *lock)
{
	__acquire(lock);
#ifdef PVX_TABLES_MAY_GO
	__acquire(RCU);
#endif
	pte_unmap_unlock(entry, lock);
}

#endif /* PVX_GUEST_TABLE_H */
