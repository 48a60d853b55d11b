# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What is counted of fork-copy in a guest, and commands in cgroups there. Sourced by guest scripts.
counters=/sys/kernel/debug/pvx_guest/fork
cgroups=/sys/fs/cgroup

count() { awk -F= -v key="$1" '$1 == key { print $2 }' "${2:-$counters}"; } # KEY [FILE]
of_kernel() { awk -v key="$1" '$1 == key { print $2 }' /proc/vmstat; }
ooms() { of_kernel oom_kill; }
within() { # SECONDS COMMAND...
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}
found() { [ $(($(cat /sys/kernel/debug/pvx_guest/features) & 4)) -ne 0 ]; }

# may_limit CONTROLLER: whether cgroups can have that
may_limit() {
	mountpoint -q $cgroups || mount -t cgroup2 none $cgroups
	echo "+$1" >$cgroups/cgroup.subtree_control
}
enter() { # CGROUP COMMAND...
	sh -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' sh "$@"
}
