#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Watchdogs and stolen time: no lockup and no stall is reported of a vCPU that did
# not run, and each that is real is. A guest script, for
# lab run --guest-cpus 2 --host-script selftests/timer/bursts-host.sh
# The bursts take CPU 0; CPU 1 is there to notice that it is silent.
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/timer/bursts-guest.sh"
. "$PVX_TOP/selftests/lib/events.sh"
tries=${TRIES:-2} lockups=${LOCKUPS:-1}
parameters=/sys/module/pvx_guest_timer/parameters

# What is provoked below.
cat >"$PVX_OUT/expected" <<'END'
watchdog: BUG: soft lockup
rcu: INFO: rcu_(preempt|sched) .*detected
Call Trace:
END

# A report on the console takes seconds, in which the VMM works for the guest.
dmesg -n 1
insmod "$PVX_BUILD/selftests/timer/pvx_hang.ko"
echo 1 >/proc/sys/kernel/watchdog_thresh	# a lockup is 2 s
stall_s=$(cat /sys/module/rcupdate/parameters/rcu_cpu_stall_timeout)
stall_after() { echo "$1" >/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout; }
stall_after 3

reports() { dmesg | grep -c "$1"; }
lockup="soft lockup - CPU" stall="INFO: rcu_.* .*detected"

switch() { # PART Y|N
	echo "$2" >"$parameters/$1"
}

# keeps_quiet PATTERN N MS: N bursts of MS, and no report. One at a time: each
# may be caught by another silence.
keeps_quiet() {
	local before i
	before=$(reports "$1")
	for ((i = 0; i < $2; i++)); do
		bursts 1 "$3" "$3"
		sleep 1
	done
	[ "$(reports "$1")" = "$before" ] || { dmesg | grep "$1" | tail -n 3; return 1; }
}

reported() { # PATTERN BEFORE
	[ "$(reports "$1")" -gt "$2" ]
}

# CPU 0 is busy, and all else happens on CPU 1.
taskset -pc 1 $$ >/dev/null
taskset -c 0 bash -c 'while :; do :; done' & load=$!

# Does this host steal as it takes to fool the stock watchdogs? One at a time: the
# report of one appeases the other.
fooled() { # PART PATTERN
	local before i status=1
	before=$(reports "$2")
	switch "$1" N
	for ((i = 0; i < 4 && status; i++)); do
		bursts 1 5000 5000
		sleep 1
		reported "$2" "$before" && status=0
	done
	switch "$1" Y
	return $status
}

check "stock reports a soft lockup that was none" fooled soft_lockup "$lockup"
check "stock reports a stall that was none" fooled rcu_stall "$stall"
check "events are traced" events_begin pvx_guest:softlockup_corrected pvx_guest:rcu_stall_held
check "no soft lockup is reported in $tries tries" keeps_quiet "$lockup" "$tries" 3500
check "no stall is reported in $tries tries" keeps_quiet "$stall" "$tries" 5000
eval "$(cat /sys/kernel/debug/pvx_guest/timer)"
check "since the watchdog was corrected" [ "$soft_lockup_corrected" -gt 0 ]
check "and RCU's reports were held back" [ "$rcu_stall_held" -gt 0 ]
check "each correction is an event" event_seen softlockup_corrected 'stolen_s=[1-9][0-9]*'
check "and each report held back" event_seen rcu_stall_held 'age_ms=[1-9][0-9]* stolen_ms=[1-9][0-9]*'
events_end
check "which they are no more" [ "$(cat /sys/module/rcupdate/parameters/rcu_cpu_stall_suppress)" = 0 ]

hang=/sys/kernel/debug/pvx_hang
# How much time CPU 0 had by now, in ns.
had_ns() { "$PVX_TOP/build/selftests/timer/example" 0 | sed -n 's/^effective_ns=//p'; }

# report_within MS PATTERN BEFORE: of the CPU's own time since the lockup began
report_within() {
	local began=0 had
	until [ "$began" -gt 0 ]; do began=$(cat $hang/began); done
	while had=$((($(had_ns) - began) / 1000000)); ! reported "$2" "$3"; do
		[ $had -le "$1" ] || { echo "# not reported after $had ms that it had"; return 1; }
		sleep 0.2
	done
	echo "# reported after $had ms that it had"
	[ $had -le "$1" ]
}

# real_lockup PATTERN SEED: half of the time is stolen. Stock needs 2 to 3.4 s for a
# lockup and 3 s for a stall; a second more is for rounding, and twice stock's is for
# when it is not run just now.
real_lockup() {
	local before spinner status
	before=$(reports "$1")
	ask_bursts 10 300 700 "$2"
	taskset -c 0 bash -c "echo 30000 >$hang/spin" & spinner=$!
	report_within 7800 "$1" "$before"; status=$?
	echo 1 >$hang/stop
	wait $spinner
	wait_bursts
	return $status
}

for ((i = 1; i <= lockups; i++)); do
	# Each alone: the report of a stall appeases the other watchdog.
	stall_after "$stall_s"
	sleep 1
	real_lockup "$lockup" $i; status=$?
	check "real lockup $i is reported in time" [ $status -eq 0 ]
	stall_after 3
	sleep 1
	real_lockup "$stall" $i; status=$?
	check "and so is the stall" [ $status -eq 0 ]
done

kill $load
rmmod pvx_hang
stall_after "$stall_s"
tap_done
