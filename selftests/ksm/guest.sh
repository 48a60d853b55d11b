#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Reads the same files as the other guest, dirties as much memory of its own, and
# does what host.sh asks for.
. "$PVX_TOP/selftests/ksm/asked-guest.sh"
. "$PVX_TOP/selftests/lib/events.sh"

sums() { cat /dev/vda | sha256sum && sha256sum </run/own/memory; }

# Write what no other guest has in places all over the disk, and in a copy of it.
scribble() {
	local at to
	cp /dev/vda /run/own/copy
	for at in $(seq 0 128 $(($(blockdev --getsize64 /dev/vda) / 4096 - 1))); do
		head -c 100 /dev/urandom >/run/own/words
		for to in /dev/vda /run/own/copy; do
			dd if=/run/own/words of=$to bs=4096 seek="$at" conv=notrunc status=none || return
		done
	done
	cmp /dev/vda /run/own/copy && rm /run/own/copy
}

act() {
	case $1 in
	sums) sums | cmp -s - "$PVX_OUT/sums" && echo right || echo wrong ;;
	drop) echo 1 >/proc/sys/vm/drop_caches; echo dropped ;;
	write) scribble && sums >"$PVX_OUT/sums" && echo written ;;
	traced) event_seen ksm_sent 'pages=[1-9][0-9]* ret=0' >/dev/null && events_end && echo traced ;;
	read) cat /dev/vda >/dev/null; echo read ;;
	reload) rmmod pvx_guest_ksm && load_ksm 500 && echo reloaded ;;
	end) echo ended ;;
	esac
}

# Some memory is in the way that the kernel cannot read.
keep_secret() {
	"$PVX_TOP/build/selftests/ksm/secret" & secret=$!
	sleep 1
	kill -0 $secret 2>/dev/null || { wait $secret; [ $? = 4 ]; }
}

have_memory 32 && keep_secret && events_begin pvx_guest:ksm_sent && load_ksm 500 || exit
sums >"$PVX_OUT/sums"
do_what_is_asked act
cat /sys/kernel/debug/pvx_guest/ksm
