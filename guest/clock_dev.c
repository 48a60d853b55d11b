// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/pvx_clock: effective time for user space
 *
 * The device is a dynamic POSIX clock. Each open file has a timer besides, with
 * the semantics of timerfd: an expiration is counted when it is read, and only
 * then the timer is set for the next. So a short interval is no flood.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/device.h>
#include <linux/fs.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/poll.h>
#include <linux/posix-clock.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "clock_dev.h"
#include "compat.h"
#include "fault.h"
#include "timer.h"

/**
 * struct clock_file - an open file's timer
 * @timer: the timer
 * @setting: one change at a time
 * @wait: who waits for an expiration; its lock guards the fields below
 * @expired: it did, and nobody has read that
 * @expires: the expiration that it is or was set for, ns
 * @interval: from one to the next, ns; 0 for none
 * @defer_max: of struct pvx_clock_timer
 */
struct clock_file {
	struct pvx_timer	timer;
	struct mutex		setting;
	wait_queue_head_t	wait;
	bool			expired;
	u64			expires;
	u64			interval;
	u64			defer_max;
};

static void on_timer(struct pvx_timer *timer)
{
	struct clock_file *cf = container_of(timer, struct clock_file, timer);
	unsigned long flags;

	spin_lock_irqsave(&cf->wait.lock, flags);
	cf->expired = true;
	wake_up_locked_poll(&cf->wait, EPOLLIN);
	spin_unlock_irqrestore(&cf->wait.lock, flags);
}

static int clock_open(struct posix_clock_context *context, fmode_t mode)
{
	struct clock_file *cf = kzalloc(sizeof(*cf), GFP_KERNEL_ACCOUNT);

	if (!cf)
		return -ENOMEM;
	mutex_init(&cf->setting);
	init_waitqueue_head(&cf->wait);
	pvx_timer_setup(&cf->timer, PVX_CLOCK_SYSTEM, on_timer);
	context->private_clkdata = cf;
	return 0;
}

static int clock_release(struct posix_clock_context *context)
{
	struct clock_file *cf = context->private_clkdata;

	pvx_timer_del_sync(&cf->timer);
	kfree(cf);
	return 0;
}

/* How often it expired up to now; sets it for the next time. */
static u64 take_expirations(struct clock_file *cf)
{
	u64 now, missed = 0;

	cf->expired = false;
	if (!cf->interval)
		return 1;
	now = pvx_clock_read(cf->timer.cpu);
	if (now >= cf->expires)
		missed = div64_u64(now - cf->expires, cf->interval);
	else
		cf->expires = now;	/* it was put off no longer */
	cf->expires += (missed + 1) * cf->interval;
	pvx_timer_mod(&cf->timer, cf->expires, cf->defer_max);
	return missed + 1;
}

static ssize_t clock_dev_read(struct posix_clock_context *context, uint flags,
			      char __user *buf, size_t size)
{
	struct clock_file *cf = context->private_clkdata;
	u64 expirations = 0;
	int err = 0;

	if (size < sizeof(expirations))
		return -EINVAL;
	spin_lock_irq(&cf->wait.lock);
	if (cf->expired || !(flags & O_NONBLOCK))
		err = wait_event_interruptible_locked_irq(cf->wait, cf->expired);
	else
		err = -EAGAIN;
	if (!err)
		expirations = take_expirations(cf);
	spin_unlock_irq(&cf->wait.lock);
	if (err)
		return err;
	return put_user(expirations, (u64 __user *)buf) ?: sizeof(expirations);
}

static __poll_t clock_poll(struct posix_clock_context *context,
			   struct file *file, poll_table *table)
{
	struct clock_file *cf = context->private_clkdata;

	poll_wait(file, &cf->wait, table);
	return READ_ONCE(cf->expired) ? EPOLLIN : 0;
}

