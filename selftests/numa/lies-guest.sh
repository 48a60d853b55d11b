#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Guest 1 says what is true, and guest 2 that all of its vCPUs use one node's memory more than
# anybody else; as lies-host.sh asks.
. "$PVX_TOP/selftests/ksm/asked-guest.sh"
. "$PVX_TOP/selftests/numa/begin.sh"
. "$PVX_TOP/selftests/numa/uses.sh"
heaviest=65535

# Blocks of 16 MiB that our group's memory is in.
blocks() {
	od -A n -v -t u8 -w8 "$PVX_OUT/gfns.0" | awk '{ print int($1 / 4096) }' | sort -nu
}
claim() { # VCPU...: all of their use is there
	local vcpu block entries=()
	for vcpu in "$@"; do
		for block in $(blocks); do entries+=("$vcpu" "$block" $heaviest 0); done
	done
	list "${entries[@]}"
	answers 0 $numa "$gpa" $((${#entries[@]} / 4)) 24
}
# It comes and goes, too: who is moved most must not win by that.
lie() {
	while :; do
		claim 0 1
		sleep 1
		claim 1
		sleep 1
		answers 0 $numa 0 0
		sleep 1
	done
}

act() {
	case $1 in
	begin) begin 0 0 && echo begun ;;
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
