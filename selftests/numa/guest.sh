#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Processes of two threads, each on some vCPUs and with memory of its own; does what host.sh
# asks for.
. "$PVX_TOP/selftests/ksm/asked-guest.sh"
. "$PVX_TOP/selftests/numa/begin.sh"
. "$PVX_TOP/selftests/lib/events.sh"
. "$PVX_TOP/selftests/numa/uses.sh"
counters=/sys/kernel/debug/pvx_guest/numa
call=/sys/kernel/debug/pvx_abitest/call

# Refused, so that what the host knows stays true; without a program for each call.
flood() {
	while :; do cat $(yes $call | head -n 200); done
}
# The vCPUs of two groups change places every two seconds, and the host is told at once.
flap() {
	local page
	answers 8 $negotiate 1 8
	find_blocks 0 1
	at=0 claim 0 0 1 1
	at=1 claim 1 1 0 0
	while :; do
		for page in 0 1; do
			answers 0 $numa $((gpa + page * 4096)) "$claimed" 24
			sleep 2
		done
	done
}
in_background() { # COMMAND
	"$1" >/dev/null &
	echo $! >/run/work.calls
}

new_memory() { ls -d /sys/devices/system/memory/memory* | grep -vxFf /run/memory; }

act() { # WHAT
	case $1 in
	begin)
		# A guest as small as this one has none unless it is told.
		[ "${4:-}" != huge ] || echo madvise >/sys/kernel/mm/transparent_hugepage/enabled
		begin "$2" "$3" ${4:-} && echo begun ;;
	load) insmod "$PVX_BUILD/guest/pvx_guest_numa.ko" permille="$2" && echo loaded ;;
	unload) rmmod pvx_guest_numa && echo unloaded ;;
	counters) cat $counters ;;
	counters-are-there) [ -e $counters ] && echo there ;;
	trace) events_begin pvx_guest:numa_sent && echo traces ;;
	traced)
		event_seen numa_sent 'entries=[1-9][0-9]* ret=0' >/dev/null && events_end &&
			echo traced ;;
	nodes) (cd /sys/kernel/pvx_numa && grep -H . changes nodes node0 node1) | tr '\n' ' ' ;;
	await) "$PVX_TOP/build/selftests/numa/await" "$2" "$PVX_OUT/awaits" ;;
	flood)
		list 0 0 1 0 0 0 1 0 && answers -3001 $numa "$gpa" 2 24 >/dev/null || return
		in_background flood
		echo floods ;;
	flap) in_background flap; echo flaps ;;
	calm)
		kill "$(cat /run/work.calls)" && wait "$(cat /run/work.calls)"
		rm /run/work.calls
		echo calm ;;
	rest) # for so many seconds no process runs, and nobody looks for a question
		kill -STOP $(cat /run/work.[0-9]*) || return
		read -rt "$2" <&"$never"
		kill -CONT $(cat /run/work.[0-9]*) || return
		echo rested ;;
	stop) kill "$(cat "/run/work.$2")" && rm "/run/work.$2" && echo stopped ;;
	set-cpu) echo "$3" >"/sys/devices/system/cpu/cpu$2/online" && echo set ;;
	# In blocks, whose memory can be taken out again.
	await-memory)
		echo online_movable >/sys/devices/system/memory/auto_online_blocks &&
			ls -d /sys/devices/system/memory/memory* >/run/memory && echo awaits ;;
	has-memory) [ -n "$(new_memory)" ] && echo has ;;
	leave-memory)
		for block in $(new_memory); do echo offline >"$block/state" || return; done
		echo left ;;
	load-balloon) modprobe virtio_balloon && echo loaded ;;
	end) kill $(cat /run/work.*); echo ended ;;
	esac
}
do_what_is_asked act
