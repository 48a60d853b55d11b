// SPDX-License-Identifier: GPL-2.0
/*
 * What the tools that use BPF share
 */
#include <err.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "tool.h"
#include "tool_bpf.h"

#define VMLINUX_BTF	"/sys/kernel/btf/vmlinux"

static int say_warnings(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

void tool_show_bpf_warnings(void)
{
	libbpf_set_print(say_warnings);
}

void tool_begin_bpf(void)
{
	if (access(VMLINUX_BTF, R_OK))
		err(EXIT_FAILED, VMLINUX_BTF " (this needs a kernel with CONFIG_DEBUG_INFO_BTF)");
	tool_show_bpf_warnings();
}

void tool_check_bpf(int error)
{
	if (error)
		errx(EXIT_FAILED, "BPF programs: %s%s", strerror(-error),
		     error == -EPERM ? " (are you root?)" : "");
}

unsigned long long tool_bpf_missed(const struct bpf_object *programs)
{
	struct bpf_program *program;
	unsigned long long missed = 0;

	bpf_object__for_each_program(program, programs) {
		struct bpf_prog_info info = { 0 };
		__u32 length = sizeof(info);

		/* One of two that this kernel has no use for. */
		if (!bpf_program__autoload(program))
			continue;
		tool_check_bpf(bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &length));
		missed += info.recursion_misses;
	}
	return missed;
}
