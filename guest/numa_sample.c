// SPDX-License-Identifier: GPL-2.0
/*
 * Which memory do the processes use that run just now?
 *
 * The processor marks the entries of pages that are used. Of each process that runs, the
 * marks of a few tables, chosen at random, are taken away, and a little later those are
 * counted that are back. Threads of a process share its tables, so what is found goes for
 * all CPUs that they run on. DAMON looks at memory in the same way, but knows nothing of
 * CPUs.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/page_idle.h>
#include <linux/random.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "compat.h"
#include "numa_map.h"
#include "numa_sample.h"
#include "table.h"

/* Processes and tables of each that are looked at. */
#define PROCESSES	16
#define TABLES		8
/* Of the addresses that are chosen, many may have no table. */
#define TRIES		(4 * TABLES)
/* How long pages have to be used again. */
#define WAIT_MS		20
/* Threads of a process of which it is known where they run. */
#define THREADS		256

/**
 * struct process - one that runs
 * @mm: its memory, held
 * @cpus: where it runs
 * @count: tables that were chosen
 * @from: the first address of each
 * @end: and behind the last
 */
struct process {
	struct mm_struct	*mm;
	cpumask_t		cpus;
	u32			count;
	unsigned long		from[TABLES];
	unsigned long		end[TABLES];
};

/* The sampler's thread has it alone. */
static struct process processes[PROCESSES];
static u32 nr_processes;

/* --- who runs --------------------------------------------------------------- */

/* Those of its threads that want a CPU count, too, as we have taken one of them. */
static void note_threads(struct process *process, struct task_struct *task)
{
	struct task_struct *thread;
	u32 n = 0;

	for_each_thread(task, thread) {
		if (READ_ONCE(thread->on_rq))
			cpumask_set_cpu(task_cpu(thread), &process->cpus);
		if (++n == THREADS)
			break;
	}
}

static bool is_known(const struct mm_struct *mm)
{
	u32 i;

	for (i = 0; i < nr_processes; i++)
		if (processes[i].mm == mm)
			return true;
	return false;
}

/* With RCU held. */
static void note_process(struct task_struct *task)
{
	struct process *process = &processes[nr_processes];
	struct mm_struct *mm;

	if (task->flags & (PF_KTHREAD | PF_EXITING))
		return;
	mm = READ_ONCE(task->mm);
	if (!mm || is_known(mm) || !mmget_not_zero(mm))
		return;
	process->mm = mm;
	process->count = 0;
	cpumask_clear(&process->cpus);
	note_threads(process, task);
	nr_processes++;
}

static void find_processes(void)
{
	int cpu;

	nr_processes = 0;
	rcu_read_lock();
	for_each_online_cpu(cpu)
		if (nr_processes < PROCESSES)
			note_process(pvx_current_of(cpu));
	rcu_read_unlock();
}

/* --- tables ----------------------------------------------------------------- */

static bool is_looked_at(const struct vm_area_struct *vma)
{
	return !(vma->vm_flags & (VM_IO | VM_PFNMAP | VM_HUGETLB | VM_MIXEDMAP));
}

/* An address, each page of the process as likely as the other. */
static struct vm_area_struct *choose(struct mm_struct *mm, unsigned long *addr)
{
	unsigned long page = get_random_u64() % max(mm->total_vm, 1UL), pages;
	struct vm_area_struct *vma;

	for (vma = find_vma(mm, 0); vma; vma = find_vma(mm, vma->vm_end)) {
		pages = vma_pages(vma);
		if (page < pages) {
			*addr = vma->vm_start + page * PAGE_SIZE;
			return is_looked_at(vma) ? vma : NULL;
		}
		page -= pages;
	}
	return NULL;
}

/* As ptep_test_and_clear_young(), which is not exported. */
static bool take_mark(pte_t *entry)
{
	return pte_present(*entry) && pte_young(*entry) &&
	       test_and_clear_bit(_PAGE_BIT_ACCESSED, (unsigned long *)&entry->pte);
}

