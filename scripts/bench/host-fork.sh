# SPDX-License-Identifier: GPL-2.0
#
# The fork cases in memory that the host does not back: before each arm the guest gives its
# free memory back to the host and takes it again, by its balloon.
set -u
guests=1
. "$PVX_TOP/selftests/ksm/ask-host.sh"
raw=$PVX_OUT/raw.tsv
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
	mount -t tracefs none $tracing 2>/dev/null
	echo 1 >$tracing/events/kvm/kvm_page_fault/enable
}
faults() {
	awk '$1 == "entries:" || $1 == "overrun:" { n += $2 } END { print n + 0 }' $tracing/per_cpu/cpu*/stats
}

balloon() { # MIB: what is left to the guest
	qmp 1 '{"execute":"balloon","arguments":{"value":'$(($1 << 20))'}}' >/dev/null &&
		within 120 has "$1"
}
has() { # MIB: the guest, just that
	[ "$(qmp 1 '{"execute":"query-balloon"}' | sed 's/.*"actual": *\([0-9]*\).*/\1/')" -eq $(($1 << 20)) ]
}

measure() { # PAIR ARM
	local before mode=off
	[ "$2" = stock ] || mode=eager
	balloon 200 && balloon "$GUEST_MEM" || fail "the balloon does not move"
	ask 180 "fill $mode" && [ "$(answer 1)" = filled ] || fail "no memory"
	before=$(faults)
	ask 180 go || fail "no end of it"
	echo "nested_faults=$(($(faults) - before))" | record "$1" "$2"
	answer 1 | record "$1" "$2"
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
begin_guests scripts/bench/guest-fork-cold.sh -device virtio-balloon-pci || fail "the guest does not boot"
touch /run/pvx/go
"$pvxctl" grant --pid "$(pid 1)" fork >/dev/null || fail "the guest is not granted fork"
count_faults
: >"$raw"
for ((pair = 1; pair <= PAIRS; pair++)); do
	arms="stock pvx"
	((pair % 2)) || arms="pvx stock"
	for arm in $arms; do measure "$pair" "$arm"; done
	echo "pair $pair/$PAIRS: $(report "$pair")"
done
ask 30 end
