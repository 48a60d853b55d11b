#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# vCPUs come to where their memory is, and stay inside of what they are allowed. A host
# script for lab run --guests 0 --host-nodes 2 --host-cpus 4 --guest-cpus 4 with the modules
# pvx_host, pvx_host_numa and pvx_guest.
. "$PVX_TOP/selftests/lib/tap.sh"
guests=1
. "$PVX_TOP/selftests/ksm/ask-host.sh"
where=$PVX_TOP/build/selftests/numa/where
parameters=/sys/module/pvx_host_numa/parameters

hva() {
	qmp 1 '{"execute":"human-monitor-command","arguments":{"command-line":"gpa2hva 0"}}' |
		sed -n 's/.* is 0x\([0-9a-f]*\).*/\1/p'
}
thread() { # VCPU
	local t
	for t in /proc/"$(pid 1)"/task/*; do
		[ "$(cat "$t/comm")" != "CPU $1/KVM" ] || echo "${t##*/}"
	done
}
node_cpus() { cat "/sys/devices/system/node/node$1/cpulist"; }
allow() { # VCPU CPUS
	taskset -p -c "$2" "$(thread "$1")" >/dev/null
}
allowed() { # VCPU
	sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' "/proc/$(thread "$1")/status"
}
all_may() { for v in 0 1 2 3; do allow $v 0-3; done; }
on_node() { # VCPU NODE
	[ "$(allowed "$1")" = "$(node_cpus "$2")" ]
}
numa() { # KEY
	awk -F= -v key="numa_$1" '$1 == key { print $2 }' "/sys/kernel/debug/pvx_host/$(id 1)/features"
}
placed() { # NODES of vCPUs 0 to 3
	local v=0 node
	for node in "$@"; do
		on_node $v "$node" || return
		v=$((v + 1))
	done
}
is_free() { for v in 0 1 2 3; do [ "$(allowed $v)" = 0-3 ] || return; done; }
asked_for() { ask 60 "$1" && [ "$(answer 1)" = "$2" ]; }

begin_guests selftests/numa/guest.sh || exit
check "the guest is granted numa" "$pvxctl" grant --pid "$(pid 1)" numa
touch /run/pvx/go
# Each group's memory comes from the node on which the guest runs then.
for group in 0 1; do
	for v in 0 1 2 3; do allow $v "$(node_cpus $group)"; done
	check "group $group begins" asked_for "begin $group $((2 * group)),$((2 * group + 1))" begun
	echo "# pages on the nodes: $("$where" "$(pid 1)" "$(hva)" "/run/pvx/out/guest1/gfns.$group")"
done
# On the wrong nodes, where they may stay.
allow 0 "$(node_cpus 1)"; allow 1 "$(node_cpus 1)"; allow 2 "$(node_cpus 0)"; allow 3 "$(node_cpus 0)"
sleep 1
all_may
check "the guest's module is loaded" asked_for "load 200" loaded
check "vCPUs come to their memory" within 15 placed 0 0 1 1
grep numa_ "/sys/kernel/debug/pvx_host/$(id 1)/features" | sed 's/^/# /'
check "less than a tenth is remote" within 5 eval '[ "$(numa remote_permille)" -lt 100 ]'
ask 30 nodes && echo "# the guest reads: $(answer 1)"

check "the operator allows vCPU 0 node 1 only" allow 0 "$(node_cpus 1)"
sleep 3
check "which holds" [ "$(allowed 0)" = "$(node_cpus 1)" ]
check "he allows it all" allow 0 0-3
check "it comes back to its memory" within 5 placed 0 0 1 1
check "group 1's memory is moved to node 0" \
	"$where" "$(pid 1)" "$(hva)" /run/pvx/out/guest1/gfns.1 0
for group in 0 1; do
	echo "# pages on the nodes: $("$where" "$(pid 1)" "$(hva)" "/run/pvx/out/guest1/gfns.$group")"
done
sleep 8
# Its node has two CPUs only.
check "but no node has more than its CPUs" eval '[ "$(for v in 0 1 2 3; do allowed $v; done | sort | uniq -c | awk "\$1 > 2" | wc -l)" = 0 ] || is_free'
check "and it is moved back" "$where" "$(pid 1)" "$(hva)" /run/pvx/out/guest1/gfns.1 1
check "then vCPUs are where they were" within 70 placed 0 0 1 1
moves=$(numa moves)
sleep 30
check "a settled guest is left alone" [ "$(numa moves)" = "$moves" ]

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
check "a CPU of the host goes" eval 'echo 0 >/sys/devices/system/cpu/cpu3/online'
sleep 2
check "and the other one of its node" eval 'echo 0 >/sys/devices/system/cpu/cpu2/online'
sleep 3
for v in 0 1 2 3; do echo "# vCPU $v: $(allowed $v)"; done
echo 1 >/sys/devices/system/cpu/cpu2/online
echo 1 >/sys/devices/system/cpu/cpu3/online
check "they are back, and vCPUs where they were" within 70 placed 0 0 1 1
check "the host's module goes" rmmod pvx_host_numa
check "which gives them back" is_free
ask 30 counters && answer 1 | sed 's/^/# /'
check "the guest ends" asked_for end ended
tap_done
