#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# In both guests a process runs on each vCPU. Guest 1 says what is true. Guest 2 says that its
# vCPUs use other memory than they do, and another one each second; as lies-host.sh asks.
. "$PVX_TOP/selftests/ksm/asked-guest.sh"
. "$PVX_TOP/selftests/numa/begin.sh"
. "$PVX_TOP/selftests/numa/uses.sh"

# It comes and goes, too: who is moved most must not win by that.
lie() {
	local groups
	find_blocks 0 2
	while :; do
		for groups in "2 2" "0 2" "2 0" "2 2"; do
			claim $groups
			answers 0 $numa "$gpa" "$claimed" 24
			sleep 1
		done
		answers 0 $numa 0 0
		sleep 1
	done
}

act() {
	case $1 in
	begin)
		begin 0 0 && begin 1 1 || return
		# Of a third process there is memory, and it does not run.
		[ "$PVX_GUEST" = 1 ] || { begin 2 0 && kill -STOP "$(cat /run/work.2)"; } || return
		echo begun ;;
	load)
		[ "$PVX_GUEST" != 1 ] || insmod "$PVX_BUILD/guest/pvx_guest_numa.ko" permille=200 || return
		echo loaded ;;
	lie)
		[ "$PVX_GUEST" = 1 ] || { lie >"$PVX_OUT/lies" & echo $! >/run/work.lies; }
		echo lies ;;
	end) kill $(cat /run/work.*); echo ended ;;
	esac
}

negotiated() { answers 0 $negotiate 1 0 && answers 8 $negotiate 1 8; }
[ "$PVX_GUEST" = 1 ] || negotiated >/dev/null || exit
do_what_is_asked act
