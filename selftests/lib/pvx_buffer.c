// SPDX-License-Identifier: GPL-2.0
/*
 * A buffer at a known guest-physical address, for hypercalls that read or write one
 *
 * debugfs pvx_buffer/buffer is written and read as any file, pvx_buffer/gpa tells
 * where it is. The call is pvx_abitest's.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/module.h>

#define BYTES	(64 * PAGE_SIZE)

static void *buffer;

static ssize_t buffer_write(struct file *file, const char __user *from, size_t count,
			    loff_t *at)
{
	return simple_write_to_buffer(buffer, BYTES, at, from, count);
}

static ssize_t buffer_read(struct file *file, char __user *to, size_t count, loff_t *at)
{
	return simple_read_from_buffer(to, count, at, buffer, BYTES);
}

static const struct file_operations buffer_fops = {
	.owner	= THIS_MODULE,
	.read	= buffer_read,
	.write	= buffer_write,
	.llseek	= default_llseek,
};

static int gpa_get(void *unused, u64 *value)
{
	*value = virt_to_phys(buffer);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(gpa_fops, gpa_get, NULL, "0x%llx\n");

static struct dentry *dir;

static int __init pvx_buffer_init(void)
{
	buffer = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, get_order(BYTES));
	if (!buffer)
		return -ENOMEM;
	dir = debugfs_create_dir(KBUILD_MODNAME, NULL);
	debugfs_create_file("buffer", 0600, dir, NULL, &buffer_fops);
	debugfs_create_file_unsafe("gpa", 0400, dir, NULL, &gpa_fops);
	return 0;
}

static void __exit pvx_buffer_exit(void)
{
	debugfs_remove_recursive(dir);
	free_pages((unsigned long)buffer, get_order(BYTES));
}

module_init(pvx_buffer_init);
module_exit(pvx_buffer_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("A buffer for hypercalls, at an address that is known");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
