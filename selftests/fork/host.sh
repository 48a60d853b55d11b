#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The host's part of guest.sh and rules.sh: refuses, and reloads its module, as long as these
# ask for it. What helpers copied goes into a file, and whether a list was traced.
. "$PVX_TOP/selftests/lib/events.sh"
guest=$PVX_OUT/../guest1
budget=/sys/module/pvx_host_fork/parameters/pages_per_s
# As many pages per second as the guest's file says.
refuse() {
	local was
	was=$(cat $budget)
	cat "$guest/refuse" >$budget
	touch "$PVX_OUT/refused"
	while [ -e "$guest/refuse" ]; do sleep 0.2; done
	echo "$was" >$budget
	rm "$PVX_OUT/refused"
}
helped() {
	cat /sys/kernel/debug/pvx_host/*/features 2>/dev/null | sed -n 's/^fork_helped=//p' >"$PVX_OUT/helped.new"
	mv "$PVX_OUT/helped.new" "$PVX_OUT/helped"
}
traced() {
	[ -e "$PVX_OUT/traced" ] || event_seen fork_copied \
		'vmm=[1-9][0-9]* vcpu=[01] asked=[1-9][0-9]* paid=[1-9][0-9]* copied=[1-9][0-9]* helped=[0-9]+' \
		>"$PVX_OUT/trace" || return
	[ ! -d "$events" ] || events_end
	touch "$PVX_OUT/traced"
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
events_begin pvx_host_fork:fork_copied
while :; do
	helped
	traced
	[ ! -e "$guest/refuse" ] || refuse
	[ ! -e "$guest/reload" ] || reload
	sleep 0.2
done
