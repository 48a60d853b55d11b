# SPDX-License-Identifier: GPL-2.0
#
# The guest of the case tune-top, see host-top.sh.
. "$PVX_TOP/selftests/ksm/asked-guest.sh"
bench=/sys/kernel/debug/pvx_abitest/bench

# Thousands of calls each time that it is read, without a program for each.
flood() { while :; do cat $(yes $bench | head -n 100) >/dev/null; done; }

act() { # WHAT
	local cpu
	case $1 in
	flood)
		for cpu in $(seq 0 $(($(nproc) - 1))); do
			flood &
			taskset -pc "$cpu" $! >/dev/null
			echo $! >"/run/flood.$cpu"
		done
		echo floods ;;
	calm) kill $(cat /run/flood.*); pkill cat; echo calm ;;
	esac
}
insmod "$PVX_BUILD/selftests/abi/pvx_abitest.ko" || exit
do_what_is_asked act
