# SPDX-License-Identifier: GPL-2.0
#
# Guest's part of the fork cases in memory that the host does not back: see host-fork.sh,
# which asks for each step.
. "$PVX_TOP/selftests/ksm/asked-guest.sh"
writes=$PVX_TOP/build/selftests/fork/writes
modprobe virtio_balloon && insmod "$PVX_BUILD/guest/pvx_guest_fork.ko" || exit
counters=/sys/kernel/debug/pvx_guest/fork

filled() {
	local i
	for i in $(seq 1200); do
		[ ! -e /run/filled ] || return 0
		sleep 0.1
	done
	return 1
}

act() { # WHAT [MODE]
	case $1 in
	fill)
		rm -f /run/filled /run/go
		rmmod pvx_guest_fork && insmod "$PVX_BUILD/guest/pvx_guest_fork.ko" || return
		"$writes" 256 "$2" child both /run >/run/writes & pid=$!
		filled && echo filled ;;
	go)
		touch /run/go
		wait $pid && cat /run/writes $counters ;;
	end) echo ended ;;
	esac
}
do_what_is_asked act
