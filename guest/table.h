/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVX_GUEST_TABLE_H
#define PVX_GUEST_TABLE_H

#include <linux/mm_types.h>
#include <linux/spinlock_types.h>

int pvx_table_init(void);
pmd_t *pvx_table_pmd(struct mm_struct *mm, unsigned long addr);
pte_t *pvx_table_lock(struct mm_struct *mm, unsigned long addr, spinlock_t **lock);
void pvx_table_flush(struct mm_struct *mm, unsigned long begin, unsigned long end);

#endif /* PVX_GUEST_TABLE_H */
