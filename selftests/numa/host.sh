#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# vCPUs come to where their memory is, and stay inside of what they are allowed. A host
# script for lab run --guests 0 --host-nodes 2 --host-cpus 4 --guest-cpus 4 --host-mem 2560
# with the modules pvx_host, pvx_host_numa and pvx_guest.
. "$PVX_TOP/selftests/lib/tap.sh"
guests=1
. "$PVX_TOP/selftests/ksm/ask-host.sh"
. "$PVX_TOP/selftests/numa/vcpus.sh"
parameters=/sys/module/pvx_host_numa/parameters

all_may() { for v in 0 1 2 3; do allow 1 $v "$all_cpus"; done; }
placed() { # NODES of vCPUs 0 to 3
	local v=0 node
	for node in "$@"; do
		on_node 1 $v "$node" || return
		v=$((v + 1))
	done
}
hardly_remote() {
	local permille
	permille=$(numa 1 remote_permille)
	[ "$permille" -ge 0 ] && [ "$permille" -lt 100 ]
}
# vCPUs that are held on a node, as many as it has CPUs at most
none_is_crowded() {
	local node v n
	for node in 0 1; do
		n=0
		for v in 0 1 2 3; do ! on_node 1 $v $node || n=$((n + 1)); done
		[ $n -le 2 ] || return
	done
}
is_free() { for v in 0 1 2 3; do [ "$(allowed 1 $v)" = "$all_cpus" ] || return; done; }
asked_for() { ask 60 "$1" && [ "$(answer 1)" = "$2" ]; }
# What the guest reads in /sys/kernel/pvx_numa, and there of changes.
reads() { ask 30 nodes && [[ " $(answer 1)" == *" $1 "* ]]; }
changes() { ask 30 nodes && answer 1 | sed 's/^changes:\([0-9]*\).*/\1/'; }
decisions_are_shown() {
	"$pvxctl" numa | grep -Eq 'vCPU 3 +node +1 to 1 +group' &&
		"$pvxctl" numa --json | grep -Eq '"decisions":[1-9].*"vcpu":3,"node":1,"want":1,"held":true'
}
calls() { sed -n 's/^calls=//p' "/sys/kernel/debug/pvx_host/$(id 1)/core"; }
calls_again() { [ "$(calls)" -gt $((before + 100)) ]; }
# Nothing is moved, and the guest hardly does more than to ask once a minute.
is_settled() {
	[ "${moves:-0}" -gt 0 ] && [ "$(numa 1 moves)" = "$moves" ] &&
		[ $(($(numa 1 calls) - before)) -le 2 ]
}
no_context() { [ -z "$(ls -d /sys/kernel/debug/pvx_host/[0-9]* 2>/dev/null)" ]; }

echo 0 >$balancing
begin_guests selftests/numa/guest.sh || exit
check "the guest is granted numa" "$pvxctl" grant --pid "$(pid 1)" numa
touch /run/pvx/go
# Each group's memory comes mostly from the node on which the guest runs then.
for group in 0 1; do
	for v in 0 1 2 3; do allow 1 $v "$(node_cpus $group)"; done
	check "group $group begins" asked_for "begin $group $((2 * group)),$((2 * group + 1))" begun
	check "its memory is on node $group" moved_to 1 $group $group
done
# On the wrong nodes, where they may stay.
for v in 0 1; do allow 1 $v "$(node_cpus 1)"; done
for v in 2 3; do allow 1 $v "$(node_cpus 0)"; done
sleep 1
all_may
check "the guest's module is loaded" asked_for "load 200" loaded
check "vCPUs come to their memory" within 15 placed 0 0 1 1
grep numa_ "/sys/kernel/debug/pvx_host/$(id 1)/features" | sed 's/^/# /'
check "less than a tenth is remote" within 5 hardly_remote
check "the guest reads which are on one node" within 10 reads "nodes:2 node0:0-1 node1:2-3"

"$pvxctl" numa | sed 's/^/# /'
check "pvxctl numa shows what was decided" decisions_are_shown
map=$PVX_OUT/map.svg
check "and a map of it is drawn" "$PVX_TOP/scripts/tune/pvx-numa-map" -o "$map" "$(id 1)"
check "to its end" grep -q "</svg>" "$map"

before=$(changes)
check "the operator allows vCPU 0 node 1 only" allow 1 0 "$(node_cpus 1)"
sleep 3
check "which holds" on_node 1 0 1
check "and the guest reads that something has changed" [ "$(changes)" -gt "$before" ]
check "he allows it all" allow 1 0 "$all_cpus"
check "it comes back to its memory" within 5 placed 0 0 1 1
check "group 1's memory is moved to node 0" moved_to 1 1 0
for group in 0 1; do
	echo "# pages on the nodes: $(pages_on 1 "$group")"
done
sleep 8
# Its node has two CPUs only.
check "but no node has more than its CPUs" none_is_crowded
# A block that both groups use, half of it at most, goes to where it is used more.
on_node_1() { memory_is_on 1 1 1 80; }
numad() { "$PVX_TOP/build/tune/pvx-numad" --once --verbose --rate 1000; }
check "pvx-numad moves it to its vCPUs" eval 'numad && within 40 eval "numad; on_node_1"'
grep numa_ "/sys/kernel/debug/pvx_host/$(id 1)/features" | sed 's/^/# /'
for group in 0 1; do echo "# pages on the nodes: $(pages_on 1 $group)"; done
check "and it is moved back" moved_to 1 1 1
check "then vCPUs are where they were" within 70 placed 0 0 1 1
moves=$(numa 1 moves) before=$(numa 1 calls)
sleep 30
check "a settled guest is left alone, and calls hardly ever" is_settled

check "policy advise" eval "echo advise >$parameters/policy"
check "gives them back" within 5 is_free
check "policy balance" eval "echo balance >$parameters/policy"
check "places them again" within 10 placed 0 0 1 1
check "it is revoked" "$pvxctl" revoke --pid "$(pid 1)" numa
check "which gives them back" is_free
check "it is granted again" "$pvxctl" grant --pid "$(pid 1)" numa
check "and they are placed again" within 70 placed 0 0 1 1
check "the guest's module goes" asked_for unload unloaded
check "which gives them back" is_free
check "it comes" asked_for "load 200" loaded
check "and they are placed again" within 15 placed 0 0 1 1
cpus=$(node_cpus 1)
set_cpu() { echo "$2" >"/sys/devices/system/cpu/cpu$1/online"; }
check "a CPU of the host goes" set_cpu "${cpus#*-}" 0
sleep 2
check "and the other one of its node" set_cpu "${cpus%-*}" 0
sleep 3
check "vCPUs run on" asked_for counters-are-there there
check "both come back" eval 'set_cpu "${cpus%-*}" 1 && set_cpu "${cpus#*-}" 1'
check "they are back, and vCPUs where they were" within 70 placed 0 0 1 1
ask 30 counters && answer 1 | sed 's/^/# /'

before=$(calls)
check "the guest calls all the time" asked_for flood floods
check "and is answered" within 20 calls_again
for i in 1 2 3; do
	check "the host's module goes meanwhile" rmmod pvx_host_numa
	check "which gives them back" is_free
	check "it comes" insmod "$PVX_BUILD/host/pvx_host_numa.ko"
	sleep 3
done
check "the guest calls no more than it has to" asked_for calm calm
# It may not have seen that the module was gone, and asks once a minute.
check "vCPUs are placed again" within 130 placed 0 0 1 1

kill -9 "$(pid 1)"
guests=
check "the VMM is killed, and nothing remains of it" within 20 no_context
check "the host's module goes" rmmod pvx_host_numa
tap_done
