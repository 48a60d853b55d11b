#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Copies leave some memory of each node to others, since who may have no other node's is killed
# for want of it. A guest script, for lab run --guest-append numa=fake=2 with the modules
# pvx_host, pvx_host_fork, pvx_guest and pvx_guest_fork.
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/fork/counts.sh"
writes=$PVX_TOP/build/selftests/fork/writes
mib() { # KEY: of node 0
	awk -v key="$1:" '$3 == key { print int($4 / 1024) }' /sys/devices/system/node/node0/meminfo
}
on_node_0() { # COMMAND...
	mkdir -p $cgroups/node0 && echo 0 >$cgroups/node0/cpuset.mems && enter $cgroups/node0 "$@"
}
# As much as could be had of it, with what files take.
left_mib() { echo $(($(mib MemFree) + $(mib "Active(file)") + $(mib "Inactive(file)"))); }
# Who copies, and keeps the copies for as long as it reads them: how much is left meanwhile?
node_left() { # MODE
	local pid least now privatised
	privatised=$(count privatised)
	least=$(left_mib)
	on_node_0 "$writes" "$most" "$1" child reads &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		now=$(left_mib)
		[ "$now" -ge "$least" ] || least=$now
		sleep 0.05
	done
	echo "$least MiB of $(mib MemTotal) MiB, $(($(count privatised) - privatised)) pages privatised"
	wait $pid && [ "$least" -ge $(($(mib MemTotal) / 8 - 1)) ] &&
		[ "$(count privatised)" -gt $((privatised + 2000)) ]
}

[ -d /sys/devices/system/node/node1 ] || tap_skip_all "one node"
may_limit cpuset || tap_skip_all "no cpusets"
check "the host has granted it" within 10 found

# What else is there could make way.
echo 3 >/proc/sys/vm/drop_caches
most=$(($(mib MemFree) * 7 / 10))
# An eighth is left to others, less what is on CPUs' lists.
more=$(($(mib MemTotal) / 8 - 4))
for mode in eager background; do
	before=$(ooms) ended=$(count no_memory) privatised=$(count privatised)
	check "$mode where its node has no room for all copies, of $most MiB" \
		on_node_0 "$writes" -m $more $most $mode child more
	tap_diag "$(($(count privatised) - privatised)) pages, $(mib MemFree) MiB left on node 0"
	check "something is privatised" [ "$(count privatised)" -gt $((privatised + 2000)) ]
	check "it was ended" [ "$(count no_memory)" -gt "$ended" ]
	check "and nobody is killed" [ "$(ooms)" = "$before" ]
	check "of its node about an eighth is left to others, $mode" node_left "$mode"
done
tap_done
