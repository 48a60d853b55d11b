#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Timers and clocks where there are several CPUs: what kernel modules may do with
# them, and CPUs that come and go under bursts. A guest script, for
# lab run --guest-cpus 2 --host-script selftests/timer/bursts-host.sh
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/timer/bursts-guest.sh"
bin=$PVX_TOP/build/selftests/timer
cycles=10

count() { sed -n "s/^$1=//p" /sys/kernel/debug/pvx_guest/timer; }
value() { sed -n "s/^$1=//p" "$PVX_OUT/$2"; } # KEY FILE
online() { echo "$1" >/sys/devices/system/cpu/cpu1/online; }

# Time is stolen from CPU 0, since it wants to run.
taskset -c 0 nice -n 19 bash -c 'while :; do :; done' & load=$!
insmod "$PVX_BUILD/selftests/timer/pvx_timertest.ko"
bursts 2 500 500	# so that there is steal that can go back
before=$(count odd)
ask_bursts 12 50 800
taskset -c 0 cat /sys/kernel/debug/pvx_timertest/run >"$PVX_OUT/tests"
while IFS== read -r name as_it_should; do
	check "a timer ${name//_/ }" [ "$as_it_should" = 1 ]
done < <(sed 's/^ignores/whose clock &/' "$PVX_OUT/tests")
check "there were such tests" [ "$(wc -l <"$PVX_OUT/tests")" -ge 15 ]
# There and back thrice. A burst in the middle may make a jump believable, and CPU 1 may lose
# its host CPU while it reads, and CPU 0 then reads nothing.
odd=$(($(count odd) - before))
echo "# readings not believed: $odd of 6"
check "what was not to be believed is counted" [ $odd -ge 3 -a $odd -le 6 ]
check "the module stays while another uses it" bash -c '! rmmod pvx_guest_timer'
wait_bursts

# Half a second in which the kernel's core is suspended, which wants one CPU online.
online 0
check "the core is suspended" eval 'taskset -c 0 cat /sys/kernel/debug/pvx_timertest/suspend >"$PVX_OUT/suspended"'
echo "#" $(cat "$PVX_OUT/suspended")
check "CLOCK_MONOTONIC stands meanwhile" [ "$(value monotonic_us suspended)" -lt 250000 ]
check "the clock does not go back" [ "$(value clock_us suspended)" -ge 0 ]
check "and stands, too" [ "$(value clock_us suspended)" -le "$(value monotonic_us suspended)" ]
online 1
before=$(count stolen_ns)
bursts 2 500 500
check "what is stolen after that counts" [ $(($(count stolen_ns) - before)) -ge 500000000 ]
rmmod pvx_timertest

# Somebody reads all clocks, and somebody has timers, while CPU 1 comes and goes.
before=$(count odd)
ask_bursts 20 50 800
"$bin/watch" $((cycles * 1000)) -1 0 1 >"$PVX_OUT/watched" & watcher=$!
"$bin/expiries" -1 50 $((cycles * 8)) >"$PVX_OUT/expired" & timers=$!
"$bin/expiries" 1 50 $((cycles * 8)) >"$PVX_OUT/expired1" & timers1=$!
failed=0
for i in $(seq "$cycles"); do
	online 0 && sleep 0.4 && online 1 && sleep 0.4 || failed=$((failed + 1))
done
check "CPU 1 comes and goes $cycles times" [ $failed = 0 ]
wait $watcher $timers $timers1
wait_bursts
echo "#" $(cat "$PVX_OUT/watched")
check "no clock goes back" [ "$(value back watched)" = 0 ]
check "none is ahead of CLOCK_MONOTONIC" [ "$(value ahead watched)" = 0 ]
check "no timer on the guest's clock is early" [ "$(value early expired)" = 0 ]
check "no timer on CPU 1's clock is early" [ "$(value early expired1)" = 0 ]
check "and each reading was believed" [ "$(count odd)" = "$before" ]

kill $load
online 0
check "the module goes while a CPU is offline" rmmod pvx_guest_timer
check "and comes" insmod "$PVX_BUILD/guest/pvx_guest_timer.ko"
online 1
"$bin/watch" 1000 -1 0 1 >"$PVX_OUT/watched"
check "then no clock goes back" [ "$(value back watched) $(value ahead watched)" = "0 0" ]
tap_done
