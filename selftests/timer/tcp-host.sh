#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A host script: a peer for the guests' TCP, and bursts when they ask for them.
. "$PVX_TOP/selftests/timer/bursts.sh"

# What guest 1 has sent by now, as often as a plot needs it.
watch_goodput() {
	local never
	exec {never}<> <(:)
	until [ -e /sys/class/net/tap1 ]; do sleep 0.2; done
	while :; do
		read -r -t 0.05 -u "$never"
		echo "$EPOCHREALTIME $(</sys/class/net/tap1/statistics/rx_bytes)"
	done >"$PVX_OUT/goodput"
}

stand_aside
iperf3 -s >"$PVX_OUT/iperf3" &
"$PVX_TOP/build/selftests/timer/echo" serve 5001 &
watch_goodput &
bursts_main
