# SPDX-License-Identifier: GPL-2.0
#
# Guest's part of the case of what looking at memory costs: accesses at random, with
# pvx_guest_numa, which looks what is used, and without it.
. "$PVX_TOP/scripts/bench/guest-common.sh"
arm_module=$PVX_BUILD/guest/pvx_guest_numa.ko
arm_parameters=permille=5
counters=/sys/kernel/debug/pvx_guest/numa
work=$PVX_TOP/build/selftests/numa/work

measure() { # PAIR ARM ROUND
	local got
	got=$("$work" 64 2 - 20000000) || fail "the accesses fail"
	record "$1" "$2" <<<"$got"
	record_counters "$1" "$2"
	# It looks once when it is loaded.
	[ "$2$3" != "pvx$ROUNDS" ] || [ "$(recorded "$1" pvx looks)" -gt "$ROUNDS" ] ||
		fail "it hardly looked"
}
report() {
	local key=accesses_per_s
	echo "accesses $(quotient "$(recorded "$1" pvx $key)" "$(recorded "$1" stock $key)")," \
		"$(recorded "$1" pvx looks) looks"
}

alternate
