#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# VM 1 computes on all its vCPUs, VM 2 floods the host with directed yields
# from all of its, or spins when it is told to: see isolation-host.sh.
cpus=$(nproc)
spins=/sys/module/pvx_abitest/parameters/flood_spins
# Each CPU yields for the sake of the next.
insmod "$PVX_BUILD/selftests/abi/pvx_abitest.ko" flood_ms=1000000 target=4294967295

compute() {
	while :; do :; done
}

flood() { # CPU
	exec taskset -c "$1" cat /sys/kernel/debug/pvx_abitest/flood
}

for cpu in $(seq 0 $((cpus - 1))); do
	if [ "$PVX_GUEST" = 1 ]; then compute & else flood "$cpu" >/dev/null & fi
done
# What the host asks for is done at once, whatever all CPUs do.
renice -n -20 -p $$ >/dev/null
touch "$PVX_OUT/busy"
until [ -e "$PVX_OUT/../host/measured" ]; do
	wanted=$(cat "$PVX_OUT/../host/flood_spins" 2>/dev/null)
	if [ "$wanted" != "$told" ]; then
		echo "$wanted" >$spins
		told=$wanted
		echo "$told" >"$PVX_OUT/flood_spins"
	fi
	sleep 0.2
done
