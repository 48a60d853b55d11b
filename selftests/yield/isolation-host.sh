#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A VM that yields without pause takes no CPU time from another, and gets no more
# than its budgets. A host script, for lab run --guests 2 --guest-cpus 2. VM 1 computes;
# VM 2 computes and floods in turn. What VM 1 gets of the CPUs must be the same.
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/lib/yields.sh"
parameters=/sys/module/pvx_host_yield/parameters
# The guests have all CPUs, and this script is to get on all the same.
renice -n -20 -p $$ >/dev/null
pairs=${PAIRS:-10} turn_s=2
# What is answered when the host did something for a yield.
served="running boosted boosted_far woken declined idle"

ticks() { # GUEST: CPU time of its VMM
	awk '{ print $14 + $15 }' "/proc/$(cat "/run/guests/guest$1.pid")/stat"
}

spins() { # Y|N: whether VM 2 only computes
	echo "$1" >"$PVX_OUT/flood_spins.new"
	mv "$PVX_OUT/flood_spins.new" "$PVX_OUT/flood_spins"
	until [ "$(cat "$PVX_OUT/../guest2/flood_spins" 2>/dev/null)" = "$1" ]; do sleep 0.1; done
}

share() { # Y|N: VM 1's share of what both get, in permille
	local one two
	spins "$1"
	one=$(ticks 1) two=$(ticks 2)
	sleep $turn_s
	one=$(($(ticks 1) - one)) two=$(($(ticks 2) - two))
	echo $((1000 * one / (one + two)))
}

median() { sort -n | awk '{ x[NR] = $1 } END { print (x[int((NR + 1) / 2)] + x[int(NR / 2) + 1]) / 2 }'; }

# limited PARAMETER VALUE: the flood under it, for a while; sets refused, and
# worked, the number of yields for which the host did something.
limited() {
	local before=$(cat "$parameters/$1")
	echo "$2" >"$parameters/$1"
	sleep 0.5	# what was allowed before may still be used up
	begin=$EPOCHREALTIME
	refused=$(yields budget) worked=$(yields $served)
	sleep $turn_s
	refused=$(($(yields budget) - refused))
	worked=$(($(yields $served) - worked))
	us=$((${EPOCHREALTIME/./} - ${begin/./}))
	echo "$before" >"$parameters/$1"
	echo "# $1=$2: $worked in $((us / 1000)) ms, $refused refused"
}

until [ -e "$PVX_OUT/../guest1/busy" ] && [ -e "$PVX_OUT/../guest2/busy" ]; do sleep 0.5; done
near=$(yields boosted) far=$(yields boosted_far)
for pair in $(seq $pairs); do
	share Y >>"$PVX_OUT/alone"
	share N >>"$PVX_OUT/beside"
	echo "# pair $pair: $(tail -n 1 "$PVX_OUT/alone") permille beside one that computes, $(tail -n 1 "$PVX_OUT/beside") beside one that yields"
done
near=$(($(yields boosted) - near)) far=$(($(yields boosted_far) - far))
alone=$(median <"$PVX_OUT/alone") beside=$(median <"$PVX_OUT/beside")
check "the other VM's yields were served ($((near + far)) boosts)" [ $((near + far)) -gt 1000 ]
check "its vCPUs are told where they ran ($near nearby, $far far)" [ $near -gt 0 -a $far -gt 0 ]
check "its share stays: $alone permille, $beside beside yields" \
	awk -v a="$alone" -v b="$beside" 'BEGIN { exit !(b >= 0.95 * a) }'

limited calls_per_s 0
check "without a budget of calls nothing is done" [ "$worked" -eq 0 ]
check "and the guest is told" [ "$refused" -gt 0 ]
# Of a second's budget a tenth may be used at once; VM 1 has a few of its own.
limited calls_per_s 100
check "with one, no more than that" [ "$worked" -le $((us / 10000 + 10 + 20)) ]
check "but that" [ "$worked" -ge $((us / 10000 / 2)) ]
check "and beyond that the guest is told" [ "$refused" -gt 0 ]
limited boost_us_per_s 0
check "without a budget of boosted time nothing is done" [ "$worked" -eq 0 ]
check "and the guest is told of that" [ "$refused" -gt 0 ]
tap_done
status=$?
touch "$PVX_OUT/measured"	# the guests end, and so does this script
exit $status
