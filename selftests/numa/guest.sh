#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Two processes of two threads, each on two vCPUs and with memory of its own; does what
# host.sh asks for.
. "$PVX_TOP/selftests/ksm/asked-guest.sh"
. "$PVX_TOP/selftests/numa/begin.sh"
counters=/sys/kernel/debug/pvx_guest/numa

run_on() { # GROUP GROUP
	local task
	for task in /proc/$(cat /run/work.$1)/task/*; do
		taskset -p -c "$(cat /run/cpus.$2)" "${task##*/}" || return
	done >/dev/null
}

act() { # WHAT
	case $1 in
	begin) begin "$2" "$3" && echo begun ;;
	run-on) # where these groups began, groups 0 and 1 run now
		run_on 0 "$2" && run_on 1 "$3" && echo runs ;;
	load) insmod "$PVX_BUILD/guest/pvx_guest_numa.ko" permille="$2" && echo loaded ;;
	unload) rmmod pvx_guest_numa && echo unloaded ;;
	counters) cat $counters ;;
	counters-are-there) [ -e $counters ] && echo there ;;
	nodes) cd /sys/kernel/pvx_numa && grep -H . changes nodes node0 node1 | tr '\n' ' ' ;;
	end) kill $(cat /run/work.*); echo ended ;;
	esac
}
do_what_is_asked act
