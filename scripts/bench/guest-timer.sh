# SPDX-License-Identifier: GPL-2.0
#
# What the guests' parts of the cases of effective time share. Sourced.
. "$PVX_TOP/scripts/bench/guest-common.sh"

arm_module=$PVX_BUILD/guest/pvx_guest_timer.ko
counters=/sys/kernel/debug/pvx_guest/timer

# Guest 2 is there to receive.
be_peer() {
	iperf3 -s >"$PVX_OUT/iperf3" & server=$!
	until [ -e "$PVX_OUT/../guest1/over" ] || [ -e "$PVX_OUT/../guest1/status" ]; do
		sleep 0.5
	done
	kill $server
	exit 0
}
