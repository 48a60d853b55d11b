#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A vCPU's effective time is the time that its thread ran. A host script, for
# lab run --guest-cpus 1. The vCPU is kept busy for a minute, and for half of
# that a hog takes its CPU, in bursts of 50 to 800 ms.
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/timer/bursts.sh"
guest=$PVX_OUT/../guest1
seconds=60
seed=1
RANDOM=$seed

wait_for() { until [ -e "$guest/$1" ]; do sleep 0.2; done; }
run_time() { cut -d ' ' -f 1 "/proc/$(guest_pid)/task/$(vcpu_thread 0)/schedstat"; }
of() { sed -n "s/^$1=//p" "$guest/clock.$2"; }

wait_for busy
pin_vcpu 0 1 2
# The hogs rest when both sides take their readings: then the clocks go alike,
# and it does not matter that one reads a little later.
touch "$PVX_OUT/begin"
wait_for begun
begin=$(run_time)
sleep 1
stop=$(($(date +%s) + seconds))
while [ "$(date +%s)" -lt $stop ]; do
	ms=$((50 + RANDOM % 751))
	burst 1 $ms
	sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
done
sleep 1
touch "$PVX_OUT/end"
wait_for ended
ran=$(($(run_time) - begin))
touch "$PVX_OUT/judged"

wall=$(($(of monotonic_ns end) - $(of monotonic_ns begin)))
effective=$(($(of effective_ns end) - $(of effective_ns begin)))
stolen=$(($(of stolen_ns end) - $(of stolen_ns begin)))
echo "# seed $seed: wall $((wall / 1000000)) ms, stolen $((stolen / 1000000)), effective $((effective / 1000000)), the thread ran $((ran / 1000000))"
check "half of the time was stolen" \
	awk -v s=$stolen -v w=$wall 'BEGIN { exit !(s > 0.4 * w && s < 0.6 * w) }'
check "effective time is the thread's run time within 1 %" \
	awk -v e=$effective -v r=$ran 'BEGIN { d = e - r; exit !((d < 0 ? -d : d) <= 0.01 * r) }'
tap_done
