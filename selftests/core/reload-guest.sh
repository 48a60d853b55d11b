#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Calls all the time while the host's modules come and go: see reload-host.sh.
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/lib/events.sh"
debugfs=/sys/kernel/debug

check "events are traced" events_begin pvx_guest:features_changed
# Lock load makes yields, and the flood makes them without pause.
insmod "$PVX_BUILD/selftests/lock/pvx_locktest.ko" ms=3600000
cat $debugfs/pvx_locktest/bench >/dev/null &
insmod "$PVX_BUILD/selftests/abi/pvx_abitest.ko" flood_ms=2000 target=1
until [ -e "$PVX_OUT/../host/through" ]; do
	cat $debugfs/pvx_abitest/flood >>"$PVX_OUT/flood" || break
done
total() { awk -F= -v key="$1" '$1 == key { n += $2 } END { print n + 0 }' "$PVX_OUT/flood"; }
served=$(($(total boosted) + $(total running) + $(total idle) + $(total declined) + $(total woken)))
check "the host reloaded its modules" [ "$(cat "$PVX_OUT/../host/through")" = 0 ]
check "calls found it there ($served)" [ $served -gt 0 ]
check "and not ($(total enosys))" [ "$(total enosys)" -gt 0 ]
check "and none had another answer" [ "$(total errors)" -eq 0 ]
found() { # waits for the next negotiation
	local i
	for i in 1 2 3 4 5; do
		[ "$(cat $debugfs/pvx_guest/features)" = 0x1 ] && return
		sleep 1
	done
	return 1
}
check "the feature is found again" found
check "that it comes is an event" event_seen features_changed features=0x1
events_end
eval "$(cat $debugfs/pvx_guest/lock)"
before=$yields
sleep 3
eval "$(cat $debugfs/pvx_guest/lock)"
check "and used again ($((yields - before)) yields)" [ "$yields" -gt "$before" ]
tap_done
