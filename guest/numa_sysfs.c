// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/pvx_numa: which CPUs are on one node of the host's, for programs
 *
 * The host keeps that in a page of ours. "changes" is another number when it has
 * changed, and may be waited for by poll(2). Without the grant nothing is known: a host that
 * is without our modules now, or is another one since a migration, leaves the page as it was.
 */
#include <linux/cpumask.h>
#include <linux/kobject.h>
#include <linux/smp.h>
#include <linux/sysfs.h>

#include <linux/kvm_pvx.h>

#include "fault.h"
#include "numa_sysfs.h"
#include "pvx_guest.h"

/* So often it is tried to read what the host does not change meanwhile. */
#define READ_TRIES	100

static const struct pvx_numa_nodes *nodes;
static struct kobject *folder;
/* What there was when it was looked last, and how often the grant came or went by then. */
static u32 seen;
static bool was_granted;
static u32 grants;

/* The host writes at any time: what was read counts if the number was even, and still is it. */
static bool begin_read(u32 *seq)
{
	*seq = READ_ONCE(nodes->seq);
	smp_rmb();
	return !(*seq & 1);
}

static bool end_read(u32 seq)
{
	smp_rmb();
	return READ_ONCE(nodes->seq) == seq;
}

static void cpus_of(u32 node, struct cpumask *cpus)
{
	int cpu;
	u32 id;

	cpumask_clear(cpus);
	for_each_present_cpu(cpu) {
		id = cpu_physical_id(cpu);
		if (id < PVX_NUMA_VCPUS && READ_ONCE(nodes->node[id]) == node)
			cpumask_set_cpu(cpu, cpus);
	}
}

/* False if the host is at it all the time. Without the grant @cpus stays empty. */
static bool read_cpus(u32 node, struct cpumask *cpus)
{
	int tries = READ_TRIES;
	u32 seq;

	if (!pvx_guest_has(PVX_F_NUMA))
		return true;
	while (tries--) {
		if (!begin_read(&seq))
			continue;
		cpus_of(node, cpus);
		if (end_read(seq))
			return true;
	}
	return false;
}

static ssize_t changes_show(struct kobject *kobj, struct kobj_attribute *attribute, char *buffer)
{
	return sysfs_emit(buffer, "%u\n", READ_ONCE(nodes->seq) / 2 + READ_ONCE(grants));
}

static ssize_t nodes_show(struct kobject *kobj, struct kobj_attribute *attribute, char *buffer)
{
	const u32 n = pvx_guest_has(PVX_F_NUMA) ? READ_ONCE(nodes->nodes) : 0;

	return sysfs_emit(buffer, "%u\n", n);
}

static ssize_t cpus_show(struct kobject *kobj, struct kobj_attribute *attribute, char *buffer)
{
	cpumask_var_t cpus;
	ssize_t size;
	u32 node;

	if (kstrtou32(attribute->attr.name + strlen("node"), 10, &node) < 0)
		return -EINVAL;
	if (!zalloc_cpumask_var(&cpus, GFP_KERNEL))
		return -ENOMEM;
	if (read_cpus(node, cpus))
		size = sysfs_emit(buffer, "%*pbl\n", cpumask_pr_args(cpus));
	else
		size = -EAGAIN;
	free_cpumask_var(cpus);
	return size;
}

#define NODE(n)	static struct kobj_attribute node##n = __ATTR(node##n, 0444, cpus_show, NULL)
NODE(0); NODE(1); NODE(2); NODE(3); NODE(4); NODE(5); NODE(6); NODE(7);
NODE(8); NODE(9); NODE(10); NODE(11); NODE(12); NODE(13); NODE(14); NODE(15);

static struct kobj_attribute changes = __ATTR_RO(changes);
static struct kobj_attribute how_many = __ATTR(nodes, 0444, nodes_show, NULL);

static struct attribute *attributes[] = {
	&changes.attr, &how_many.attr,
	&node0.attr, &node1.attr, &node2.attr, &node3.attr,
	&node4.attr, &node5.attr, &node6.attr, &node7.attr,
	&node8.attr, &node9.attr, &node10.attr, &node11.attr,
	&node12.attr, &node13.attr, &node14.attr, &node15.attr,
	NULL,
};

static const struct attribute_group group = {
	.attrs = attributes,
};

/**
 * pvx_numa_sysfs_init() - make the files
 * @page: where the host keeps what they tell
 *
 * Context: process context, may sleep.
 * Return: 0 or a negative errno.
 */
int pvx_numa_sysfs_init(const struct pvx_numa_nodes *page)
{
	int err;

	nodes = page;
	folder = kobject_create_and_add("pvx_numa", kernel_kobj);
	if (!folder)
		return -ENOMEM;
	err = sysfs_create_group(folder, &group);
	if (err)
		kobject_put(folder);
	return err;
}

/**
 * pvx_numa_sysfs_look() - wake who waits for a change, if there was one
 *
 * Context: process context, one caller at a time; may sleep.
 */
void pvx_numa_sysfs_look(void)
{
	const bool is_granted = pvx_guest_has(PVX_F_NUMA);
	const u32 seq = READ_ONCE(nodes->seq);

	if (seq == seen && is_granted == was_granted)
		return;
	if (is_granted != was_granted)
		WRITE_ONCE(grants, grants + 1);
	seen = seq;
	was_granted = is_granted;
	sysfs_notify(folder, NULL, "changes");
}

/**
 * pvx_numa_sysfs_exit() - take the files away
 *
 * Context: process context, may sleep.
 */
void pvx_numa_sysfs_exit(void)
{
	sysfs_remove_group(folder, &group);
	kobject_put(folder);
}
