# SPDX-License-Identifier: GPL-2.0
#
# Guest's part of the case of what looking at memory costs: accesses at random, while
# pvx_guest_numa looks what is used, and while it does not.
. "$PVX_TOP/scripts/bench/guest-common.sh"
permille=/sys/module/pvx_guest_numa/parameters/permille
work=$PVX_TOP/build/selftests/numa/work

# The machine's pace changes every few seconds, so the arms take turns about as fast.
arm_stock() { echo 0 >$permille; }
arm_pvx() { echo 5 >$permille; }
looks() { sed -n 's/^looks=//p' /sys/kernel/debug/pvx_guest/numa; }

measure() { # PAIR ARM
	local before
	before=$(looks)
	"$work" 64 2 - 20000000 | record "$1" "$2"
	echo "looks=$(($(looks) - before))" | record "$1" "$2"
}
report() {
	echo "accesses $(quotient "$(recorded "$1" pvx accesses_per_s)" "$(recorded "$1" stock accesses_per_s)")," \
		"$(recorded "$1" pvx looks) looks"
	[ "$(recorded "$1" pvx looks)" -ge "$ROUNDS" ] || fail "it hardly looked"
}

insmod "$PVX_BUILD/guest/pvx_guest_numa.ko" permille=0 || exit
alternate
