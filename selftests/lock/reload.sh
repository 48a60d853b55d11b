#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The guest's modules loaded and unloaded under lock load. A guest script.
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/lock/load.sh"
. "$PVX_TOP/selftests/lib/faults.sh"
cycles=${RELOAD_CYCLES:-10}

load_begin

failed=0
for i in $(seq "$cycles"); do
	rmmod pvx_guest_timer pvx_guest_lock pvx_guest &&
		insmod "$PVX_BUILD/guest/pvx_guest.ko" &&
		insmod "$PVX_BUILD/guest/pvx_guest_lock.ko" &&
		insmod "$PVX_BUILD/guest/pvx_guest_timer.ko" || failed=$((failed + 1))
	[ $((i % 10)) -ne 0 ] || echo "# $i cycles"
done
check "$cycles cycles under load" [ $failed -eq 0 ]
works() { [ "$(stat waits)" -gt 0 ]; }
check "the last one works" eventually works
load_held; status=$?
check "and no lock let two in" [ $status -eq 0 ]

if [ -e $fail_nth ]; then
	rmmod pvx_guest_timer
	check "pvx_guest_timer while allocations fail" loads_or_not pvx_guest_timer
else
	tap_skip "pvx_guest_timer while allocations fail" "not built with PVX_FAULTS=y"
fi
tap_done
