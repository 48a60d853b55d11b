# SPDX-License-Identifier: GPL-2.0
#
# Guest's part of the fork cases in memory that the host backs already: stock's fork, and
# one that kvm-pvx follows, of a process with 256 MiB.
. "$PVX_TOP/scripts/bench/guest-fork-common.sh"
mib=256

case $CASE in
fork-backed|fork-fast) mode=eager who=both orders=up keys="both_us parent_faults" ;;
fork-background) mode=background who=alone orders="up down random" keys="parent_us_up parent_us_down parent_us_random" ;;
esac

# What each order of writes gives has its own keys, where there are several.
measure() { # PAIR ARM
	local m=off order suffix
	[ "$2" = stock ] || m=$mode
	for order in $orders; do
		"$writes" -o "$order" $mib $m child $who >"$PVX_OUT/writes" ||
			fail "$m: the memory is not what it should be"
		[ $mode = eager ] && suffix= || suffix=_$order
		sed "s/=/$suffix=/" "$PVX_OUT/writes" | record "$1" "$2"
		echo "pages=$((mib * 256))" | record "$1" "$2"
	done
	record_counters "$1" "$2"
	[ "$2" = stock ] || copied_by_host || fail "the host did not copy"
}

report() {
	local key
	for key in $keys; do
		printf '%s %s and %s, ' $key "$(recorded "$1" stock $key)" "$(recorded "$1" pvx $key)"
	done
	printf 'privatised %s in %s calls\n' "$(recorded "$1" pvx privatised)" "$(recorded "$1" pvx calls)"
}

use_all_memory_once
alternate
