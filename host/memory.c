// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of guests, without waiting for anybody who may keep us waiting
 *
 * Operators who take something from any VM, and who unload a module, wait until all calls under
 * way have ended. So a call may not wait for what a VMM can hold back for ever: memory that it
 * watches by userfaultfd, a file of a file system whose server it is, its own lock. What is not
 * there then is the guest's to wait for, by touching it. What is left is memory that a VMM takes
 * away in the moment between our look and KVM's mapping it, or our pinning it, see fork.c.
 */
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "ksym.h"
#include "memory.h"

/* Anybody may be who brings the pages of a file; of these it is the kernel itself. */
static bool is_kernels_own(struct vm_area_struct *vma)
{
	unsigned long magic;

	if (vma_is_anonymous(vma))
		return true;
	if (!vma->vm_file)
		return false;
	/* Not file_inode(): a block device's node may be in a tmpfs. */
	magic = vma->vm_file->f_mapping->host->i_sb->s_magic;
	return magic == TMPFS_MAGIC || magic == HUGETLBFS_MAGIC;
}

/**
 * pvx_memory_bring() - have a page there that can be without waiting for others
 * @hva: where the VMM has it
 * @write: it is to be written to
 * @page: set to the page, held; or NULL
 *
 * Where a disk must be read for it, that is begun.
 *
 * Context: process context of the VMM, may sleep.
 * Return: 0; -EFAULT: the VMM has no such memory; -EBUSY: it may be there later.
 */
int pvx_memory_bring(unsigned long hva, bool write, struct page **page)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	long got = -EFAULT;

	if (!mmap_read_trylock(mm))
		return -EBUSY;
	vma = vma_lookup(mm, hva);
	/* With the lock held from the question to the answer, or it might be another one's by then. */
	if (vma && is_kernels_own(vma))
		got = pvx_get_page_nowait(hva & PAGE_MASK, write, page);
	else if (vma)
		got = -EBUSY;
	mmap_read_unlock(mm);
	return got > 0 ? 0 : got ?: -EBUSY;
}
EXPORT_SYMBOL_GPL(pvx_memory_bring);

static int read_if_there(struct kvm *kvm, u64 gpa, void *to, size_t bytes)
{
	int err;

	pagefault_disable();
	err = ksym(kvm_read_guest)(kvm, gpa, to, bytes);
	pagefault_enable();
	return err;
}

/* All pages of what a guest names. */
static int bring_all(struct kvm *kvm, u64 gpa, size_t bytes)
{
	struct kvm_memory_slot *slot;
	u64 gfn;
	int err = 0;

	for (gfn = gpa >> PAGE_SHIFT; !err && gfn <= (gpa + bytes - 1) >> PAGE_SHIFT; gfn++) {
		slot = pvx_memory_slot(kvm, gfn);
		err = slot ? pvx_memory_bring(__gfn_to_hva_memslot(slot, gfn), false, NULL) :
			     -EFAULT;
	}
	return err;
}

static bool is_memory(struct kvm *kvm, u64 gpa, size_t bytes)
{
	u64 gfn;

	if (gpa + bytes < gpa)
		return false;
	for (gfn = gpa >> PAGE_SHIFT; gfn <= (gpa + bytes - 1) >> PAGE_SHIFT; gfn++)
		if (!pvx_memory_slot(kvm, gfn))
			return false;
	return true;
}

/**
 * pvx_memory_read() - read what a call's argument 0 points to
 * @kvm: the VM
 * @gpa: the argument
 * @to: where it goes
 * @bytes: how much, at least 1
 *
 * Context: process context of the VMM with kvm->srcu held, may sleep.
 * Return: 0; -PVX_E_ARG(0) if that is not all memory that the guest may write to; -PVX_E_BUSY if
 * it is not there, and would be waited for.
 */
s64 pvx_memory_read(struct kvm *kvm, u64 gpa, void *to, size_t bytes)
{
	int err;

	if (!is_memory(kvm, gpa, bytes))
		return -PVX_E_ARG(0);
	if (!read_if_there(kvm, gpa, to, bytes))
		return 0;
	err = bring_all(kvm, gpa, bytes);
	if (err)
		return err == -EFAULT ? -PVX_E_ARG(0) : -PVX_E_BUSY;
	/* It may have gone again. */
	return read_if_there(kvm, gpa, to, bytes) ? -PVX_E_BUSY : 0;
}
EXPORT_SYMBOL_GPL(pvx_memory_read);
