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
