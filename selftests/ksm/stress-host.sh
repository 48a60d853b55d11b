#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The guests' memory stays as it is while the host runs short of memory, guests give
# theirs back and take it again, the host's module goes and comes, and a guest is killed,
# all of it while KSM merges. A host script as host.sh.
. "$PVX_TOP/selftests/lib/tap.sh"
guests="1 2"
. "$PVX_TOP/selftests/ksm/ask-host.sh"
mib=16 pages=$((mib * 256))

all_match() {
	local n
	for n in $guests; do at_least "$n" matched $((pages * 9 / 10)) || return; done
}
all_share() {
	local n
	for n in $guests; do shares "$n" || return; done
}
balloon() { # MIB: what is left to each guest
	local n
	for n in $guests; do
		qmp "$n" '{"execute":"balloon","arguments":{"value":'$(($1 << 20))'}}' || return
	done
}
left() { # GUEST MIB: the guest has no more
	[ "$(qmp "$1" '{"execute":"query-balloon"}' | sed 's/.*"actual": *\([0-9]*\).*/\1/')" -le $(($2 << 20)) ]
}
load() {
	local n
	insmod "$PVX_BUILD/host/pvx_host_ksm.ko" || return
	for n in $guests; do
		"$pvxctl" grant --pid "$(pid "$n")" ksm && "$pvxctl" group --pid "$(pid "$n")" test
	done >/dev/null
}
kb_free() { awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo; }
# Most of what is free, for some seconds, by more than the swap takes at once.
press() {
	local kb=$(($(kb_free) - 40 * 1024))
	stress-ng --quiet --vm 1 --vm-bytes "${kb}k" --vm-keep --vm-method zero-one --timeout 15
}
contexts() { ls -d /sys/kernel/debug/pvx_host/[0-9]* 2>/dev/null | wc -l; }
one_context() { [ "$(contexts)" = 1 ]; }

make_disks $mib || exit
begin_guests selftests/ksm/guest.sh -device virtio-balloon-pci || exit
rmmod pvx_host_ksm
check "both guests are granted ksm and put in a group" load
touch /run/pvx/go
echo 2000 >$ksm/pages_to_scan && echo 20 >$ksm/sleep_millisecs
[ ! -e $ksm/smart_scan ] || echo 0 >$ksm/smart_scan
echo 1 >$ksm/run
check "their files match" within 240 all_match
sleep 10
check "which they do not when they are dropped" drop_files
note_besides
check "they are read again" all_answer read read
check "and are merged" within 240 all_share

check "the host runs short of memory" press
check "their memory is as it was" all_answer sums right

check "they give memory back" balloon $((GUEST_MEM * 5 / 8))
for n in $guests; do check "guest $n has done so" within 60 left "$n" $((GUEST_MEM * 5 / 8)); done
check "their memory is as it was" all_answer sums right
check "they take it again" balloon "$GUEST_MEM"
check "their memory is as it was" all_answer sums right
check "their files are merged again" within 240 all_share

for i in 1 2 3; do
	check "the host's module goes" rmmod pvx_host_ksm
	check "it comes again" load
	# Into whatever they are at by then.
	sleep $((5 * i))
done
check "they write and read while it is" all_answer write written
check "their memory is as it was" all_answer sums right
check "their files are merged again" within 300 all_share

kill -9 "$(pid 2)"
guests=1
check "guest 2 is killed, and its context goes" within 20 one_context
check "guest 1's memory is as it was" all_answer sums right
# What is equal to others of its own remains, most of it zeros.
check "guest 1's files have no peer any more" within 300 at_most 1 matched "${besides[1]}"
check "the host's module goes" rmmod pvx_host_ksm
check "nothing is mergeable" unmerged 1
check "guest 1's memory is as it was" all_answer sums right
check "guest 1 ends" all_answer end ended
tap_done
