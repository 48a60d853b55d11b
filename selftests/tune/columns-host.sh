#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Does pvxtop tell what is merged, copied and remote, as the host counts it? A host script for
# lab run --guests 0 --host-nodes 2 --host-cpus 1 with the modules pvx_host, pvx_host_ksm,
# pvx_host_fork, pvx_host_numa and pvx_guest.
. "$PVX_TOP/selftests/lib/tap.sh"
guests=1
. "$PVX_TOP/selftests/ksm/ask-host.sh"
. "$PVX_TOP/selftests/numa/vcpus.sh"
pvxtop=$PVX_TOP/build/tune/pvxtop
[ -x "$pvxtop" ] || tap_skip_all "pvxtop needs clang, bpftool and libbpf-dev"
mib=8 pages=$((mib * 256))

told() { # KEY [SECONDS]: by pvxtop, of the VM
	"$pvxtop" -1 --json -i "${2:-1}" -p "$(pid 1)" | sed 's/"vcpus":\[[^]]*\]//g' |
		grep -oE "\"$1\":[0-9]+" | cut -d: -f2
}
counted() { # KEY
	awk -F= -v key="$1" '$1 == key { print $2 }' "/sys/kernel/debug/pvx_host/$(id 1)/features"
}
same() { # KEY COUNTER
	local told counted
	told=$(told "$1") counted=$(counted "$2")
	[ "$told" = "$counted" ] || { echo "pvxtop says $told, the host $counted"; return 1; }
}
# All that is copied in its seconds, which begin before and end after.
tells_copied() {
	local before
	before=$(counted fork_copied)
	told copied 20 >"$PVX_OUT/copied" & local top=$!
	sleep 5
	all_answer fork forked && wait $top || return
	before=$(($(counted fork_copied) - before))
	[ $before -ge 4096 ] && [ "$(cat "$PVX_OUT/copied")" -eq $before ] ||
		{ echo "pvxtop says $(cat "$PVX_OUT/copied"), the host $before"; return 1; }
}
remote() { # LEAST MOST
	local permille
	permille=$(told remote_permille)
	[ -n "$permille" ] && [ "$permille" -ge "$1" ] && [ "$permille" -le "$2" ]
}

echo 0 >$balancing
make_disks $mib && begin_guests selftests/tune/columns-guest.sh || exit
check "the guest is granted all" "$pvxctl" grant --pid "$(pid 1)" ksm,fork,numa
check "it is in a group" "$pvxctl" group --pid "$(pid 1)" test
echo 2000 >$ksm/pages_to_scan && echo 20 >$ksm/sleep_millisecs
[ ! -e $ksm/smart_scan ] || echo 0 >$ksm/smart_scan
touch /run/pvx/go
echo 1 >$ksm/run
check "what is there twice is merged" within 240 at_least 1 merged $pages
echo 0 >$ksm/run
check "pvxtop tells how much" same merged ksm_merged
# One node has the CPU of the guest.
here=0
[ -n "$(node_cpus 0)" ] || here=1
check "its memory is on the other node" moved_to 1 0 $((1 - here))
check "pvxtop tells that it is remote" within 60 remote 700 1000
check "its memory is on the node of its CPU" moved_to 1 0 $here
check "pvxtop tells that it is not remote" within 60 remote 0 200
check "pvxtop tells how many pages were copied" tells_copied
ask 30 end
tap_done
