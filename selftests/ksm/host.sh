#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Equal pages of two guests are merged when the operator puts them in one group, and
# all of it can be taken back. A host script for lab run --guests 0 with the modules
# pvx_host, pvx_host_ksm and pvx_guest.
. "$PVX_TOP/selftests/lib/tap.sh"
guests="1 2"
. "$PVX_TOP/selftests/ksm/ask-host.sh"
. "$PVX_TOP/selftests/lib/events.sh"
mib=16 pages=$((mib * 256))

pages_sharing() { cat $ksm/pages_sharing; }
show() { # what came of it, as the operator sees it
	"$pvxctl" ksm | sed 's/^/# /'
	echo "# KSM: $(cd $ksm && grep . pages_shared pages_sharing pages_unshared pages_volatile full_scans | tr '\n' ' ')"
}

make_disks $mib || exit
begin_guests selftests/ksm/guest.sh || exit
for n in 1 2; do check "guest $n is granted ksm" "$pvxctl" grant --pid "$(pid $n)" ksm; done
touch /run/pvx/go
echo 2000 >$ksm/pages_to_scan && echo 20 >$ksm/sleep_millisecs
# It would leave out what it did not merge at first, which a test cannot wait for.
[ ! -e $ksm/smart_scan ] || echo 0 >$ksm/smart_scan
echo 1 >$ksm/run

for n in 1 2; do
	check "guest $n announces its files" within 120 at_least $n candidates $((pages * 9 / 10))
done
sleep 3
show
for n in 1 2; do
	check "guest $n is in no group, so nothing has a peer" at_most $n matched 0
	check "and nothing is mergeable" unmerged $n
done

check "events are traced" events_begin pvx_host_ksm:ksm_range \
	pvx_host_ksm:ksm_matched
for n in 1 2; do check "guest $n joins a group" "$pvxctl" group --pid "$(pid $n)" test; done
for n in 1 2; do
	check "guest $n: they have peers now" within 180 at_least $n matched $((pages * 9 / 10))
	check "guest $n: and are mergeable" within 60 at_least $n marked $((pages * 9 / 10))
	check "guest $n: and merged" within 90 at_least $n merged $((pages * 9 / 10))
done
show
check "each range is an event" event_seen ksm_range \
	'mm=[0-9a-f]+ gfn=0x[0-9a-f]+ pages=[1-9][0-9]* mergeable=1 err=0 vmm=[1-9][0-9]*'
check "so is each page that has a peer" event_seen ksm_matched \
	'vmm=[1-9][0-9]* gfn=0x[0-9a-f]+ peers=[1-9][0-9]*'
events_end
check "so is each batch in the guests" all_answer traced traced
for n in 1 2; do
	check "guest $n: ranges, not pages, are marked ($(mergeable $n) VMAs)" \
		[ "$(mergeable $n)" -le 500 ]
done
check "the guests' memory is as it was" all_answer sums right

check "they write to what is merged, and read what they wrote" all_answer write written
check "which the other does not see" all_answer sums right

check "the guests drop their files, which have no peer any more" drop_files
note_besides
for n in 1 2; do
	check "guest $n: and are no longer marked" within 60 \
		at_most $n marked $((besides[$n] + pages / 4))
done
show
check "the guests read them again" all_answer read read
for n in 1 2; do
	check "guest $n: and they are merged again" within 240 shares $n
done

check "guest 2 leaves the group" "$pvxctl" group --pid "$(pid 2)" ""
check "when that returns nothing of it is mergeable" unmerged 2
check "the guests' memory is as it was" all_answer sums right
refused() { ! "$pvxctl" group --pid "$(pid 2)" other; }
check "it may not share in another group beside" refused
sleep 20
check "so nothing of it is mergeable" unmerged 2
check "nor has it a peer" at_most 2 matched 0
check "guest 2 comes back" "$pvxctl" group --pid "$(pid 2)" test
check "and shares again" within 240 shares 2
check "events are traced" events_begin pvx_host_ksm:ksm_forgotten
check "guest 1 is revoked ksm" "$pvxctl" revoke --pid "$(pid 1)" ksm
check "what it announced is forgotten, by an event" event_seen ksm_forgotten 'vmm=[1-9][0-9]* err=0'
events_end
check "when that returns nothing of it is mergeable" unmerged 1
check "it is granted again" "$pvxctl" grant --pid "$(pid 1)" ksm
check "and shares again" within 240 shares 1
check "the guests' modules are reloaded" all_answer reload reloaded
for n in 1 2; do
	check "guest $n shares after that" within 240 shares $n
done
show
check "the host's module is unloaded" rmmod pvx_host_ksm
for n in 1 2; do check "guest $n: nothing is mergeable" unmerged $n; done
check "KSM shares nothing" within 60 eval '[ "$(pages_sharing)" = 0 ]'
check "the guests' memory is as it was" all_answer sums right
check "the guests end" all_answer end ended
tap_done
