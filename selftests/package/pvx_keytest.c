// SPDX-License-Identifier: GPL-2.0
/*
 * Lets the kernel trust a certificate, as Secure Boot does with one that the owner of the
 * machine has enrolled
 *
 * The laboratory boots without firmware that could do it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/kernel_read_file.h>
#include <linux/key.h>
#include <linux/limits.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

static int keyring;
module_param(keyring, int, 0);
MODULE_PARM_DESC(keyring, "Number of the keyring, as /proc/keys has it");

static char *cert;
module_param(cert, charp, 0);
MODULE_PARM_DESC(cert, "File with the certificate, DER");

/* Of itself, the keyring takes only what one of its keys has signed. */
static int add_key(const void *data, size_t size)
{
	key_ref_t ring, key;

	ring = lookup_user_key(keyring, 0, KEY_DEFER_PERM_CHECK);
	if (IS_ERR(ring))
		return PTR_ERR(ring);
	key = key_create_or_update(make_key_ref(key_ref_to_ptr(ring), true), "asymmetric",
				   NULL, data, size,
				   (KEY_POS_ALL & ~KEY_POS_SETATTR) | KEY_USR_VIEW | KEY_USR_READ,
				   KEY_ALLOC_NOT_IN_QUOTA | KEY_ALLOC_BYPASS_RESTRICTION);
	key_ref_put(ring);
	if (IS_ERR(key))
		return PTR_ERR(key);
	key_ref_put(key);
	return 0;
}

static int __init pvx_keytest_init(void)
{
	void *data = NULL;
	ssize_t size;
	int ret;

	size = kernel_read_file_from_path(cert, 0, &data, INT_MAX, NULL,
					  READING_X509_CERTIFICATE);
	if (size < 0)
		return size;
	ret = add_key(data, size);
	vfree(data);
	return ret;
}

static void __exit pvx_keytest_exit(void)
{
}

module_init(pvx_keytest_init);
module_exit(pvx_keytest_exit);

MODULE_AUTHOR("The kvm-pvx authors");
MODULE_DESCRIPTION("Has the kernel trust a certificate");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
