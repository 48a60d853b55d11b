# SPDX-License-Identifier: GPL-2.0
#
# What builds BPF programs, to be included; $(uapi_dir) is the folder with our <linux/...>.
# $(have_bpf) is empty where something is missing for programs that load them: clang, bpftool or
# libbpf.

CLANG ?= clang
# The redirection has make ask a shell, of which "command" is a part.
found = $(shell command -v $(1) 2>/dev/null)
BPFTOOL ?= $(or $(call found,bpftool),/usr/sbin/bpftool)

have_bpf := $(and $(call found,$(CLANG)),$(wildcard $(BPFTOOL)),\
	$(wildcard /usr/include/bpf/libbpf.h))

# Debian has the headers of <asm/> in a folder that clang does not look into for BPF.
compile_bpf = $(CLANG) -g -O2 -Wall -target bpf -D__TARGET_ARCH_x86 -I$(uapi_dir) \
	-I/usr/include/$(shell $(CC) -dumpmachine) -c
