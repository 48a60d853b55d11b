// SPDX-License-Identifier: GPL-2.0
/*
 * Giving a process its own copy of pages that it shares since a fork
 *
 * In batches, in four steps: collect() finds pages and holds them, so that nobody
 * writes to them in place; allocate() gets pages for one of the processes; when
 * their content was copied, install() puts those in place of the others, as a write
 * fault would; own() lets the other process write to what it has alone then.
 * Entries are looked at again under their lock, and what changed is left alone.
 */
#include <linux/delay.h>
#include <linux/mempolicy.h>
#include <linux/mmu_notifier.h>
#include <linux/pagemap.h>
#include <linux/userfaultfd_k.h>

#include "compat.h"
#include "fork_mm.h"
#include "ksym.h"
#include "table.h"

/* What must be taken from others is left to them: nothing is reclaimed, and nobody killed. */
#define GFP_CHARGE	((GFP_KERNEL | __GFP_NOWARN) & ~__GFP_RECLAIM)

#define FORK_KSYM(name)	DEFINE_STATIC_CALL_NULL(pvx_##name, name)
#include "fork_ksym.h"

/* So often it is tried again soon to lock an address space, and then once a tick. */
#define LOCK_SOON	50

/**
 * pvx_fork_lock() - get the mmap lock for reading, if that can be had soon
 * @mm: the memory
 * @patience: ns that may be waited; what was waited is taken off
 *
 * Who changes an address space may have to wait for user space meanwhile, as for a file
 * system in it; that is not to keep our threads from others' pages, or our module loaded.
 *
 * Context: process context; may sleep, for a tick or two longer than @patience.
 * Return: whether it is locked.
 */
bool pvx_fork_lock(struct mm_struct *mm, u64 *patience)
{
	bool locked = mmap_read_trylock(mm);
	u64 since, waited = 0;
	int i;

	if (locked)
		return true;
	since = ktime_get_ns();
	for (i = 0; !locked && (!i || waited < *patience); i++) {
		if (i < LOCK_SOON)
			usleep_range(50, 100);
		else
			schedule_timeout_uninterruptible(1);
		locked = mmap_read_trylock(mm);
		waited = ktime_get_ns() - since;
	}
	*patience -= min(waited, *patience);
	return locked;
}

/* --- entries --------------------------------------------------------------- */

/**
 * pvx_fork_is_ours() - may what is in a VMA be privatised?
 * @vma: the VMA
 *
 * Context: mmap lock held.
 */
bool pvx_fork_is_ours(struct vm_area_struct *vma)
{
	const unsigned long not_ours = VM_SHARED | VM_HUGETLB | VM_PFNMAP | VM_MIXEDMAP |
				       VM_IO | VM_LOCKED | VM_WIPEONFORK |
				       VM_SHADOW_STACK;

	return vma->anon_vma && (vma->vm_flags & VM_WRITE) && !vma_policy(vma) &&
	       !(vma->vm_flags & not_ours) && !userfaultfd_armed(vma);
}

static bool is_inside(const struct vm_area_struct *vma, unsigned long addr)
{
	return vma && vma->vm_start <= addr && addr < vma->vm_end;
}

/**
 * pvx_fork_find_ours() - the VMA of an address
 * @mm: the memory
 * @addr: the address
 *
 * Context: mmap lock of @mm held.
 * Return: the VMA, or NULL if there is none whose memory may be privatised.
 */
struct vm_area_struct *pvx_fork_find_ours(struct mm_struct *mm, unsigned long addr)
{
	struct vm_area_struct *vma = find_vma(mm, addr);

	return is_inside(vma, addr) && pvx_fork_is_ours(vma) ? vma : NULL;
}

/*
 * By somebody who reads or writes it where it is, or by a list that it waits in. Others may
 * map or unmap it just then, so the numbers count only if they belong together.
 */
static bool is_held(struct page *page)
{
	const int plain = pvx_page_mapcount(page);
	int all;

	smp_rmb();
	all = page_count(page);
	smp_rmb();
	return all > plain || pvx_page_mapcount(page) != plain;
}

/* Of an anonymous page that others have, too, and that a write would copy; else NULL. */
static struct page *shared_page(pte_t entry)
{
	struct page *page;

