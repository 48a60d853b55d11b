#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Mutual exclusion of the replaced slow path: task, softirq, hardirq and NMI
# contexts on all CPUs, with CPU hotplug beside it. A guest script for lab run.
. "$PVX_TOP/selftests/lib/tap.sh"
debugfs=/sys/kernel/debug
seconds=${TORTURE_SECONDS:-12}

torture() { # prints key=value lines
	insmod "$PVX_BUILD/selftests/lock/pvx_locktest.ko" ms=$((seconds * 1000)) || return
	cat $debugfs/pvx_locktest/torture
	rmmod pvx_locktest
}

hotplug() { # until told to end
	local cpu
	while :; do
		for cpu in 1 3 2; do
			echo 0 2>/dev/null >"/sys/devices/system/cpu/cpu$cpu/online"
			sleep 0.7
			echo 1 2>/dev/null >"/sys/devices/system/cpu/cpu$cpu/online"
			sleep 0.3
		done
	done
}

# Always replaced, so that the test does not depend on what the host steals.
echo 0 >/sys/module/pvx_guest_lock/parameters/steal_permille
sleep 1.2

result=$(torture)
echo "$result" | sed 's/^/# /'
eval "$result"
check "no lock let two in or lost an update" [ "${errors:-1}" -eq 0 ]
check "tasks took locks" [ "${tasks:-0}" -gt 0 ]
check "softirqs took locks" [ "${softirqs:-0}" -gt 0 ]
check "hardirqs took locks" [ "${hardirqs:-0}" -gt 0 ]
check "NMIs took locks" [ "${nmis:-0}" -gt 0 ]
eval "$(cat $debugfs/pvx_guest/lock)"
check "the slow path was the replaced one ($waits waits)" [ "$waits" -gt 1000 ]

# Every waiter starves at once: the pending bit and its passing on.
echo 1 >/sys/module/pvx_guest_lock/parameters/max_losses
eval "$(torture)"
check "nor while all waiters starve" [ "$errors" -eq 0 ]
eval "$(cat $debugfs/pvx_guest/lock)"
check "waiters starved ($starved)" [ "$starved" -gt 100 ]
check "the pending bit was passed on ($passed)" [ "$passed" -gt 0 ]
echo 16 >/sys/module/pvx_guest_lock/parameters/max_losses

hotplug & plug=$!
eval "$(torture)"
kill $plug
wait $plug 2>/dev/null
check "nor while CPUs come and go" [ "$errors" -eq 0 ]
for cpu in 1 2 3; do
	echo 1 2>/dev/null >"/sys/devices/system/cpu/cpu$cpu/online"
done
check "all CPUs are back" [ "$(nproc)" -eq 4 ]
eval "$(cat $debugfs/pvx_guest/lock)"
echo "# waits=$waits yields=$yields boosted=$boosted overflows=$overflows"
tap_done
