#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Reads the same files as the other guest, dirties as much memory of its own, and
# does what host.sh asks for until it says "end".
host=$PVX_OUT/../host
modprobe loop && losetup -r /dev/loop0 "$host/image" || exit
mkdir -p /run/own && mount -t tmpfs -o size=80% own /run/own || exit
head -c "$(stat -c %s "$host/image")" /dev/urandom >/run/own/memory || exit
cat /dev/loop0 >/dev/null || exit
insmod "$PVX_BUILD/guest/pvx_guest_ksm.ko" permille=500 || exit

sums() { cat /dev/loop0 | sha256sum && sha256sum </run/own/memory; }

sums >"$PVX_OUT/sums"
asked=0
while [ "$wanted" != end ]; do
	[ -e "$host/ask.$((asked + 1))" ] || { sleep 0.2; continue; }
	asked=$((asked + 1))
	read -r wanted <"$host/ask.$asked"
	case $wanted in
	sums) sums | cmp - "$PVX_OUT/sums" && answer=right || answer=wrong ;;
	drop) echo 1 >/proc/sys/vm/drop_caches; answer=dropped ;;
	read) cat /dev/loop0 >/dev/null; answer=read ;;
	end) answer= ;;
	reload) rmmod pvx_guest_ksm && insmod "$PVX_BUILD/guest/pvx_guest_ksm.ko" permille=500
		answer=$? ;;
	esac
	echo "$answer" >"$PVX_OUT/answer.new" && mv "$PVX_OUT/answer.new" "$PVX_OUT/answer.$asked"
done
cat /sys/kernel/debug/pvx_guest/ksm
