#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Mutual exclusion of the replaced slow path: task, softirq, hardirq and NMI
# contexts on all CPUs, with CPU hotplug beside it. A guest script for lab run.
. "$PVX_TOP/selftests/lib/tap.sh"
debugfs=/sys/kernel/debug
seconds=${TORTURE_SECONDS:-8}

torture() { # sets what the test's module prints
	errors= tasks= softirqs= hardirqs= nmis=
	insmod "$PVX_BUILD/selftests/lock/pvx_locktest.ko" ms=$((seconds * 1000)) || return
	cat $debugfs/pvx_locktest/torture >"$PVX_OUT/tortured"
	rmmod pvx_locktest
	sed 's/^/# /' "$PVX_OUT/tortured"
	eval "$(cat "$PVX_OUT/tortured")"
}

held() { [ "${errors:-1}" -eq 0 ] && [ "${tasks:-0}" -gt 0 ]; }

stat() { sed -n "s/^$1=//p" $debugfs/pvx_guest/lock; }

online() { echo "$2" 2>/dev/null >"/sys/devices/system/cpu/cpu$1/online"; } # CPU 0|1

hotplug() { # until told to end; notes each CPU that went
	local cpu
	while :; do
		for cpu in 1 3 2; do
			online $cpu 0 && echo $cpu >>"$PVX_OUT/gone"
			sleep 0.7
			online $cpu 1
			sleep 0.3
		done
	done
}

# Always replaced, so that the test does not depend on what the host steals.
echo 0 >/sys/module/pvx_guest_lock/parameters/steal_permille
sleep 1.2

torture
check "no lock let two in or lost an update" held
check "tasks took locks" [ "${tasks:-0}" -gt 0 ]
check "softirqs took locks" [ "${softirqs:-0}" -gt 0 ]
check "hardirqs took locks" [ "${hardirqs:-0}" -gt 0 ]
check "NMIs took locks" [ "${nmis:-0}" -gt 0 ]
waits=$(stat waits)
check "the slow path was the replaced one ($waits waits)" [ "$waits" -gt 1000 ]

# Every waiter starves at once: the pending bit and its passing on.
echo 1 >/sys/module/pvx_guest_lock/parameters/max_losses
starved=$(stat starved) passed=$(stat passed)
torture
check "nor while all waiters starve" held
starved=$(($(stat starved) - starved)) passed=$(($(stat passed) - passed))
check "waiters starved ($starved)" [ "$starved" -gt 100 ]
check "the pending bit was passed on ($passed)" [ "$passed" -gt 0 ]
echo 16 >/sys/module/pvx_guest_lock/parameters/max_losses

hotplug & plug=$!
torture
kill $plug
wait $plug 2>/dev/null
check "nor while CPUs come and go" held
check "which they did" [ -s "$PVX_OUT/gone" ]
for cpu in 1 2 3; do
	online $cpu 1
done
check "all CPUs are back" [ "$(nproc)" -eq 4 ]
echo "#" $(grep -E '^(waits|yields|boosted|overflows)=' $debugfs/pvx_guest/lock)
tap_done
