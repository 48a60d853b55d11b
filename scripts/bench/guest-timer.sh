# SPDX-License-Identifier: GPL-2.0
#
# What the guests' parts of the cases of effective time share. Sourced.
. "$PVX_TOP/scripts/bench/guest-common.sh"

arm_stock() {
	[ ! -d /sys/module/pvx_guest_timer ] || rmmod pvx_guest_timer ||
		fail "cannot unload pvx_guest_timer"
}

arm_pvx() {
	arm_stock
	insmod "$PVX_BUILD/guest/pvx_guest_timer.ko" ||
		fail "cannot load pvx_guest_timer"
}

timer_counters() { # PAIR ARM
	[ "$2" = stock ] || record "$1" "$2" </sys/kernel/debug/pvx_guest/timer
}

# Guest 2 is there to receive.
be_peer() {
	iperf3 -s >"$PVX_OUT/iperf3" & server=$!
	until [ -e "$PVX_OUT/../guest1/over" ] || [ -e "$PVX_OUT/../guest1/status" ]; do
		sleep 0.5
	done
	kill $server
	exit 0
}
