# SPDX-License-Identifier: GPL-2.0
#
# Guest's part of the lock cases: one hot spinlock, a thread on each vCPU.
. "$PVX_TOP/scripts/bench/guest-common.sh"

load_ms=/sys/module/pvx_locktest/parameters/ms
bench=/sys/kernel/debug/pvx_locktest/bench

# The load in SLICES equal parts of MS; prints the one of median rate. What else
# happens on the machine, in bursts, then meets the parts that do not count.
run_load() {
	local i
	echo $((MS / SLICES)) >"$load_ms"
	for ((i = 0; i < SLICES; i++)); do
		cat "$bench" >"/tmp/slice.$i" || return
	done
	for ((i = 0; i < SLICES; i++)); do
		sed -n "s/^ops_per_s=\(.*\)/\1 $i/p" "/tmp/slice.$i"
	done | sort -n | {
		read -ra by_rate -d ''
		cat "/tmp/slice.${by_rate[2 * (SLICES / 2) + 1]}"
	}
}

measure() {
	local got
	if [ "$WARM_MS" -gt 0 ]; then
		echo "$WARM_MS" >"$load_ms"
		cat "$bench" >/dev/null
	fi
	got=$(run_load) || fail "the lock load did not run"
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
