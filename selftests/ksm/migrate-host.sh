#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A guest whose memory is merged with another's migrates to a second VM on the same
# host, has the memory that it had, and shares again. A host script as host.sh.
. "$PVX_TOP/selftests/lib/tap.sh"
guests="1 2"
. "$PVX_TOP/selftests/ksm/ask-host.sh"
mib=16 pages=$((mib * 256)) files=/run/migrate

make_initrd() {
	local root=$files/root module
	mkdir -p $root/{bin,proc,dev,modules}
	cp "$(command -v busybox)" $root/bin/ && cp "$PVX_TOP/selftests/ksm/migrate-init" $root/init || return
	modprobe -S "$PVX_KERNEL" -D -a virtio_pci virtio_blk |
	awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r module; do
		xz -dcf "$module" >"$root/modules/$(basename "${module%.xz}")"
		basename "${module%.xz}" >>$root/modules/order
	done
	cp "$PVX_BUILD"/guest/pvx_guest{,_ksm}.ko $root/modules/ || return
	printf '%s\n' pvx_guest.ko "pvx_guest_ksm.ko permille=500" >>$root/modules/order
	(cd $root && find . | cpio -o -H newc --quiet | gzip -1) >$files/initrd
}
start() { # GUEST [QEMU OPTION...]
	local n=$1
	shift
	machine_start "$n" -initrd $files/initrd -append "$boot_options" $(unmergeable "$n") \
		-drive file=$files/disk,if=virtio,format=raw,readonly=on,file.locking=off "$@"
}
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
# On port 4450, without a connection, of which there is to be one only.
listens() { grep -q '^ *[0-9]*: 0100007F:1162 [0-9A-F:]* 0A ' /proc/net/tcp; }
same() { [ "$(sums 2 | tail -n 1)" = "$(sums 3 | tail -n 1)" ]; }
has_ended() { ! kill -0 "$(pid "$1")" 2>/dev/null; } # GUEST
migrated() {
	local progress
	progress=$(qmp 2 '{"execute":"query-migrate"}')
	[[ $progress =~ \"status\":\ *\"completed\" ]]
}

mkdir -p $files
head -c "${mib}M" /dev/urandom >$files/disk && make_initrd || exit
for n in $guests; do start "$n"; done
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

start 3 -incoming tcp:127.0.0.1:4450
check "the VM that guest 2 goes to joins the group" within 20 join 3
check "and waits for it" within 20 listens
# An emulated guest writes faster than it is copied by what QEMU takes for a short while.
check "guest 2 may stand still for some seconds" qmp 2 \
	'{"execute":"migrate-set-parameters","arguments":{"downtime-limit":10000}}'
check "guest 2 begins to migrate" qmp 2 '{"execute":"migrate","arguments":{"uri":"tcp:127.0.0.1:4450"}}'
check "and has come to an end with it" within 120 migrated
guests="1 3"
# QEMU may close its monitor before it has answered.
qmp 2 '{"execute":"quit"}' >/dev/null 2>&1
check "where it comes from ends" within 10 has_ended 2
check "it goes on there" more 3
check "with the memory that it had" same
check "and shares it" within 240 shares 3
check "it still is what it was" more 3
check "so is guest 1's" more 1
for n in $guests; do kill "$(pid "$n")"; done
tap_done
