# SPDX-License-Identifier: GPL-2.0
#
# The fork cases in memory that the host does not back: before each arm the guest has given
# its free memory back to the host, by free page reporting. That goes by blocks of 2 MiB, so
# that the host has huge pages there again; a balloon would break them.
set -u
guests=1
raw=$PVX_OUT/raw.tsv
. "$PVX_TOP/selftests/ksm/ask-host.sh"
. "$PVX_TOP/scripts/bench/pairs.sh"
tracing=/sys/kernel/tracing

fail() { echo "error: $1"; exit 1; }

record() { # PAIR ARM: files the key=value lines of its input
	awk -F= -v OFS='\t' -v pair="$1" -v arm="$2" 'NF == 2 && $2 != "" { print pair, arm, $1, $2 }' >>"$raw"
}
recorded() { # PAIR ARM KEY
	awk -F'\t' -v p="$1" -v a="$2" -v k="$3" '$1 == p && $2 == a && $3 == k { n += $4 } END { print n + 0 }' "$raw"
}

# Exits for want of a nested mapping.
count_faults() {
	[ -d $tracing/events ] || mount -t tracefs none $tracing || return
	echo 1 >$tracing/events/kvm/kvm_page_fault/enable
}
faults() {
	awk '$1 == "entries:" || $1 == "overrun:" { n += $2 } END { print n + 0 }' $tracing/per_cpu/cpu*/stats
}

# KiB of the VMM's memory: "Rss", or of that, "AnonHugePages".
memory_of_vmm() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$(pid 1)/smaps_rollup"; }
gave_back() { [ "$(memory_of_vmm Rss)" -lt $((GUEST_MEM * 1024 / 2)) ]; }
has_huge_pages() { [ $((2 * $(memory_of_vmm AnonHugePages))) -gt "$(memory_of_vmm Rss)" ]; }

measure() { # PAIR ARM
	local before mode=off
	[ "$2" = stock ] || mode=eager
	within 60 gave_back || fail "the guest does not give its memory back"
	ask 180 "fill $mode" && [ "$(answer 1)" = filled ] || fail "no memory"
	before=$(faults)
	ask 180 go || fail "no end of it"
	echo "nested_faults=$(($(faults) - before))" | record "$1" "$2"
	answer 1 | record "$1" "$2"
	[ "$CASE" = fork-4k ] || has_huge_pages || fail "the host has no huge pages for the guest"
	[ "$(recorded "$1" "$2" both_us)" -gt 0 ] || fail "the memory is not what it should be"
}

report() { # PAIR
	local key
	for key in both_us nested_faults; do
		printf '%s %s and %s, ' $key "$(recorded "$1" stock $key)" "$(recorded "$1" pvx $key)"
	done
	printf 'privatised %s in %s calls\n' "$(recorded "$1" pvx privatised)" "$(recorded "$1" pvx calls)"
}

# Before the guest's memory is there.
case $CASE in
fork-4k) echo never ;;
fork-huge) echo always ;;
esac >/sys/kernel/mm/transparent_hugepage/enabled
begin_guests scripts/bench/guest-fork-cold.sh -device virtio-balloon-pci,free-page-reporting=on || fail "the guest does not boot"
touch /run/pvx/go
"$pvxctl" grant --pid "$(pid 1)" fork >/dev/null || fail "the guest is not granted fork"
count_faults || fail "page faults cannot be counted"
for ((pair = $(next_pair); pair <= PAIRS; pair++)); do
	arms="stock pvx"
	((pair % 2)) || arms="pvx stock"
	for arm in $arms; do measure "$pair" "$arm"; done
	end_pair "$pair"
	echo "pair $pair/$PAIRS: $(report "$pair")"
done
ask 30 end
