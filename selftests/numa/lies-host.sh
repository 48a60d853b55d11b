#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A guest that lies takes nothing from another one but what that has beyond its share. A host
# script for lab run --guests 0 --host-nodes 2 --host-cpus 4 --guest-cpus 2 with the modules
# pvx_host, pvx_host_numa and pvx_guest.
. "$PVX_TOP/selftests/lib/tap.sh"
guests="1 2"
. "$PVX_TOP/selftests/ksm/ask-host.sh"
. "$PVX_TOP/selftests/numa/vcpus.sh"
victim=1 liar=2

liar_has() { # of the node that both want
	local v n=0
	for v in 0 1; do ! on_node $liar $v 0 || n=$((n + 1)); done
	echo $n
}
liar_has_some() { [ "$(liar_has)" -gt 0 ]; }
# Each half second, for so many.
watch() { # SECONDS
	local end=$((SECONDS + $1))
	looks=0 stays=0 most=0
	while [ $SECONDS -lt $end ]; do
		looks=$((looks + 1))
		! on_node $victim 0 0 || stays=$((stays + 1))
		[ "$(liar_has)" -le $most ] || most=$(liar_has)
		sleep 0.5
	done
	echo "# victim stays in $stays of $looks looks, the liar has $most of 2 CPUs at most"
}

begin_guests selftests/numa/lies-guest.sh || exit
for n in $guests; do check "guest $n is granted numa" "$pvxctl" grant --pid "$(pid $n)" numa; done
touch /run/pvx/go
check "both have memory" all_answer begin begun
for n in $guests; do check "guest $n's is on node 0" moved_to $n 0 0; done
check "the victim's module is loaded" all_answer load loaded
check "its vCPU comes to its memory" within 15 on_node $victim 0 0
check "the other guest lies" all_answer lie lies
check "and is placed there, too" within 15 liar_has_some
watch 40
check "the victim stays where it is" [ $stays -eq $looks ]
check "the liar has what is left" [ $most -eq 1 ]
check "it is revoked" "$pvxctl" revoke --pid "$(pid $liar)" numa
check "and has nothing" eval '! liar_has_some'
check "the victim stays" on_node $victim 0 0
check "the guests end" all_answer end ended
tap_done
