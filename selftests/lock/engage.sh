#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The slow path is replaced when the host steals time and not when it does not,
# and changing that under load harms nothing. A guest script.
. "$PVX_TOP/selftests/lib/tap.sh"
threshold=/sys/module/pvx_guest_lock/parameters/steal_permille
tracing=/sys/kernel/tracing
cycles=4

stat() { # KEY
	sed -n "s/^$1=//p" /sys/kernel/debug/pvx_guest/lock
}

becomes() { # 0|1: waits until the replacement is off or on
	local i
	for i in $(seq 120); do
		[ "$(stat engaged)" = "$1" ] && return
		sleep 0.25
	done
	return 1
}

insmod "$PVX_BUILD/selftests/lock/pvx_locktest.ko" ms=3600000
cat /sys/kernel/debug/pvx_locktest/bench >/dev/null & load=$!
for i in $(seq $cycles); do
	echo 1000000 >$threshold
	check "cycle $i: off when too little is stolen" becomes 0
	sleep 1	# those that were on their way are through
	before=$(stat waits)
	sleep 0.5
	check "cycle $i: and stock it is" [ "$(stat waits)" = "$before" ]
	echo 50 >$threshold
	check "cycle $i: on when time is stolen" becomes 1
done
before=$(stat waits)
echo 1 >$tracing/events/pvx_guest/lock_yield/enable
sleep 0.5
echo 0 >$tracing/events/pvx_guest/lock_yield/enable
check "it is the replacement" [ "$(stat waits)" -gt "$before" ]
check "whose yields are traced" \
	grep -Eq 'lock_yield: lock=[0-9a-f]+ target=[0-9]+ status=-?[0-9]+' $tracing/trace
check "the load still runs" kill -0 $load
tap_done
