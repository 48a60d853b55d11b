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
#include <linux/random.h>
#include <linux/sched/isolation.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sort.h>
#include <asm/tlbflush.h>

#include "compat.h"
#include "numa_map.h"
#include "numa_sample.h"
#include "table.h"

/* Processes and tables of each that are looked at. */
#define PROCESSES	16
#define TABLES		8
/* Of the addresses that are chosen, many may have no table. */
#define TRIES		(4 * TABLES)
/* VMAs that are gone over to find them. */
#define STEPS		1000
/* How long pages have to be used again. */
#define WAIT_MS		20
/* Threads of a process of which it is known where they run. */
#define THREADS		256

/**
 * struct process - one that runs
 * @mm: its memory; its tables stay as long as somebody uses it
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

/**
 * struct table - one that may be chosen
 * @vma: whose it is
 * @from: the first address
 * @end: and behind the last
 */
struct table {
	struct vm_area_struct	*vma;
	unsigned long		from;
	unsigned long		end;
};

/* The sampler's thread has these alone. */
static struct process processes[PROCESSES];
static u32 nr_processes;
static struct table tables[TRIES];

/* --- who runs --------------------------------------------------------------- */

/* Those of its threads that want a CPU count, too, as we have taken one of them. */
static void note_threads(struct process *process, struct task_struct *task)
{
	struct task_struct *thread;
	u32 n = 0;

	cpumask_set_cpu(task_cpu(task), &process->cpus);
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

/* By isolcpus= or nohz_full=. Who runs there is not to be disturbed, so he is not looked at. */
static bool is_isolated(int cpu)
{
	return !cpumask_test_cpu(cpu, housekeeping_cpumask(HK_TYPE_DOMAIN)) ||
	       !cpumask_test_cpu(cpu, housekeeping_cpumask(HK_TYPE_TICK));
}

/* With RCU held. */
static void note_process(struct task_struct *task)
{
	struct process *process = &processes[nr_processes];
	struct mm_struct *mm;

	if ((task->flags & (PF_KTHREAD | PF_EXITING)) || is_isolated(task_cpu(task)))
		return;
	mm = get_task_mm(task);
	if (!mm)
		return;
	if (!is_known(mm)) {
		mmgrab(mm);
		process->mm = mm;
		process->count = 0;
		cpumask_clear(&process->cpus);
		note_threads(process, task);
		nr_processes++;
	}
	mmput_async(mm);
}

/*
 * Begins with another CPU each time, as there may be more processes than are looked at. On our
 * own CPU we run ourselves, and @before did before.
 */
static void find_processes(struct task_struct *before)
{
	static int first;
	int cpu;

	nr_processes = 0;
	first = cpumask_next(first, cpu_online_mask);
	if (first >= nr_cpu_ids)
		first = cpumask_first(cpu_online_mask);
	rcu_read_lock();
	if (before)
		note_process(before);
	for_each_cpu_wrap(cpu, cpu_online_mask, first)
		if (nr_processes < PROCESSES)
			note_process(pvx_current_of(cpu));
	rcu_read_unlock();
}

/* So that it is not the same CPU each time that we take our time from. */
static void move_on(void)
{
	int cpu;

	for_each_cpu_wrap(cpu, cpu_online_mask, raw_smp_processor_id() + 1) {
		if (is_isolated(cpu))
			continue;
		set_cpus_allowed_ptr(current, cpumask_of(cpu));
		return;
	}
}

/* --- tables ----------------------------------------------------------------- */

static bool is_looked_at(const struct vm_area_struct *vma)
{
	return (vma->vm_flags & (VM_READ | VM_WRITE | VM_EXEC)) &&
	       !(vma->vm_flags & (VM_IO | VM_PFNMAP | VM_HUGETLB | VM_MIXEDMAP));
}

static int compare(const void *a, const void *b)
{
	const unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;

	return x < y ? -1 : x > y;
}

/* As ptep_test_and_clear_young(), which is not exported. */
static bool take_mark(unsigned long *entry)
{
	return test_and_clear_bit(_PAGE_BIT_ACCESSED, entry);
}

/* False if there is no huge page. */
static bool clear_huge(struct vm_area_struct *vma, unsigned long addr)
{
	pmd_t *pmd = pvx_table_pmd(vma->vm_mm, addr);
	spinlock_t *lock;
	bool cleared = false;

	if (!pmd || !pmd_trans_huge(*pmd))
		return false;
	lock = pmd_lock(vma->vm_mm, pmd);
	if (pmd_trans_huge(*pmd) && pmd_young(*pmd)) {
		cleared = take_mark((unsigned long *)pmd);
		pvx_keep_young(pmd_page(*pmd));
	}
	spin_unlock(lock);
	return cleared;
}

/* Takes the marks away; false if there were none. */
static bool clear_table(struct vm_area_struct *vma, unsigned long from, unsigned long end)
{
	pte_t *first, *entry;
	spinlock_t *lock;
	bool cleared = false;

	first = entry = pvx_table_lock(vma->vm_mm, from, &lock);
	if (!entry)
		return false;
	for (; from < end; from += PAGE_SIZE, entry++) {
		if (!pte_present(*entry) || !pte_young(*entry) ||
		    !take_mark((unsigned long *)entry))
			continue;
		cleared = true;
		if (!pte_special(*entry) && pfn_valid(pte_pfn(*entry)))
			pvx_keep_young(pte_page(*entry));
	}
	pvx_table_unlock(first, lock);
	return cleared;
}

static void choose_table(struct process *process, const struct table *table)
{
	unsigned long from = table->from, end = table->end;

	if (!clear_huge(table->vma, from) && !clear_table(table->vma, from, end))
		return;
	process->from[process->count] = from;
	process->end[process->count] = end;
	process->count++;
}

static bool add_table(struct vm_area_struct *vma, unsigned long addr, u32 found)
{
	struct table *table = &tables[found];

	table->vma = vma;
	table->from = max(addr & PMD_MASK, vma->vm_start);
	table->end = min((addr & PMD_MASK) + PMD_SIZE, vma->vm_end);
	return !found || tables[found - 1].from != table->from;
}

/* Of a VMA those that may be looked at. */
static unsigned long pages_of(struct vm_area_struct *vma)
{
	return is_looked_at(vma) ? vma_pages(vma) : 0;
}

/* In so many VMAs as may be gone over. Much of a process may be address space only. */
static unsigned long pages_in(struct mm_struct *mm)
{
	struct vm_area_struct *vma = find_vma(mm, 0);
	unsigned long pages = 0;
	u32 steps;

	for (steps = 0; vma && steps < STEPS; steps++) {
		pages += pages_of(vma);
		vma = find_vma(mm, vma->vm_end);
	}
	return pages;
}

/* Pages by their number in the process' memory, in order, so that one way leads to all. */
static u32 find_tables(struct mm_struct *mm)
{
	unsigned long numbers[TRIES], before = 0, pages = pages_in(mm);
	struct vm_area_struct *vma = find_vma(mm, 0);
	u32 i, found = 0;

	if (!pages)
		return 0;
	for (i = 0; i < TRIES; i++)
		numbers[i] = get_random_u64() % pages;
	sort(numbers, TRIES, sizeof(numbers[0]), compare, NULL);
	for (i = 0; i < TRIES; i++) {
		/* There is one that has it, as the memory is locked. */
		for (; numbers[i] >= before + pages_of(vma); vma = find_vma(mm, vma->vm_end))
			before += pages_of(vma);
		found += add_table(vma, vma->vm_start + (numbers[i] - before) * PAGE_SIZE, found);
	}
	return found;
}

/* Of those that were found any, and not the first ones: these are always the same. */
static void choose_tables(struct process *process)
{
	u32 found = find_tables(process->mm), i;

	for (i = 0; i < found && process->count < TABLES; i++) {
		swap(tables[i], tables[i + get_random_u32() % (found - i)]);
		choose_table(process, &tables[i]);
	}
}

/* With somebody who uses it, and so its tables, held. False if that cannot be done now. */
static bool lock_memory(struct mm_struct *mm)
{
	if (!mmget_not_zero(mm))
		return false;
	if (mmap_read_trylock(mm))
		return true;
	mmput_async(mm);
	return false;
}

static void unlock_memory(struct mm_struct *mm)
{
	mmap_read_unlock(mm);
	mmput_async(mm);
}

static void begin_process(struct process *process)
{
	if (!lock_memory(process->mm))
		return;
	choose_tables(process);
	if (process->count)
		pvx_table_flush(process->mm, 0, TLB_FLUSH_ALL);
	unlock_memory(process->mm);
	cond_resched();
}

/* --- counting --------------------------------------------------------------- */

static void add(struct pvx_numa_map *map, const struct process *process, u32 block, u32 pages)
{
	int cpu;

	for_each_cpu(cpu, &process->cpus)
		pvx_numa_add(map, cpu, block, pages);
}

static bool count_huge(struct pvx_numa_map *map, const struct process *process,
		       unsigned long addr, u32 shift)
{
	pmd_t *pmd = pvx_table_pmd(process->mm, addr);
	spinlock_t *lock;
	bool huge;

	if (!pmd || !pmd_trans_huge(*pmd))
		return false;
	lock = pmd_lock(process->mm, pmd);
	huge = pmd_trans_huge(*pmd);
	/* But not the one of zeroes, which is everybody's. */
	if (huge && pmd_young(*pmd) && pmd_page(*pmd)->mapping)
		add(map, process, pmd_pfn(*pmd) >> (shift - PAGE_SHIFT), PTRS_PER_PTE);
	spin_unlock(lock);
	return huge;
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
	if (!vma || vma->vm_start >= process->end[i] || !is_looked_at(vma) ||
	    count_huge(map, process, addr, shift))
		return;
	first = entry = pvx_table_lock(process->mm, addr, &lock);
	if (!entry)
		return;
	for (; addr < process->end[i]; addr += PAGE_SIZE, entry++) {
		if (!pte_present(*entry) || !pte_young(*entry) || pte_special(*entry))
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
	pvx_table_unlock(first, lock);
}

static void end_process(struct pvx_numa_map *map, const struct process *process, u32 shift)
{
	u32 i;

	if (process->count && lock_memory(process->mm)) {
		for (i = 0; i < process->count; i++)
			count_table(map, process, i, shift);
		unlock_memory(process->mm);
	}
	mmdrop(process->mm);
	cond_resched();
}

/* What was seen before counts less for who was seen now. */
static void decay(struct pvx_numa_map *map)
{
	static cpumask_t cpus;
	int cpu;
	u32 i;

	cpumask_clear(&cpus);
	for (i = 0; i < nr_processes; i++)
		if (processes[i].count)
			cpumask_or(&cpus, &cpus, &processes[i].cpus);
	for_each_cpu(cpu, &cpus) {
		pvx_numa_decay(map, cpu);
		cond_resched();
	}
}

/**
 * pvx_numa_sample() - look once at what running processes use
 * @map: where what is found is added
 * @block_shift: log2 of the size of its blocks in bytes
 * @before: who ran on our CPU before us, held; or NULL
 *
 * Context: process context after pvx_table_init(), one thread at a time; sleeps.
 * Return: how many processes were looked at.
 */
u32 pvx_numa_sample(struct pvx_numa_map *map, u32 block_shift, struct task_struct *before)
{
	u32 i;

	find_processes(before);
	for (i = 0; i < nr_processes; i++)
		begin_process(&processes[i]);
	if (nr_processes)
		msleep(WAIT_MS);
	decay(map);
	for (i = 0; i < nr_processes; i++)
		end_process(map, &processes[i], block_shift);
	move_on();
	return i;
}
