// SPDX-License-Identifier: GPL-2.0
/*
 * Interception of kernel functions, by a table per feature
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ftrace.h>
#include <linux/module.h>

#include "pvx_guest.h"

/* Makes the hook fit for another installation. */
static void free_filter(struct ftrace_ops *ops)
{
	ftrace_free_filter(ops);
	/* ftrace leaves pointers to what it freed, and would free it again. */
	ops->func_hash->filter_hash = NULL;
	ops->func_hash->notrace_hash = NULL;
}

/* Says why, once until it works again: somebody may go on trying. */
static void complain(struct pvx_hook *hook, int err)
{
	if (hook->complained)
		return;
	hook->complained = true;
	if (err == -EBUSY)
		pr_err("%s: %s() is hooked by somebody else, or kernel.ftrace_enabled is 0\n",
		       hook->missing, hook->function);
	else
		pr_err("%s: no traceable %s() in this kernel (%d)\n",
		       hook->missing, hook->function, err);
}

static int install(struct pvx_hook *hook)
{
	int err;

	err = ftrace_set_filter(&hook->ops, (unsigned char *)hook->function,
				strlen(hook->function), 1);
	if (!err)
		err = register_ftrace_function(&hook->ops);
	if (!err) {
		hook->complained = false;
		return 0;
	}
	free_filter(&hook->ops);
	complain(hook, err);
	return err;
}

/**
 * pvx_hooks_install() - put a table of hooks in place
 * @hooks: the table; must stay until pvx_hooks_remove()
 * @count: its length
 *
 * Context: process context, may sleep.
 * Return: 0, or the error of the first hook that failed; then none is in place.
 */
int pvx_hooks_install(struct pvx_hook *hooks, size_t count)
{
	size_t i;
	int err;

	for (i = 0; i < count; i++) {
		err = install(&hooks[i]);
		if (err) {
			pvx_hooks_remove(hooks, i);
			return err;
		}
	}
	return 0;
}
EXPORT_SYMBOL_GPL(pvx_hooks_install);

/**
 * pvx_hooks_remove() - take a table of hooks out
 * @hooks: the table, all of which is in place
 * @count: its length
 *
 * When it returns, no CPU will enter a callback or what it redirected to, and
 * none is there still that was called with preemption off. A replacement that
 * sleeps needs its own wait on top.
 *
 * Context: process context, may sleep.
 */
void pvx_hooks_remove(struct pvx_hook *hooks, size_t count)
{
	while (count--) {
		unregister_ftrace_function(&hooks[count].ops);
		free_filter(&hooks[count].ops);
	}
	/* For those with preemption off; ftrace itself waited for the others. */
	synchronize_rcu();
}
EXPORT_SYMBOL_GPL(pvx_hooks_remove);