	if (!pte_present(entry) || pte_write(entry) || pte_special(entry) ||
	    !pfn_valid(pte_pfn(entry)))
		return NULL;
	page = pte_page(entry);
	/*
	 * What is in the swap cache, too, keeps that for who has it last, and that is not to be us.
	 * Without swap behind it, it is what MADV_FREE was said of.
	 */
	if (!PageAnon(page) || PageKsm(page) || PageCompound(page) ||
	    !folio_test_swapbacked(page_folio(page)) || folio_test_swapcache(page_folio(page)) ||
	    folio_test_mlocked(page_folio(page)) || PageHWPoison(page) || PageAnonExclusive(page) ||
	    pvx_page_mapcount(page) < 2 || is_held(page))
		return NULL;
	return page;
}

/* --- collect --------------------------------------------------------------- */

/* All from @addr up to @end, which is no further than the table. */
static unsigned long collect_table(struct mm_struct *mm, unsigned long addr,
				   unsigned long end, struct pvx_fork_page *pages,
				   u32 most, u32 *count)
{
	pte_t *first, *entry;
	struct page *page;
	spinlock_t *lock;

	first = entry = pvx_table_lock(mm, addr, &lock);
	if (!entry)
		return end;
	for (; addr < end && *count < most; addr += PAGE_SIZE, entry++) {
		page = shared_page(*entry);
		if (!page || !get_page_unless_zero(page))
			continue;
		pages[(*count)++] = (struct pvx_fork_page){
			.addr = addr,
			.entry = pte_val(*entry),
			.old = page,
		};
	}
	pvx_table_unlock(first, lock);
	return addr;
}

/**
 * pvx_fork_collect() - find pages that a process shares
 * @mm: its memory
 * @from: where to begin
 * @end: where to end; in the same table
 * @pages: what is found is added here
 * @most: how many there may be
 * @count: how many there are; changed
 *
 * Nothing is found in memory that a device or a nested guest has mapped, too: these would
 * have to be told.
 *
 * Context: process context, mmap lock of @mm held for reading, and kept until
 * pvx_fork_install(); may sleep.
 * Return: where to go on; @end when that was all.
 */
unsigned long pvx_fork_collect(struct mm_struct *mm, unsigned long from, unsigned long end,
			       struct pvx_fork_page *pages, u32 most, u32 *count)
{
	struct vm_area_struct *vma;
	unsigned long addr = from, next;

	if (mm_has_notifiers(mm))
		return end;
	while (addr < end && *count < most) {
		vma = find_vma(mm, addr);
		if (!vma || vma->vm_start >= end)
			return end;
		addr = max(addr, vma->vm_start);
		next = min(end, vma->vm_end);
		addr = pvx_fork_is_ours(vma) ?
			       collect_table(mm, addr, next, pages, most, count) : next;
	}
	return addr;
}

/**
 * pvx_fork_next_table() - skip addresses for which there is no table
 * @mm: the memory
 * @addr: where to begin, in a VMA
 * @end: where to end, in the same
 *
 * Of what is reserved and not used there may be very much.
 *
 * Context: process context, mmap lock of @mm held for reading; may sleep.
 * Return: the first address from @addr on that may have a table, or @end.
 */
unsigned long pvx_fork_next_table(struct mm_struct *mm, unsigned long addr, unsigned long end)
{
	unsigned long next;
	pgd_t *pgd;
	p4d_t *p4d;
	pud_t *pud;

	for (; addr < end; addr = next) {
		pgd = pgd_offset(mm, addr);
		next = pgd_addr_end(addr, end);
		if (pgd_none(*pgd))
			continue;
		p4d = p4d_offset(pgd, addr);
		next = p4d_addr_end(addr, end);
		if (p4d_none(*p4d))
			continue;
		pud = pud_offset(p4d, addr);
		next = pud_addr_end(addr, end);
		if (pud_none(*pud) || pud_bad(*pud))
			continue;
		next = pmd_addr_end(addr, end);
		if (!pmd_none(*pmd_offset(pud, addr)))
			return addr;
		if (!(next & ~PUD_MASK))
			cond_resched();
	}
	return end;
}

/**
 * pvx_fork_count_written() - count the pages that a process need not share any more
 * @mm: its memory
 * @from: the first address
 * @end: behind the last; in the same table
 *
 * Context: process context, mmap lock of @mm held for reading; may sleep.
 */
u32 pvx_fork_count_written(struct mm_struct *mm, unsigned long from, unsigned long end)
{
	struct vm_area_struct *vma = find_vma(mm, from);
	pte_t *first, *entry;
	spinlock_t *lock;
	u32 n = 0;

	/* Only where somebody has memory there cannot be who takes the tables away. */
	if (!vma || vma->vm_start >= end)
		return 0;
	first = pvx_table_lock(mm, from, &lock);
	if (!first)
		return 0;
	for (entry = first; from < end; from += PAGE_SIZE, entry++)
		n += pte_present(*entry) && pte_write(*entry);
	pvx_table_unlock(first, lock);
	return n;
}

