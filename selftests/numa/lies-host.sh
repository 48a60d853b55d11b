#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A guest that lies takes nothing from another one but what that has beyond its share. And a guest
# is placed inside of what its operator leaves it of each node. A host
# script for lab run --guests 0 --host-nodes 2 --host-cpus 4 --guest-cpus 2 --host-mem 2560
# with the modules pvx_host, pvx_host_numa and pvx_guest.
. "$PVX_TOP/selftests/lib/tap.sh"
guests="1 2"
. "$PVX_TOP/selftests/ksm/ask-host.sh"
. "$PVX_TOP/selftests/numa/vcpus.sh"
groups=(0 1)
victim=1 liar=2

victim_is_placed() { on_node $victim 0 0 && on_node $victim 1 1; }
liar_has() { # of the node that it claims to use
	local v n=0
	for v in 0 1; do ! on_node $liar $v 0 || n=$((n + 1)); done
	echo $n
}
liar_has_some() { [ "$(liar_has)" -gt 0 ]; }
# How often the host has taken what it says.
taken() { grep -c '^ret=[01]$' "/run/pvx/out/guest$liar/lies"; }
# For so many seconds; sets remote, the victim's remote accesses in a million.
watch() { # SECONDS
	local end=$((SECONDS + $1)) has ppm
	looks=0 stays=0 most=0 remote=0
	while [ $SECONDS -lt $end ]; do
		looks=$((looks + 1))
		! victim_is_placed || stays=$((stays + 1))
		has=$(liar_has)
		[ "$has" -le $most ] || most=$has
		ppm=$(remote_ppm $victim) || ppm=1000000
		remote=$((remote + ppm))
		sleep 0.5
	done
	remote=$((remote / looks))
	echo "# victim stays in $stays of $looks looks, with $remote remote of a million, and" \
		"the liar has $most of 2 CPUs at most"
}

echo 0 >$balancing
begin_guests selftests/numa/lies-guest.sh || exit
for n in $guests; do check "guest $n is granted numa" "$pvxctl" grant --pid "$(pid $n)" numa; done
touch /run/pvx/go
find_threads
check "both have memory" all_answer begin begun
for g in 0 1; do check "the victim's group $g is on node $g" moved_to $victim $g $g; done
for g in 0 1; do check "the other guest's group $g is on node 1" moved_to $liar $g 1; done
check "what it does not use is on node 0" moved_to $liar 2 0
check "the victim's module is loaded" all_answer load loaded
check "its vCPUs come to their memory" within 30 victim_is_placed
watch 15
before=$remote
check "next to nothing that it uses is remote" [ $before -le 100000 ]
check "the other guest lies" all_answer lie lies
check "and is placed on node 0" within 30 liar_has_some
before_lies=$(taken)
watch 90
check "the liar was heard all the time" [ "$(taken)" -ge $((before_lies + 10)) ]
check "the victim stays where it is" [ $stays -eq $looks ]
check "no more of its accesses is remote than before" [ $remote -le $((before + 10000)) ]
check "the liar has what is left" [ $most -eq 1 ]
check "it is revoked" "$pvxctl" revoke --pid "$(pid $liar)" numa
check "and has nothing" eval '! liar_has_some'
check "the victim stays" victim_is_placed

one_of_each="$(node_cpus 0 | sed 's/-.*//'),$(node_cpus 1 | sed 's/-.*//')"
may() { [ "$(allowed $victim 0)" = "$1" ] && [ "$(allowed $victim 1)" = "$2" ]; } # CPUS of vCPUs 0, 1
check "the operator gives vCPU 0 one CPU of each node" allow $victim 0 "$one_of_each"
check "of which it may use the one of its memory's" within 100 may "${one_of_each%,*}" "$(node_cpus 1)"
check "it is revoked" "$pvxctl" revoke --pid "$(pid $victim)" numa
check "and may use both again" may "$one_of_each" "$all_cpus"
cpuset=/sys/fs/cgroup/vm
# One that leaves all of the VMM's threads these.
put_in_cpuset() {
	mkdir $cpuset && echo "$one_of_each" >$cpuset/cpuset.cpus && pid $victim >$cpuset/cgroup.procs
}
mountpoint -q /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup
if echo +cpuset >/sys/fs/cgroup/cgroup.subtree_control; then
	check "it is granted again" "$pvxctl" grant --pid "$(pid $victim)" numa
	check "a cpuset has one CPU of each node" put_in_cpuset
	check "of which each may use its memory's" within 100 may "${one_of_each%,*}" "${one_of_each#*,}"
	check "it is revoked" "$pvxctl" revoke --pid "$(pid $victim)" numa
	check "and both may use all of the cpuset" may "$one_of_each" "$one_of_each"
else
	tap_skip "a cpuset" "none can be made"
fi
check "the guests end" all_answer end ended
tap_done
