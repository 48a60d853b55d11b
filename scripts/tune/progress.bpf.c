// SPDX-License-Identifier: GPL-2.0
/*
 * How much the processes of this machine have done: reads and writes that they asked for
 *
 * The kernel counts these for each thread anyway. They are added up when somebody wants to know;
 * until then nothing is run but what notes the count of a thread that ends.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* What is used of the kernel's types; CO-RE finds where that is. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct task_io_accounting {
	__u64 syscr;
	__u64 syscw;
};
struct task_struct {
	unsigned int flags;
	struct task_io_accounting ioac;
};
struct bpf_iter_meta;
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};
#pragma clang attribute pop

/* From then on a thread counts among those that have ended. */
#define PF_EXITING	0x4

/* Of the threads that there are, added up anew each time that the iterator is read; */
__u64 alive;
/* and of those that have ended since. */
__u64 ended;

static __u64 calls_of(const struct task_struct *task)
{
	return task->ioac.syscr + task->ioac.syscw;
}

SEC("iter/task")
int add_threads(struct bpf_iter__task *ctx)
{
	const struct task_struct *task = ctx->task;

	if (task && !(task->flags & PF_EXITING))
		alive += calls_of(task);
	return 0;
}

SEC("tp/sched/sched_process_exit")
int on_end(void *ctx)
{
	__sync_fetch_and_add(&ended, calls_of(bpf_get_current_task_btf()));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
