// SPDX-License-Identifier: GPL-2.0
/*
 * Parts of a module that are switched on and off by a parameter
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/mutex.h>

#include "part.h"

/* Parameters come before the module's init, and as long as it is loaded. */
static DEFINE_MUTEX(parts_lock);
static bool started;

static int start(struct pvx_part *part)
{
	int err = part->prepare ? part->prepare() : 0;

	if (!err)
		err = pvx_hooks_install(part->hooks, part->count);
	part->runs = !err;
	return err;
}

static void stop(struct pvx_part *part)
{
	pvx_hooks_remove(part->hooks, part->count);
	if (part->settle)
		part->settle();
	part->runs = false;
}

/* Does what the parameter says. */
static int follow(struct pvx_part *part)
{
	if (!started || part->on == part->runs)
		return 0;
	if (part->on)
		return start(part);
	stop(part);
	return 0;
}

static int set_part(const char *value, const struct kernel_param *param)
{
	struct pvx_part *part = param->arg;
	bool on;
	int err = kstrtobool(value, &on);

	if (err)
		return err;
	mutex_lock(&parts_lock);
	part->on = on;
	err = follow(part);
	part->on = part->on && !err;
	mutex_unlock(&parts_lock);
	return err;
}

static int get_part(char *buffer, const struct kernel_param *param)
{
	const struct pvx_part *part = param->arg;

	return sysfs_emit(buffer, "%c\n", READ_ONCE(part->on) ? 'Y' : 'N');
}

const struct kernel_param_ops pvx_part_ops = {
	.set = set_part,
	.get = get_part,
};

/**
 * pvx_parts_start() - let the parameters have their effect, now and later
 * @parts: all parts of the module
 * @count: how many
 *
 * A part that cannot run is off, and the log says why. The others run.
 *
 * Context: process context, may sleep.
 */
void pvx_parts_start(struct pvx_part * const *parts, size_t count)
{
	mutex_lock(&parts_lock);
	started = true;
	while (count--)
		parts[count]->on = parts[count]->on && !follow(parts[count]);
	mutex_unlock(&parts_lock);
}

/**
 * pvx_parts_stop() - take all parts out of work, for good
 * @parts: all parts of the module
 * @count: how many
 *
 * Context: process context, may sleep.
 */
void pvx_parts_stop(struct pvx_part * const *parts, size_t count)
{
	mutex_lock(&parts_lock);
	started = false;
	while (count--)
		if (parts[count]->runs)
			stop(parts[count]);
	mutex_unlock(&parts_lock);
}
