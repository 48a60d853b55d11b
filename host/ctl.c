// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/kvm-pvx: the operator grants features to VMs
 *
 * Two things are needed: the right to open the device (mode 0600, root, until
 * the operator says otherwise) and a file descriptor of the VM.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/uaccess.h>

#include "core.h"

/* Reads a structure whose first field is its size, as the caller knows it. */
static int copy_in(void *to, size_t size, const void __user *from, u32 *usize)
{
	if (get_user(*usize, (u32 __user *)from))
		return -EFAULT;
	if (*usize < size)
		return -EINVAL;
	if (*usize > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(to, size, from, *usize);
}

static long ctl_info(void __user *arg)
{
	struct pvx_info info;
	u32 usize;
	int err = copy_in(&info, sizeof(info), arg, &usize);

	if (err)
		return err;
	if (info.reserved)
		return -EINVAL;
	info.abi_version = PVX_ABI_VERSION;
	info.available = pvx_available();
	info.default_features = READ_ONCE(pvx_default_features) & PVX_F_ALL;
	info.vms = pvx_vm_count();
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

/* A file that keeps the VM alive until fput(), or an error. */
static struct file *vm_file(int fd)
{
	struct file *file = fget(fd);

	if (!file)
		return ERR_PTR(-EBADF);
	if (!ksym(file_is_kvm)(file)) {
		fput(file);
		return ERR_PTR(-ENOTTY);
	}
	return file;
}

static long ctl_grant(void __user *arg)
{
	struct pvx_grant grant;
	struct file *file;
	u32 usize;
	int err = copy_in(&grant, sizeof(grant), arg, &usize);

	if (err)
		return err;
	if ((grant.set & ~(PVX_F_ALL | PVX_F_TEST)) || (grant.set & grant.clear))
		return -EINVAL;
	file = vm_file(grant.vm_fd);
	if (IS_ERR(file))
		return PTR_ERR(file);
	err = pvx_vm_grant(file->private_data, grant.set, grant.clear,
			   &grant.granted);
	fput(file);
	if (err)
		return err;
	return copy_to_user(arg, &grant, sizeof(grant)) ? -EFAULT : 0;
}

static long ctl_query(void __user *arg)
{
	struct pvx_query query;
	struct file *file;
	u32 usize;
	int err = copy_in(&query, sizeof(query), arg, &usize);

	if (err)
		return err;
	if (query.reserved)
		return -EINVAL;
	file = vm_file(query.vm_fd);
	if (IS_ERR(file))
		return PTR_ERR(file);
	query = (struct pvx_query){ .size = query.size, .vm_fd = query.vm_fd };
	pvx_vm_query(file->private_data, &query);
	fput(file);
	return copy_to_user(arg, &query, sizeof(query)) ? -EFAULT : 0;
}

static long ctl_group(void __user *arg)
{
	struct pvx_group group;
	struct file *file;
	u32 usize;
	int err = copy_in(&group, sizeof(group), arg, &usize);

	if (err)
		return err;
	if ((group.flags & ~PVX_GROUP_JOIN) || group.reserved)
		return -EINVAL;
	if (strnlen(group.name, sizeof(group.name)) == sizeof(group.name))
		return -EINVAL;
	file = vm_file(group.vm_fd);
	if (IS_ERR(file))
		return PTR_ERR(file);
	if (group.flags & PVX_GROUP_JOIN)
		err = pvx_vm_join(file->private_data, group.name);
	else
		pvx_host_group(file->private_data, 0, group.name);
	fput(file);
	if (err)
		return err;
	return copy_to_user(arg, &group, sizeof(group)) ? -EFAULT : 0;
}

static long ctl_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case PVX_IOC_INFO:
		return ctl_info((void __user *)arg);
	case PVX_IOC_GRANT:
		return ctl_grant((void __user *)arg);
	case PVX_IOC_QUERY:
		return ctl_query((void __user *)arg);
	case PVX_IOC_GROUP:
		return ctl_group((void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations ctl_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= ctl_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};

static struct miscdevice ctl_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "kvm-pvx",
	.mode	= 0600,
	.fops	= &ctl_fops,
};

int pvx_ctl_init(void)
{
	int err = misc_register(&ctl_device);

	if (err)
		pr_err("cannot create /dev/kvm-pvx (%d)\n", err);
	return err;
}

void pvx_ctl_exit(void)
{
	misc_deregister(&ctl_device);
}
