# SPDX-License-Identifier: GPL-2.0
#
# Guest's part of the lock cases: one hot spinlock, a thread on each vCPU.
. "$PVX_TOP/scripts/bench/guest-common.sh"

load_ms=/sys/module/pvx_locktest/parameters/ms
bench=/sys/kernel/debug/pvx_locktest/bench
counters=/sys/kernel/debug/pvx_guest/lock

# Programs come from the machine's root by way of the VMM, which takes host CPU
# time from the guest for it. What runs between the slices does not.
mem=/dev/shm
cp "$(command -v busybox)" $mem/cat || fail "busybox is missing (run scripts/setup)"

# The load in SLICES equal parts of MS; prints the fastest. What else happens on
# the machine, in bursts, then meets the parts that do not count.
run_load() {
	local i
	echo $((MS / SLICES)) >"$load_ms"
	for ((i = 0; i < SLICES; i++)); do
		$mem/cat "$bench" >"$mem/slice.$i" || return
	done
	# Now, since what comes next is load of another kind.
	[ ! -e "$counters" ] || $mem/cat "$counters" >"$mem/counters"
	for ((i = 0; i < SLICES; i++)); do
		sed -n "s/^ops_per_s=\(.*\)/\1 $i/p" "$mem/slice.$i"
	done | sort -g | tail -n 1 | while read -r _ fastest; do
		cat "$mem/slice.$fastest"
	done
}

measure() {
	local got
	if [ "$WARM_MS" -gt 0 ]; then
		echo "$WARM_MS" >"$load_ms"
		$mem/cat "$bench" >/dev/null
	fi
	got=$(run_load) || fail "the lock load did not run"
	record "$1" "$2" <<<"$got"
	[ "$2" = stock ] || record "$1" "$2" <"$mem/counters"
}

report() {
	local stock pvx
	stock=$(recorded "$1" stock ops_per_s) pvx=$(recorded "$1" pvx ops_per_s)
	echo "stock $stock/s pvx $pvx/s ratio $(quotient "$pvx" "$stock")"
}

insmod "$PVX_BUILD/selftests/lock/pvx_locktest.ko" ms="$MS" hold=400 gap=400 ||
	fail "cannot load pvx_locktest"
alternate
