# SPDX-License-Identifier: GPL-2.0
#
# Guest's part of the KSM cases: files that the others read, too, as much dirty memory
# that they do not have, and the search for candidates, as the host asks for it.
. "$PVX_TOP/selftests/ksm/asked-guest.sh"

act() { # WHAT [PERMILLE]
	case $1 in
	on) load_ksm "$2" && echo on ;;
	off) cat /sys/kernel/debug/pvx_guest/ksm; rmmod pvx_guest_ksm ;;
	flags) cat /proc/kpageflags >"$PVX_OUT/kpageflags" && echo copied ;;
	end) echo ended ;;
	esac
}

free_kib() {
	awk '$1 == "MemFree:" { print $2 }' /proc/meminfo
}

# A guest that has run for a while has had all of its memory in use: what is free now holds
# what it alone had, and not what the boot has left there, which is the same in all guests.
# That goes for the first 16 MiB, too, where the boot loader has left the kernel's image: they
# are a sixteenth of what this guest has, and kept for old devices.
use_all_once() {
	echo 1024 >/proc/sys/vm/min_free_kbytes && echo 0 >/proc/sys/vm/lowmem_reserve_ratio &&
		head -c $(($(free_kib) - 2 * 1024))K /dev/urandom >/run/own/used &&
		rm /run/own/used
}

have_memory "$(cat "$host/own")" && use_all_once || exit
do_what_is_asked act
