#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A guest whose memory is merged with another's migrates to a second VM on the same
# host, has the memory that it had, and shares again. A host script as host.sh.
. "$PVX_TOP/selftests/lib/tap.sh"
guests="1 2"
. "$PVX_TOP/selftests/ksm/ask-host.sh"
. "$PVX_TOP/selftests/lib/migrate.sh"
mib=16 pages=$((mib * 256))
disk="-drive file=$files/disk,if=virtio,format=raw,readonly=on,file.locking=off"

join() { # GUEST
	"$pvxctl" grant --pid "$(pid "$1")" ksm && "$pvxctl" group --pid "$(pid "$1")" test
}
sums() { # GUEST: all that it has said
	sed -n 's/^sum [0-9]* \([0-9a-f]*\).*/\1/p' "/run/pvx/out/guest$1/console"
}
has_said() { [ "$(sums "$1" | wc -l)" -ge "$2" ]; } # GUEST SUMS
more() { # GUEST: whether it says the same some more times
	within 60 has_said "$1" $(($(sums "$1" | wc -l) + 3)) && [ "$(sums "$1" | sort -u | wc -l)" = 1 ]
}
same() { [ "$(sums 2 | tail -n 1)" = "$(sums 3 | tail -n 1)" ]; }

head -c "${mib}M" /dev/urandom >$files/disk &&
	make_initrd "$PVX_TOP/selftests/ksm/migrate-init" "virtio_pci virtio_blk" \
		"pvx_guest_ksm.ko permille=500" || exit
for n in $guests; do start "$n" $disk; done
for n in $guests; do
	check "guest $n says the sum of its memory" within 120 has_said "$n" 1
	check "guest $n joins the group" join "$n"
done
echo 2000 >$ksm/pages_to_scan && echo 20 >$ksm/sleep_millisecs
[ ! -e $ksm/smart_scan ] || echo 0 >$ksm/smart_scan
echo 1 >$ksm/run
for n in $guests; do
	check "guest $n: its disk matches" within 180 at_least "$n" matched $((pages * 9 / 10))
done
sleep 10
# It keeps what it has.
for n in $guests 3; do
	besides[$n]=$(($(count 2 matched) * 95 / 100 - pages * 9 / 10))
done
for n in $guests; do check "guest $n: and is merged" within 180 shares "$n"; done

start_target 3 $disk
check "the VM that guest 2 goes to joins the group" within 20 join 3
check "and waits for it" within 20 listens
check "guest 2 may stand still for some seconds" may_stand_still 2
check "guest 2 begins to migrate" begin_migration 2
check "and has come to an end with it" within 120 migrated 2
guests="1 3"
ask_to_end 2
check "where it comes from ends" within 10 has_ended 2
check "it goes on there" more 3
check "with the memory that it had" same
check "and shares it" within 240 shares 3
check "it still is what it was" more 3
check "so is guest 1's" more 1
for n in $guests; do kill "$(pid "$n")"; done
tap_done
