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

# bulk ADDRESS SECONDS MBIT BLOCK: eight connections, each offered so many Mbit/s, which is
# less than it could carry: what a CPU that is busy carries tells of the emulator's pace,
# which changes by half from one transfer to the next. Prints goodput in kbit/s: what had
# arrived when the time was over. iperf3 offers whole blocks at their times, so the time
# should end in the middle between two of them; then the goodput of two transfers that kept
# up is the same to the byte, and one block of one connection that is late shows.
bulk() {
	iperf3 --json -c "$1" -t "$2" -P 8 -b "$3M" -l "$4" >"$PVX_OUT/iperf3" || return
	awk -F '[:,]' -v seconds="$2" '/"sum_received"/ { sum = 1 }
		sum && /"bytes"/ { printf "%.1f\n", $2 * 8 / 1000 / seconds; exit }' "$PVX_OUT/iperf3"
}