/* --- allocate -------------------------------------------------------------- */

/* May who has the memory have new pages of this node? */
static bool may_use(struct mm_struct *mm, int node)
{
	struct task_struct *owner;
	bool may;

	rcu_read_lock();
	owner = rcu_dereference(mm->owner);
	may = owner && !READ_ONCE(owner->mempolicy) && node_isset(node, owner->mems_allowed);
	rcu_read_unlock();
	return may;
}

/* Of the old one's node. */
static struct page *allocate(struct mm_struct *mm, struct pvx_fork_pages *pool,
			     struct pvx_fork_page *p)
{
	const int node = page_to_nid(p->old);
	struct page *page = may_use(mm, node) ? pvx_fork_page_get(pool, node) : NULL;

	if (page && !mem_cgroup_disabled() &&
	    mm_call(__mem_cgroup_charge)(page_folio(page), mm, GFP_CHARGE)) {
		put_page(page);
		return NULL;
	}
	return page;
}

/**
 * pvx_fork_allocate() - get pages in place of those that are shared
 * @mm: of the process that gets them
 * @pool: where they come from
 * @pages: a batch
 * @count: its length
 *
 * Context: process context, mmap lock of @mm held for reading; may sleep.
 * Return: of how many pages, from the first on; fewer when memory runs short, or a cpuset or a
 * memory policy has a say in where it comes from.
 */
u32 pvx_fork_allocate(struct mm_struct *mm, struct pvx_fork_pages *pool,
		      struct pvx_fork_page *pages, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++) {
		pages[i].new = allocate(mm, pool, &pages[i]);
		if (!pages[i].new)
			break;
	}
	return i;
}

/* --- install --------------------------------------------------------------- */

/* How many of a batch, from the first on, have their entries in one table and @vma. */
static u32 of_one_table(struct vm_area_struct *vma, const struct pvx_fork_page *pages,
			u32 count)
{
	const unsigned long begin = pages[0].addr;
	const unsigned long end = min((begin + PMD_SIZE) & PMD_MASK, vma->vm_end);
	u32 n = 1;

	/* In ascending order: the last one's end is the end of all. What was dropped has none. */
	while (n < count && pages[n].addr > pages[n - 1].addr && pages[n].addr < end)
		n++;
	return n;
}

static pte_t own_entry(struct vm_area_struct *vma, struct page *page)
{
	return pte_mkyoung(pte_mkdirty(pvx_pte_mkwrite(mk_pte(page, vma->vm_page_prot))));
}

static void replace(struct vm_area_struct *vma, pte_t *entry, struct pvx_fork_page *p)
{
	__SetPageUptodate(p->new);
	pvx_add_new_anon_rmap(p->new, vma, p->addr);
	pvx_lru_cache_add(p->new, vma);
	set_pte_at(vma->vm_mm, p->addr, entry, own_entry(vma, p->new));
	pvx_remove_rmap(p->old, vma);
	/* The entry has its reference now, and its old one is ours to drop. */
	put_page(p->old);
	get_page(p->new);
}

/*
 * Entries are cleared, then all CPUs forget them at once, then they are set: nobody
 * may write to a new page while somebody reads the old one. A fault in between waits
 * for the lock, and then finds the entry.
 */
static u32 install_table(struct vm_area_struct *vma, struct pvx_fork_page *pages, u32 count)
{
	const unsigned long base = pages[0].addr, end = pages[count - 1].addr + PAGE_SIZE;
	struct mm_struct *mm = vma->vm_mm;
	pte_t *first, *entry;
	spinlock_t *lock;
	u32 i, n = 0;

	first = pvx_table_lock(mm, base, &lock);
	if (!first)
		return 0;
	for (i = 0; i < count; i++) {
		entry = first + ((pages[i].addr - base) >> PAGE_SHIFT);
		/* The accessed bit may have been set since. */
		if (pte_val(pte_mkold(*entry)) != pte_val(pte_mkold(__pte(pages[i].entry))) ||
		    folio_test_swapcache(page_folio(pages[i].old)))
			pages[i].addr = PVX_FORK_DROPPED;
		else
			ptep_get_and_clear(mm, pages[i].addr, entry);
	}
	pvx_table_flush(mm, base, end);
	for (i = 0; i < count; i++) {
		if (pages[i].addr == PVX_FORK_DROPPED)
			continue;
		replace(vma, first + ((pages[i].addr - base) >> PAGE_SHIFT), &pages[i]);
		n++;
	}
	pvx_table_unlock(first, lock);
	return n;
}

