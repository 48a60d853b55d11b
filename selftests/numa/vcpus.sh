# SPDX-License-Identifier: GPL-2.0
#
# Where vCPUs run, may run, and where the memory is that they use. Sourced by host scripts
# behind ask-host.sh.
where=$PVX_TOP/build/selftests/numa/where

hva() { # GUEST: of its memory
	qmp "$1" '{"execute":"human-monitor-command","arguments":{"command-line":"gpa2hva 0"}}' |
		sed -n 's/.* is 0x\([0-9a-f]*\).*/\1/p'
}
thread() { # GUEST VCPU
	local t
	for t in /proc/"$(pid "$1")"/task/*; do
		[ "$(cat "$t/comm")" != "CPU $2/KVM" ] || echo "${t##*/}"
	done
}
node_cpus() { cat "/sys/devices/system/node/node$1/cpulist"; }
all_cpus() { cat /sys/devices/system/cpu/online; }
allow() { # GUEST VCPU CPUS
	taskset -p -c "$3" "$(thread "$1" "$2")" >/dev/null
}
allowed() { # GUEST VCPU
	sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' "/proc/$(thread "$1" "$2")/status"
}
# pages_on GUEST GROUP [NODE]: how many of the group's pages are on each node; moved there first
pages_on() {
	"$where" "$(pid "$1")" "$(hva "$1")" "/run/pvx/out/guest$1/gfns.$2" ${3:-}
}
numa() { # GUEST KEY
	awk -F= -v key="numa_$2" '$1 == key { print $2 }' "/sys/kernel/debug/pvx_host/$(id "$1")/features"
}
