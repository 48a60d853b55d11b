#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The slow path is replaced when the host steals time and not when it does not,
# and changing that under load harms nothing. A guest script.
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/lock/load.sh"
. "$PVX_TOP/selftests/lib/events.sh"
threshold=/sys/module/pvx_guest_lock/parameters/steal_permille
tracing=/sys/kernel/tracing

load_begin
echo 1000000 >$threshold
check "events are traced" events_begin pvx_guest:lock_engaged
check "off when too little is stolen" becomes 0
sleep 1	# those that were on their way are through
before=$(stat waits)
sleep 0.5
check "and stock it is" [ "$(stat waits)" = "$before" ]
echo 200 >$threshold
check "on when time is stolen" becomes 1
check "which is one" eventually event_seen lock_engaged 'engaged=1 steal_permille=[1-9][0-9]*'
events_end
before=$(stat waits)
has_waited() { [ "$(stat waits)" -gt "$before" ]; }
yields() { grep -Eq 'lock_yield: lock=[0-9a-f]+ target=[0-9]+ status=-?[0-9]+' $tracing/trace; }
echo 1 >$tracing/events/pvx_guest/lock_yield/enable
check "it is the replacement" eventually has_waited
check "whose yields are traced" eventually yields
echo 0 >$tracing/events/pvx_guest/lock_yield/enable

most=/sys/module/pvx_guest_lock/parameters/max_losses
starves() {
	local status
	echo 1 >$most
	eventually event_seen lock_starved 'lock=[0-9a-f]+ losses=[0-9]+'; status=$?
	echo 16 >$most
	return $status
}
check "events are traced" events_begin pvx_guest:lock_starved
check "who starves is one" starves
events_end

# The hooks come out a while after the last waiter went over to stock, and
# ftrace does not stop before.
stop_ftrace() { echo 0 2>/dev/null >$ftrace; }

# Where it cannot hook it stays out, says so once, and tries again.
complaints() { dmesg | grep -c 'cannot replace the spinlock slow path'; }
ftrace=/proc/sys/kernel/ftrace_enabled
rmmod pvx_guest_timer	# its hooks are always in
echo 1000000 >$threshold
check "off once more" becomes 0
check "ftrace stops when the hooks are out" eventually stop_ftrace
echo 200 >$threshold
sleep 4
check "off where ftrace is" [ "$(stat engaged)" = 0 ]
check "which is said once" [ "$(complaints)" = 1 ]
rmmod pvx_guest_lock
check "it does not load there" bash -c '! insmod "$1" 2>/dev/null' - "$PVX_BUILD/guest/pvx_guest_lock.ko"
check "and says so" [ "$(complaints)" = 2 ]
echo 1 >$ftrace
check "it loads where ftrace is on" insmod "$PVX_BUILD/guest/pvx_guest_lock.ko"
check "and is on when time is stolen" becomes 1

load_held; status=$?
check "and no lock let two in, of stock's and of ours" [ $status -eq 0 ]
tap_done