/**
 * pvx_fork_install() - give a process its own pages
 * @mm: its memory
 * @pages: a batch, with what is to be installed
 * @count: its length
 *
 * Entries that are not what they were keep what they have; the @addr of their pages is
 * set to PVX_FORK_DROPPED.
 *
 * Context: process context, mmap lock of @mm held for reading; may sleep.
 * Return: how many were installed.
 */
u32 pvx_fork_install(struct mm_struct *mm, struct pvx_fork_page *pages, u32 count)
{
	struct vm_area_struct *vma;
	u32 i, n, installed = 0;

	for (i = 0; i < count; i += n) {
		vma = pvx_fork_find_ours(mm, pages[i].addr);
		if (!vma) {
			pages[i].addr = PVX_FORK_DROPPED;
			n = 1;
			continue;
		}
		n = of_one_table(vma, pages + i, count - i);
		installed += install_table(vma, pages + i, n);
		cond_resched();
	}
	return installed;
}

/* --- own ------------------------------------------------------------------- */

/* With its entry and itself locked: has nobody but this entry and us a reference to it? */
static bool is_alone(struct page *page)
{
	return page_count(page) == 2 && pvx_page_mapcount(page) == 1 &&
	       !folio_test_swapcache(page_folio(page)) && !PageKsm(page) &&
	       !PageHWPoison(page);
}

/* With the entry locked. */
static bool own(struct vm_area_struct *vma, pte_t *entry, struct pvx_fork_page *p)
{
	const pte_t now = *entry;
	bool alone;

	if (!pte_present(now) || pte_write(now) || pte_page(now) != p->old ||
	    !trylock_page(p->old))
		return false;
	alone = is_alone(p->old);
	if (alone) {
		pvx_move_anon_rmap(p->old, vma);
		SetPageAnonExclusive(p->old);
		set_pte_at(vma->vm_mm, p->addr, entry,
			   pte_mkyoung(pte_mkdirty(pvx_pte_mkwrite(now))));
	}
	unlock_page(p->old);
	return alone;
}

static u32 own_table(struct vm_area_struct *vma, struct pvx_fork_page *pages, u32 count)
{
	const unsigned long base = pages[0].addr;
	spinlock_t *lock;
	pte_t *first;
	u32 i, n = 0;

	first = pvx_table_lock(vma->vm_mm, base, &lock);
	if (!first)
		return 0;
	for (i = 0; i < count; i++)
		n += own(vma, first + ((pages[i].addr - base) >> PAGE_SHIFT), &pages[i]);
	pvx_table_unlock(first, lock);
	return n;
}

/**
 * pvx_fork_own() - let a process write to what it has alone
 * @mm: its memory, the other one's than of pvx_fork_install()
 * @pages: the batch
 * @count: its length
 *
 * What a write fault would find out one by one. An entry that allows more than
 * before need not be flushed.
 *
 * Context: process context, mmap lock of @mm held for reading; may sleep.
 * Return: of how many pages.
 */
u32 pvx_fork_own(struct mm_struct *mm, struct pvx_fork_page *pages, u32 count)
{
	struct vm_area_struct *vma;
	u32 i, n, owned = 0;

	for (i = 0; i < count; i += n) {
		n = 1;
		vma = pvx_fork_find_ours(mm, pages[i].addr);
		if (!vma)
			continue;
		n = of_one_table(vma, pages + i, count - i);
		owned += own_table(vma, pages + i, n);
		/* Who waits for the lock is not to wait for us to get a CPU, and this is short. */
	}
	return owned;
}

/* Lets all of a batch go; what was installed stays. */
void pvx_fork_put(struct pvx_fork_page *pages, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++) {
		put_page(pages[i].old);
		if (pages[i].new)
			put_page(pages[i].new);
	}
}

/**
 * pvx_fork_mm_init() - find what the kernel keeps to itself
 *
 * Context: process context, may sleep.
 * Return: 0, or -ENOENT, and the log says what is missing.
 */
int pvx_fork_mm_init(void)
{
	unsigned long address;

#define FORK_KSYM(name)							\
	do {								\
		address = pvx_ksym_find(#name);				\
		if (!address)						\
			return -ENOENT;					\
		static_call_update(pvx_##name, (typeof(&name))address);	\
	} while (0)
#include "fork_ksym.h"
	return pvx_table_init();
}
