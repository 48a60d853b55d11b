# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Lock load that finds out when a lock let two in: short runs of the torture, one
# after the other, while something else is tested, and what the slow path does. To be sourced.

stat() { sed -n "s/^$1=//p" /sys/kernel/debug/pvx_guest/lock; } # KEY

eventually() { # COMMAND...: tries for half a minute
	local i
	for i in $(seq 120); do
		"$@" && return
		sleep 0.25
	done
	return 1
}

is() { [ "$(stat engaged)" = "$1" ]; } # 0|1: the replacement is off or on
becomes() { eventually is "$1"; }

load_begin() {
	insmod "$PVX_BUILD/selftests/lock/pvx_locktest.ko" ms=2000 || return
	(
		until [ -e "$PVX_OUT/load.end" ]; do
			cat /sys/kernel/debug/pvx_locktest/torture || exit
		done >"$PVX_OUT/load"
	) &
	load=$!
	sleep 0.5
}

# load_held: ends it; whether there were runs, and each was right.
load_held() {
	touch "$PVX_OUT/load.end"
	wait $load || return
	sort "$PVX_OUT/load" | uniq -c | grep errors=
	grep -q '^errors=0$' "$PVX_OUT/load" && ! grep '^errors=' "$PVX_OUT/load" | grep -v '^errors=0$'
}
