#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# VM 1 computes on all its vCPUs, VM 2 floods the host with directed yields
# from all of its: see isolation-host.sh.
cpus=$(nproc)
insmod "$PVX_BUILD/selftests/abi/pvx_abitest.ko" flood_ms=1000000

compute() {
	while :; do :; done
}

flood() { # CPU: for the sake of the next
	echo $((($1 + 1) % cpus)) >/sys/module/pvx_abitest/parameters/target
	exec taskset -c "$1" cat /sys/kernel/debug/pvx_abitest/flood
}

for cpu in $(seq 0 $((cpus - 1))); do
	if [ "$PVX_GUEST" = 1 ]; then compute & else flood "$cpu" >/dev/null & fi
	sleep 0.5	# the target is read when the flood begins
done
touch "$PVX_OUT/busy"
until [ -e "$PVX_OUT/../host/measured" ]; do sleep 1; done
