# SPDX-License-Identifier: GPL-2.0
#
# Guest's part of the lock cases: one hot spinlock, a thread on each vCPU.
. "$PVX_TOP/scripts/bench/guest-common.sh"

load_ms=/sys/module/pvx_locktest/parameters/ms
bench=/sys/kernel/debug/pvx_locktest/bench

measure() {
	local got
	if [ "$WARM_MS" -gt 0 ]; then
		echo "$WARM_MS" >"$load_ms"
		cat "$bench" >/dev/null
		echo "$MS" >"$load_ms"
	fi
	got=$(cat "$bench") || fail "the lock load did not run"
	record "$1" "$2" <<<"$got"
	# The counters go with the module.
	[ "$2" = stock ] || record "$1" "$2" </sys/kernel/debug/pvx_guest/lock
}

report() {
	local stock pvx
	stock=$(recorded "$1" stock ops_per_s) pvx=$(recorded "$1" pvx ops_per_s)
	echo "stock $stock/s pvx $pvx/s ratio $(quotient "$pvx" "$stock")"
}

insmod "$PVX_BUILD/selftests/lock/pvx_locktest.ko" ms="$MS" hold=400 gap=400 ||
	fail "cannot load pvx_locktest"
alternate