/* Takes the marks away; false if there is no table. */
static bool clear(struct vm_area_struct *vma, unsigned long from, unsigned long end)
{
	pte_t *first, *entry;
	spinlock_t *lock;
	bool cleared = false;

	first = entry = pvx_table_lock(vma->vm_mm, from, &lock);
	if (!entry)
		return false;
	for (; from < end; from += PAGE_SIZE, entry++) {
		if (!take_mark(entry))
			continue;
		cleared = true;
		/* Others that look for idle memory are not to miss it. */
		if (!pte_special(*entry) && pfn_valid(pte_pfn(*entry)))
			folio_set_young(page_folio(pte_page(*entry)));
	}
	pte_unmap_unlock(first, lock);
	return cleared;
}

/* With the mmap lock held. */
static void choose_table(struct process *process)
{
	struct vm_area_struct *vma;
	unsigned long addr, from, end;

	vma = choose(process->mm, &addr);
	if (!vma)
		return;
	from = max(addr & PMD_MASK, vma->vm_start);
	end = min((addr & PMD_MASK) + PMD_SIZE, vma->vm_end);
	if (!clear(vma, from, end))
		return;
	pvx_table_flush(process->mm, from, end);
	process->from[process->count] = from;
	process->end[process->count] = end;
	process->count++;
}

static void choose_tables(struct process *process)
{
	u32 i;

	if (!mmap_read_trylock(process->mm))
		return;
	for (i = 0; i < TRIES && process->count < TABLES; i++) {
		choose_table(process);
		cond_resched();
	}
	mmap_read_unlock(process->mm);
}

/* --- counting --------------------------------------------------------------- */

static void add(struct pvx_numa_map *map, const struct process *process, u32 block, u32 pages)
{
	int cpu;

	for_each_cpu(cpu, &process->cpus)
		pvx_numa_add(map, cpu, block, pages);
}

/* With the mmap lock held. Neighbours are in one block mostly. */
static void count_table(struct pvx_numa_map *map, const struct process *process, u32 i,
			u32 shift)
{
	unsigned long addr = process->from[i];
	struct vm_area_struct *vma = find_vma(process->mm, addr);
	u32 block, last = 0, pages = 0;
	pte_t *first, *entry;
	spinlock_t *lock;

	/* Only where somebody has memory there cannot be who takes the tables away. */
	if (!vma || vma->vm_start >= process->end[i] || !is_looked_at(vma))
		return;
	first = entry = pvx_table_lock(process->mm, addr, &lock);
	if (!entry)
		return;
	for (; addr < process->end[i]; addr += PAGE_SIZE, entry++) {
		if (!pte_present(*entry) || !pte_young(*entry))
			continue;
		block = pte_pfn(*entry) >> (shift - PAGE_SHIFT);
		if (block != last) {
			add(map, process, last, pages);
			pages = 0;
			last = block;
		}
		pages++;
	}
	add(map, process, last, pages);
	pte_unmap_unlock(first, lock);
}

static void count_tables(struct pvx_numa_map *map, const struct process *process, u32 shift)
{
	int cpu;
	u32 i;

	if (!process->count || !mmap_read_trylock(process->mm))
		return;
	for_each_cpu(cpu, &process->cpus)
		pvx_numa_decay(map, cpu);
	for (i = 0; i < process->count; i++) {
		count_table(map, process, i, shift);
		cond_resched();
	}
	mmap_read_unlock(process->mm);
}

/**
 * pvx_numa_sample() - look once at what running processes use
 * @map: where what is found is added
 * @block_shift: log2 of the size of its blocks in bytes
 *
 * Context: process context, one thread at a time; sleeps.
 */
void pvx_numa_sample(struct pvx_numa_map *map, u32 block_shift)
{
	u32 i;

	find_processes();
	for (i = 0; i < nr_processes; i++)
		choose_tables(&processes[i]);
	if (nr_processes)
		msleep(WAIT_MS);
	for (i = 0; i < nr_processes; i++) {
		count_tables(map, &processes[i], block_shift);
		mmput(processes[i].mm);
	}
	nr_processes = 0;
}

/* Process context. Return: 0, or -ENOENT, and the log says what is missing. */
int pvx_numa_sample_init(void)
{
	return pvx_table_init();
}
