# SPDX-License-Identifier: GPL-2.0
#
# The fork cases in memory that the host does not back: before each arm the guest has given
# its free memory back to the host, by free page reporting. That goes by blocks of 2 MiB, so
# that the host has huge pages there again; a balloon would break them.
guests=1
. "$PVX_TOP/scripts/bench/host-common.sh"
tracing=/sys/kernel/tracing

# Exits for want of a nested mapping. To count them costs time, of which stock has more.
count_faults() { # 0|1
	echo "$1" >$tracing/events/kvm/kvm_page_fault/enable
}
faults() {
	awk '$1 == "entries:" || $1 == "overrun:" { n += $2 } END { print n + 0 }' $tracing/per_cpu/cpu*/stats
}

# KiB of the VMM's memory: "Rss", or of that, "AnonHugePages".
memory_of_vmm() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$(pid 1)/smaps_rollup"; }
gave_back() { [ "$(memory_of_vmm Rss)" -lt $((GUEST_MEM * 1024 / 2)) ]; }
has_huge_pages() { [ $((2 * $(memory_of_vmm AnonHugePages))) -gt "$(memory_of_vmm Rss)" ]; }

fork_once() { # MODE
	within 60 gave_back || fail "the guest does not give its memory back"
	ask 180 "fill $1" && [ "$(answer 1)" = filled ] || fail "no memory"
	before=$(faults)
	ask 180 go || fail "no end of it"
}
count_once() { # PAIR ARM MODE
	count_faults 1 || fail "page faults cannot be counted"
	fork_once "$3"
	record "$1" "$2" nested_faults $(($(faults) - before))
	count_faults 0
}
measure() { # PAIR ARM
	local before mode=off
	[ "$2" = stock ] || mode=eager
	fork_once $mode
	answer 1 | record_all "$1" "$2"
	[ "$CASE" = fork-4k ] || has_huge_pages || fail "the host has no huge pages for the guest"
	[ "$(recorded "$1" "$2" both_us)" -gt 0 ] || fail "the memory is not what it should be"
	[ "$2" = stock ] || [ "$(recorded "$1" pvx by_host)" -ge 60000 ] || fail "the host did not copy"
	[ "$CASE" != fork-4k ] || count_once "$1" "$2" $mode
}

report() { # PAIR
	local key
	for key in both_us nested_faults; do
		printf '%s %s and %s, ' $key "$(recorded "$1" stock $key)" "$(recorded "$1" pvx $key)"
	done
	printf 'privatised %s in %s calls\n' "$(recorded "$1" pvx privatised)" "$(recorded "$1" pvx calls)"
}

. "$PVX_TOP/scripts/bench/host-fork-alike.sh" || fail "the host's module cannot be loaded"
# Before the guest's memory is there.
case $CASE in
fork-4k) echo never ;;
fork-huge) echo always ;;
esac >/sys/kernel/mm/transparent_hugepage/enabled
begin_guests scripts/bench/guest-fork-cold.sh -device virtio-balloon-pci,free-page-reporting=on || fail "the guest does not boot"
touch /run/pvx/go
"$pvxctl" grant --pid "$(pid 1)" fork >/dev/null || fail "the guest is not granted fork"
count_faults 0 || fail "page faults cannot be counted"
measure_pairs
ask 30 end
