#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Reads the same files as the other guest, dirties as much memory of its own, and
# does what host.sh asks for.
. "$PVX_TOP/selftests/ksm/asked-guest.sh"

sums() { cat /dev/loop0 | sha256sum && sha256sum </run/own/memory; }

act() {
	case $1 in
	sums) sums | cmp -s - "$PVX_OUT/sums" && echo right || echo wrong ;;
	drop) echo 1 >/proc/sys/vm/drop_caches; echo dropped ;;
	read) cat /dev/loop0 >/dev/null; echo read ;;
	reload) rmmod pvx_guest_ksm && load_ksm 500 && echo reloaded ;;
	end) echo ended ;;
	esac
}

have_memory "$(($(stat -c %s "$host/image") >> 20))" && load_ksm 500 || exit
sums >"$PVX_OUT/sums"
do_what_is_asked act
cat /sys/kernel/debug/pvx_guest/ksm
