#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The host's part of guest.sh: refuses, and reloads its module, as long as that asks for it.
guest=$PVX_OUT/../guest1
refuse() {
	local was
	was=$(cat /sys/module/pvx_host_fork/parameters/pages_per_s)
	echo 0 >/sys/module/pvx_host_fork/parameters/pages_per_s
	touch "$PVX_OUT/refused"
	while [ -e "$guest/refuse" ]; do sleep 0.2; done
	echo "$was" >/sys/module/pvx_host_fork/parameters/pages_per_s
	rm "$PVX_OUT/refused"
}
reload() {
	local n=0
	while [ -e "$guest/reload" ]; do
		rmmod pvx_host_fork || return
		sleep 0.5
		insmod "$PVX_BUILD/host/pvx_host_fork.ko" || return
		n=$((n + 1))
		sleep 3
	done
	echo $n >"$PVX_OUT/reloaded"
}
while :; do
	[ ! -e "$guest/refuse" ] || refuse
	[ ! -e "$guest/reload" ] || reload
	sleep 0.2
done