/* Reads a structure whose first field is its size, as the caller knows it. */
static int copy_in(void *to, size_t size, const void __user *from)
{
	u32 usize;

	if (get_user(usize, (u32 __user *)from))
		return -EFAULT;
	if (usize < size)
		return -EINVAL;
	if (usize > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(to, size, from, usize);
}

/* Is there such a clock? Who asks may be anybody, so no other one is used speculatively, either. */
static bool take_cpu(s32 *cpu)
{
	if (!pvx_clock_valid(*cpu))
		return false;
	if (*cpu != PVX_CLOCK_SYSTEM)
		*cpu = array_index_nospec(*cpu, nr_cpu_ids);
	return true;
}

static long read_clock(void __user *arg)
{
	struct pvx_clock_reading reading;
	int err = copy_in(&reading, sizeof(reading), arg);

	if (err)
		return err;
	if (!take_cpu(&reading.cpu))
		return -EINVAL;
	reading.effective_ns = pvx_clock_read(reading.cpu);
	reading.monotonic_ns = ktime_get_ns();
	reading.stolen_ns = pvx_clock_stolen(reading.cpu);
	return copy_to_user(arg, &reading, sizeof(reading)) ? -EFAULT : 0;
}

/* The timer is not set, and nobody but the caller can set it. */
static void stop_timer(struct clock_file *cf)
{
	spin_lock_irq(&cf->wait.lock);
	cf->expired = false;
	cf->interval = 0;	/* nor does who reads */
	spin_unlock_irq(&cf->wait.lock);
	pvx_timer_del_sync(&cf->timer);
}

static void start_timer(struct clock_file *cf, const struct pvx_clock_timer *set)
{
	u64 from = set->flags & PVX_TIMER_ABSTIME ? 0 : pvx_clock_read(set->cpu);

	spin_lock_irq(&cf->wait.lock);
	cf->timer.cpu = set->cpu;
	cf->expired = false;
	cf->expires = from + set->value_ns;
	cf->interval = set->interval_ns;
	cf->defer_max = set->defer_max_ns;
	if (set->value_ns)
		pvx_timer_mod(&cf->timer, cf->expires, cf->defer_max);
	spin_unlock_irq(&cf->wait.lock);
}

static long set_time(struct clock_file *cf, void __user *arg)
{
	struct pvx_clock_timer set;
	int err = copy_in(&set, sizeof(set), arg);

	if (err)
		return err;
	if (set.flags & ~PVX_TIMER_ABSTIME || set.reserved ||
	    set.value_ns < 0 || set.interval_ns < 0 || set.defer_max_ns < 0 ||
	    !take_cpu(&set.cpu))
		return -EINVAL;
	mutex_lock(&cf->setting);
	stop_timer(cf);
	start_timer(cf, &set);
	mutex_unlock(&cf->setting);
	return 0;
}

/* Until the next expiration; 0 if there will be none. */
static u64 remaining(struct clock_file *cf)
{
	u64 now, passed;

	if (!cf->expired || !cf->interval)
		return pvx_timer_remaining(&cf->timer);
	/* It is set anew when that is read. */
	now = pvx_clock_read(cf->timer.cpu);
	passed = now > cf->expires ? now - cf->expires : 0;
	return cf->interval - passed % cf->interval;
}

static long get_time(struct clock_file *cf, void __user *arg)
{
	struct pvx_clock_timer got;
	int err = copy_in(&got, sizeof(got), arg);

	if (err)
		return err;
	mutex_lock(&cf->setting);
	spin_lock_irq(&cf->wait.lock);
	got.flags = 0;
	got.cpu = cf->timer.cpu;
	got.reserved = 0;
	got.value_ns = remaining(cf);
	got.interval_ns = cf->interval;
	got.defer_max_ns = cf->defer_max;
	spin_unlock_irq(&cf->wait.lock);
	mutex_unlock(&cf->setting);
	return copy_to_user(arg, &got, sizeof(got)) ? -EFAULT : 0;
}

static long clock_ioctl(struct posix_clock_context *context, unsigned int cmd,
			unsigned long arg)
{
	struct clock_file *cf = context->private_clkdata;

	switch (cmd) {
	case PVX_CLOCK_READ:
		return read_clock((void __user *)arg);
	case PVX_CLOCK_SETTIME:
		return set_time(cf, (void __user *)arg);
	case PVX_CLOCK_GETTIME:
		return get_time(cf, (void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static int clock_gettime(struct posix_clock *clock, struct timespec64 *ts)
{
	*ts = ns_to_timespec64(pvx_clock_read(PVX_CLOCK_SYSTEM));
	return 0;
}

/* As CLOCK_MONOTONIC; how fine the host's record is, nobody says. */
static int clock_getres(struct posix_clock *clock, struct timespec64 *ts)
{
	*ts = (struct timespec64){ .tv_nsec = hrtimer_resolution };
	return 0;
}

static struct posix_clock clock = {
	.ops = {
		.owner		= THIS_MODULE,
		.clock_gettime	= clock_gettime,
		.clock_getres	= clock_getres,
		.open		= clock_open,
		.release	= clock_release,
		.read		= clock_dev_read,
		.poll		= clock_poll,
		.ioctl		= clock_ioctl,
	},
};

static char *clock_devnode(const struct device *dev, umode_t *mode)
{
	/* For everybody: who has the file can have the time, and a timer. */
	if (mode)
		*mode = 0666;
	/*
	 * posix_clock_register() says so too late for who opens the file as soon
	 * as it is there, and cdev_init() would undo it any earlier.
	 */
	clock.cdev.owner = THIS_MODULE;
	return NULL;
}

static struct class clock_class = {
	.name		= "pvx_clock",
	.devnode	= pvx_devnode(clock_devnode),
};

static void release_device(struct device *dev)
{
	kfree(dev);
}

static int add_device(dev_t devt)
{
	struct device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	int err;

	if (!dev)
		return -ENOMEM;
	device_initialize(dev);
	dev->devt = devt;
	dev->class = &clock_class;
	dev->release = release_device;
	err = dev_set_name(dev, "pvx_clock");
	clock.dev = dev;	/* for those, too */
	if (!err)
		err = posix_clock_register(&clock, dev);
	if (err)
		put_device(dev);
	return err;
}

static dev_t clock_devt;

int pvx_clock_dev_init(void)
{
	int err = alloc_chrdev_region(&clock_devt, 0, 1, "pvx_clock");

	if (err)
		return err;
	err = class_register(&clock_class);
	if (err)
		goto region;
	err = add_device(clock_devt);
	if (!err)
		return 0;
	class_unregister(&clock_class);
region:
	unregister_chrdev_region(clock_devt, 1);
	pr_err("cannot create /dev/pvx_clock (%d)\n", err);
	return err;
}

void pvx_clock_dev_exit(void)
{
	posix_clock_unregister(&clock);
	class_unregister(&clock_class);
	unregister_chrdev_region(clock_devt, 1);
}
