#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Does a BPF program choose how long a waiter spins, within its bounds, and only as long as it is
# attached? A guest script for lab run.
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/lock/load.sh"
. "$PVX_TOP/selftests/tune/try.sh"
tune=$PVX_TOP/build/tune policies=$PVX_TOP/build/selftests/tune
params=/sys/module/pvx_guest_lock/parameters
tracing=/sys/kernel/tracing
said=$PVX_OUT/policy
[ -x "$tune/pvx-policy" ] && [ -e "$policies/longest.bpf.o" ] ||
	tap_skip_all "pvx-policy needs clang, bpftool and libbpf-dev"

# What is chosen within a second. So much is that it would not be read before it is overwritten.
chosen() {
	echo >$tracing/trace
	echo 1 >$tracing/tracing_on
	sleep 1
	echo 0 >$tracing/tracing_on
	sed -n 's/.*spin_chosen: .* ns=\([0-9]*\)$/\1/p' $tracing/trace | sort -u
}
begin() { # POLICY
	: >"$said"
	"$tune/pvx-policy" ${1:+"$policies/$1.bpf.o"} >"$said" 2>&1 & policy=$!
	soon grep -q 'attached to raw_tp.w/pvx_choose_spin' "$said" ||
		{ sed 's/^/# /' "$said"; return 1; }
}
end() {
	kill $policy
	wait $policy
}
chooses() { # NS, or nothing
	local all
	all=$(chosen)
	# Nobody waits between two runs of the torture.
	[ -n "$all" ] || all=$(chosen)
	[ "$all" = "$1" ] || { echo "${all:-nothing} is chosen"; return 1; }
}
chooses_within_bounds() {
	local ns low high
	low=$(cat $params/spin_min_ns) high=$(cat $params/spin_max_ns)
	for ns in $(chosen); do
		[ "$ns" -ge "$low" ] && [ "$ns" -le "$high" ] || { echo "$ns is chosen"; return 1; }
	done
}

echo 0 >$params/steal_permille
load_begin
echo 64 >$tracing/buffer_size_kb
echo 1 >$tracing/events/pvx_guest/spin_chosen/enable
check "nothing is chosen without a program" chooses ""
begin longest && tap_ok "a program is attached" || tap_not_ok "a program is attached"
check "the longest spin that it can choose is spin_max_ns" chooses "$(cat $params/spin_max_ns)"
end
check "nothing is chosen when it is ended" chooses ""
begin shortest
check "the shortest is spin_min_ns" chooses "$(cat $params/spin_min_ns)"
end
begin ""
check "the example keeps within the bounds" chooses_within_bounds
rmmod pvx_guest_lock
check "the spinlocks' module is unloaded while it is attached, and loaded again" \
	insmod "$PVX_BUILD/guest/pvx_guest_lock.ko" steal_permille=0
end
load_held; status=$?
check "and no lock let two in" [ $status -eq 0 ]
tap_done
