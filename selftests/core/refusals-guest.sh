#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the guest's modules refuse: a host without steal time. And do calls reach
# host modules that look KVM's symbols up by name? For modules built with
# KSYM=byname,
# lab run --guest-cpus 1 --modules pvx_host,pvx_host_yield,pvx_guest
# --host-script selftests/core/refusals-host.sh
. "$PVX_TOP/selftests/lib/tap.sh"

refused() { # MODULE MESSAGE
	! insmod "$PVX_BUILD/guest/$1.ko" 2>/dev/null && dmesg | grep -qF "$1: $2"
}

check "the host's features are found" [ "$(cat /sys/kernel/debug/pvx_guest/features)" = 0x1 ]
insmod "$PVX_BUILD/selftests/abi/pvx_abitest.ko"
check "and calls are answered" grep -qx ret=0 /sys/kernel/debug/pvx_abitest/call
touch "$PVX_OUT/called"

# MSR_KVM_STEAL_TIME of the only CPU: off, as where the host has none.
modprobe msr
head -c 8 /dev/zero | dd of=/dev/cpu/0/msr bs=8 seek=$((0x4b564d03)) oflag=seek_bytes status=none
check "pvx_guest_lock needs steal time" refused pvx_guest_lock \
	"the host does not tell which vCPUs are preempted (no steal time)"
check "pvx_guest_timer needs steal time" refused pvx_guest_timer \
	"the host does not tell how much time it takes (no steal time)"
until [ -e "$PVX_OUT/../host/refused" ]; do sleep 0.2; done
check "the host refuses what it must" [ "$(cat "$PVX_OUT/../host/refused")" = 0 ]
tap_done
