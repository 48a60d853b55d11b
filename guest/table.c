// SPDX-License-Identifier: GPL-2.0
/*
 * The tables of a process' memory, which other features look at and change
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/static_call.h>

#include "compat.h"
#include "ksym.h"
#include "table.h"

#ifdef PVX_TABLES_MAY_GO
DEFINE_STATIC_CALL_NULL(pvx_lock_table, __pte_offset_map_lock);
#define lock_table(mm, pmd, addr, lock)	static_call(pvx_lock_table)(mm, pmd, addr, lock)
#else
#define lock_table(mm, pmd, addr, lock)					\
({									\
	pte_t *entry = pte_offset_map_lock(mm, pmd, addr, lock);	\
									\
	__release(*(lock));						\
	entry;								\
})
#endif
DEFINE_STATIC_CALL_NULL(pvx_flush_range, flush_tlb_mm_range);

/**
 * pvx_table_pmd() - find the middle directory's entry of an address
 * @mm: the memory
 * @addr: the address
 *
 * Context: process context, mmap lock of @mm held, and @addr near a VMA of it, so that
 * nobody takes tables away.
 * Return: the entry, of which nothing is known; NULL if there is none.
 */
pmd_t *pvx_table_pmd(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud;

	if (pgd_none(*pgd) || pgd_bad(*pgd))
		return NULL;
	p4d = p4d_offset(pgd, addr);
	if (p4d_none(*p4d) || p4d_bad(*p4d))
		return NULL;
	pud = pud_offset(p4d, addr);
	if (pud_none(*pud) || pud_bad(*pud))
		return NULL;
	return pmd_offset(pud, addr);
}
EXPORT_SYMBOL_GPL(pvx_table_pmd);

/**
 * pvx_table_lock() - find and lock the table that has the entry of an address
 * @mm: the memory
 * @addr: the address
 * @lock: set to the lock
 *
 * Context: as pvx_table_pmd(); after pvx_table_init(). To be let go by pvx_table_unlock().
 * Return: the entry; NULL if there is no table, as for a huge page.
 */
pte_t *pvx_table_lock(struct mm_struct *mm, unsigned long addr, spinlock_t **lock)
{
	pmd_t *pmd = pvx_table_pmd(mm, addr);

	if (!pmd || pmd_none(*pmd) || pmd_bad(*pmd))
		return NULL;
	return lock_table(mm, pmd, addr, lock);
}
EXPORT_SYMBOL_GPL(pvx_table_lock);

/**
 * pvx_table_flush() - make all CPUs forget what they know of some entries
 * @mm: the memory
 * @begin: the first address
 * @end: behind the last; TLB_FLUSH_ALL: of all entries
 *
 * Context: as flush_tlb_mm_range(), IRQs on; after pvx_table_init().
 */
void pvx_table_flush(struct mm_struct *mm, unsigned long begin, unsigned long end)
{
	static_call(pvx_flush_range)(mm, begin, end, PAGE_SHIFT, false);
}
EXPORT_SYMBOL_GPL(pvx_table_flush);

/**
 * pvx_table_init() - find what the kernel keeps to itself of these
 *
 * Context: process context, may sleep; by each feature that uses them, when it is loaded.
 * Return: 0, or -ENOENT, and the log says what is missing.
 */
int pvx_table_init(void)
{
	unsigned long flush = pvx_ksym_find("flush_tlb_mm_range");
	unsigned long lock __maybe_unused;

	if (!flush)
		return -ENOENT;
	static_call_update(pvx_flush_range, (typeof(&flush_tlb_mm_range))flush);
#ifdef PVX_TABLES_MAY_GO
	lock = pvx_ksym_find("__pte_offset_map_lock");
	if (!lock)
		return -ENOENT;
	static_call_update(pvx_lock_table, (typeof(&__pte_offset_map_lock))lock);
#endif
	return 0;
}
EXPORT_SYMBOL_GPL(pvx_table_init);
