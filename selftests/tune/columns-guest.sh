#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Has memory that is there twice, memory on a node, and forks; does what columns-host.sh asks for.
. "$PVX_TOP/selftests/ksm/asked-guest.sh"
. "$PVX_TOP/selftests/numa/begin.sh"

act() { # WHAT
	case $1 in
	fork) "$PVX_TOP/build/selftests/fork/writes" 32 eager child both >/dev/null && echo forked ;;
	end) kill "$(cat /run/work.0)"; echo ended ;;
	esac
}

have_memory 1 && cp /dev/vda /run/own/copy && begin 0 0 && load_ksm 500 &&
	insmod "$PVX_BUILD/guest/pvx_guest_fork.ko" &&
	insmod "$PVX_BUILD/guest/pvx_guest_numa.ko" permille=200 || exit
do_what_is_asked act
