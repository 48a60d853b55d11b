#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A VM that yields without pause takes no CPU time from another. A host script,
# for lab run --guests 2. VM 2 floods all the time; in turn the host serves its
# yields, within their budget, and refuses them all. What VM 1 gets of the CPUs
# must be the same.
. "$PVX_TOP/selftests/lib/tap.sh"
rate=/sys/module/pvx_host_yield/parameters/calls_per_s
served=$(cat $rate)
pairs=10 turn_s=3

ticks() { # GUEST: CPU time of its VMM
	awk '{ print $14 + $15 }' "/proc/$(cat "/run/guests/guest$1.pid")/stat"
}

share() { # CALLS_PER_S: VM 1's share of what both get, in permille
	local one two
	echo "$1" >$rate
	sleep 1
	one=$(ticks 1) two=$(ticks 2)
	sleep $turn_s
	one=$(($(ticks 1) - one)) two=$(($(ticks 2) - two))
	echo $((1000 * one / (one + two)))
}

median() { sort -n | awk '{ x[NR] = $1 } END { print (x[int((NR + 1) / 2)] + x[int(NR / 2) + 1]) / 2 }'; }

boosts() { cat /sys/kernel/debug/pvx_host/*/features | awk -F= '$1 == "yield_boosted" { n += $2 } END { print n + 0 }'; }

until [ -e "$PVX_OUT/../guest1/busy" ] && [ -e "$PVX_OUT/../guest2/busy" ]; do sleep 0.5; done
before=$(boosts)
for pair in $(seq $pairs); do
	share 0 >>"$PVX_OUT/refused"
	share "$served" >>"$PVX_OUT/served"
	echo "# pair $pair: $(tail -n 1 "$PVX_OUT/refused") permille while yields are refused, $(tail -n 1 "$PVX_OUT/served") while they are served"
done
boosted=$(($(boosts) - before))
refused=$(median <"$PVX_OUT/refused") served=$(median <"$PVX_OUT/served")
check "the other VM's yields were served ($boosted boosts)" [ $boosted -gt 1000 ]
check "its share stays: $refused permille, $served beside served yields" \
	awk -v r="$refused" -v s="$served" 'BEGIN { exit !(s >= 0.95 * r) }'
touch "$PVX_OUT/measured"
tap_done
