# SPDX-License-Identifier: GPL-2.0
#
# What the guests' parts of the benchmarks share. Sourced.
#
# raw.tsv gets one line per value: pair, arm, key, value.
set -u
raw=$PVX_OUT/raw.tsv
. "$PVX_TOP/scripts/bench/pairs.sh"
# The module that the arms differ by, its parameters, and its counters.
arm_module=$PVX_BUILD/guest/pvx_guest_lock.ko
arm_parameters=
counters=/sys/kernel/debug/pvx_guest/lock

fail() { echo "error: $1" >&2; exit 1; }

# So that the host backs it.
use_all_memory_once() {
	mkdir -p /run/used && mount -t tmpfs -o size=100% used /run/used &&
		head -c "$(($(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo) - 20000))K" \
			/dev/urandom >/run/used/all &&
		umount /run/used || fail "the memory cannot be used"
}

# record PAIR ARM: files the key=value lines of its input.
record() {
	awk -F= -v OFS='\t' -v pair="$1" -v arm="$2" 'NF == 2 && $2 != "" { print pair, arm, $1, $2 }' >>"$raw"
}

record_counters() { # PAIR ARM
	[ "$2" = stock ] || record "$1" "$2" <"$counters"
}

# Over all rounds of the pair.
recorded() { # PAIR ARM KEY
	awk -F'\t' -v p="$1" -v a="$2" -v k="$3" '
		$1 == p && $2 == a && $3 == k { sum += $4 } END { print sum }' "$raw"
}

quotient() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f\n", a / (b > 0 ? b : 1) }'; }

# The two arms, in the same kernel: without the module, and with it. What
# differs between boots and changes over time then meets both alike.
arm_stock() {
	local name=${arm_module##*/}
	name=${name%.ko}
	[ ! -d "/sys/module/$name" ] || rmmod "$name" || fail "cannot unload $name"
}

# Loaded anew each time, so that its counters are those of one measure.
arm_pvx() {
	arm_stock
	insmod "$arm_module" $arm_parameters || fail "cannot load $arm_module"
}

# alternate: measure PAIR ARM ROUND in turn, ROUNDS times in each pair, and report PAIR
# after it. The order is another one each time, so that going first is nobody's
# advantage.
alternate() {
	local pair round arm arms
	for ((pair = $(next_pair); pair <= PAIRS; pair++)); do
		for ((round = 1; round <= ROUNDS; round++)); do
			arms="stock pvx"
			(((pair + round) % 2)) && arms="pvx stock"
			for arm in $arms; do
				"arm_$arm"
				measure "$pair" "$arm" "$round"
			done
		done
		end_pair "$pair"
		echo "pair $pair/$PAIRS: $(report "$pair")"
	done
}
