#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# All vCPUs yield without pause, each for the sake of the next, but while the host's script says
# that they are to be calm. A guest script for lab run --modules pvx_host,pvx_host_yield,pvx_guest.
host=$PVX_OUT/../host
insmod "$PVX_BUILD/selftests/abi/pvx_abitest.ko" target=4294967295 flood_ms=3600000 || exit
# What the host asks for is done at once, whatever all vCPUs do.
renice -n -20 -p $$ >/dev/null

flood() {
	local cpu
	for cpu in $(seq 0 $(($(nproc) - 1))); do
		nice -n 20 taskset -c "$cpu" cat /sys/kernel/debug/pvx_abitest/flood >/dev/null &
	done
}

touch "$PVX_OUT/begun"
until [ -e "$host/through" ]; do
	if [ -e "$host/calm" ]; then
		pkill -x cat
	elif ! pgrep -x cat >/dev/null; then
		flood
	fi
	sleep 0.5
done
pkill -x cat
exit 0
