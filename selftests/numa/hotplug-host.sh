#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What is known of a guest stays right when vCPUs and memory are plugged in and out, and when a
# balloon takes memory. See placed.sh.
. "$PVX_TOP/selftests/numa/placed.sh"

third="CPU 2/KVM"
is_there() { grep -qsx "$1" /proc/"$(pid 1)"/task/*/comm; } # THREAD
is_gone() { ! is_there "$1"; }
plug_vcpu() {
	qmp 1 '{"execute":"device_add","arguments":{"driver":"host-x86_64-cpu","id":"third",
		"socket-id":0,"die-id":0,"core-id":2,"thread-id":0}}'
}
dimm_bytes=$((256 << 20))
plug_memory() { # NODE
	qmp 1 '{"execute":"object-add","arguments":{"qom-type":"memory-backend-ram","id":"more",
		"size":'$dimm_bytes',"policy":"bind","host-nodes":['"$1"']}}' &&
		qmp 1 '{"execute":"device_add","arguments":{"driver":"pc-dimm","id":"dimm","memdev":"more"}}'
}
unplug() { qmp 1 '{"execute":"device_del","arguments":{"id":"'"$1"'"}}'; } # DEVICE
has_no_dimm() {
	local said
	said=$(qmp 1 '{"execute":"query-memory-devices"}') &&
		! [[ $said =~ '"id": '*'"dimm"' ]]
}
set_balloon() { qmp 1 '{"execute":"balloon","arguments":{"value":'$(($1 << 20))'}}'; } # MIB of memory
memory_mib() { # that the balloon leaves
	local bytes
	bytes=$(qmp 1 '{"execute":"query-balloon"}' | sed -n 's/.*"actual": *\([0-9]*\).*/\1/p')
	echo $((bytes >> 20))
}
has_memory() {
	local mib
	mib=$(memory_mib)
	[ "$mib" -eq "$1" ] || { echo "it has $mib MiB" >&2; return 1; }
}
# All of a group's pages lie behind what the guest began with.
is_new_memory() { # GROUP
	od -A n -v -t u8 -w8 "/run/pvx/out/guest1/gfns.$1" |
		awk '{ n++; new += $1 >= 2 ^ 20 } END { exit !n || new < .9 * n }'
}
begin_on_third() { asked_for "begin $1 2" begun; } # GROUP
# Of the VMM's memory what it has bound to node 0.
bound_memory() { grep ' bind:0 ' "/proc/$(pid 1)/numa_maps"; }
# Of the addresses in some lines those that are bound.
bound() {
	local from address
	from=0x$(bound_memory | cut -d' ' -f1)
	grep -oE '0x[0-9a-f]+' | while read -r address; do
		[ $((address)) -lt $((from)) ] || [ $((address)) -ge $((from + dimm_bytes)) ] ||
			echo "$address"
	done
}
advised() {
	[ -n "$(grep '^numa_advice[0-9]*=[^ ]* [^ ]* 1 ' "/sys/kernel/debug/pvx_host/$(id 1)/features" |
		bound)" ]
}
stays_bound() {
	local said
	said=$("$PVX_TOP/build/tune/pvx-numad" --once --verbose) || return
	echo "$said"
	bound_memory
	[ -z "$(grep "to node 1" <<<"$said" | bound)" ] && bound_memory | grep ' N0=' | grep -v ' N1='
}
# Anew, and soon: what it knew was forgotten.
is_told_anew() { # CALLS before
	[ "$(numa 1 calls)" -gt "$1" ] && [ "$(numa 1 block_bytes)" -gt 0 ]
}
stays_on() { # VCPU NODE
	local i
	for i in $(seq 10); do
		on_node 1 "$1" "$2" || { echo "it may be on $(allowed 1 "$1")"; tell_features; return 1; }
		sleep 1
	done
}

begin_placed -smp maxcpus=3 -m slots=1,maxmem=2G -device virtio-balloon-pci

check "a vCPU is plugged in" plug_vcpu
check "it has a thread" within 30 is_there "$third"
check "the guest uses it" asked_for "set-cpu 2 1" set
check "vCPUs are placed again" within 100 placed 0 1
check "a third group begins on it" begin_on_third 2
check "the group's memory is on node 1" moved_to 1 2 1
check "the new vCPU comes there" within 100 on_node 1 2 1
tell_features

check "the guest waits for memory" asked_for await-memory awaits
check "memory is plugged in, on node 0" plug_memory 0
check "the guest has it" within 60 asked_for has-memory has
check "the third group ends" asked_for "stop 2" stopped
check "a fourth begins" begin_on_third 3
check "its memory is what is new" is_new_memory 3
check "the new vCPU comes there" within 100 on_node 1 2 0
check "and the others are placed" within 100 placed 0 1
tell_features

# Its VMM has bound what was plugged in to node 0.
check "the operator wants the new vCPU on node 1" allow 1 2 "$(node_cpus 1)"
check "the group's memory would be better there" within 60 advised
check "but pvx-numad leaves it where it is bound" stays_bound

check "the fourth group ends" asked_for "stop 3" stopped
check "the guest leaves the vCPU" asked_for "set-cpu 2 0" set
check "it is plugged out" unplug third
check "and its thread ends" within 30 is_gone "$third"
check "the guest leaves the memory" asked_for leave-memory left
calls=$(numa 1 calls)
check "it is plugged out" unplug dimm
check "and gone" within 30 has_no_dimm
check "the host is told anew" within 20 is_told_anew "$calls"
check "vCPUs are placed" within 100 placed 0 1
tell_features

check "the guest has a balloon" asked_for load-balloon loaded
# What a process had is the balloon's then, and what it has later lies elsewhere.
check "group 1 ends" asked_for "stop 1" stopped
check "the balloon takes its memory" set_balloon $((GUEST_MEM - 64))
check "which it has then" within 120 has_memory $((GUEST_MEM - 64))
check "vCPU 0 stays where it is" stays_on 0 0
check "the balloon gives memory back" set_balloon "$GUEST_MEM"
check "all of it" within 120 has_memory "$GUEST_MEM"
check "vCPU 0 stays where it is" stays_on 0 0
check "group 1 begins anew" asked_for "begin 1 1" begun
check "its memory is on node 0" moved_to 1 1 0
check "and group 0's on node 1" moved_to 1 0 1
check "vCPUs come there" within 100 placed 1 0
tell_features
check "it is revoked" "$pvxctl" revoke --pid "$(pid 1)" numa
check "which gives vCPUs back what they were allowed" is_free
check "the guest ends" all_answer end ended
tap_done
