#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Calls without pause until the VMM is killed: see kill-host.sh.
insmod "$PVX_BUILD/selftests/lock/pvx_locktest.ko" ms=3600000
cat /sys/kernel/debug/pvx_locktest/bench >/dev/null &
insmod "$PVX_BUILD/selftests/abi/pvx_abitest.ko" flood_ms=1000 target=1
insmod "$PVX_BUILD/guest/pvx_guest_fork.ko" &&
	while "$PVX_TOP/build/selftests/fork/writes" 32 eager; do :; done >/dev/null &
until [ "$(sed -n 's/^by_host=//p' /sys/kernel/debug/pvx_guest/fork)" -gt 0 ]; do sleep 0.1; done
touch "$PVX_OUT/calling"
while :; do cat /sys/kernel/debug/pvx_abitest/flood >/dev/null; done
