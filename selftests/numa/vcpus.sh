# SPDX-License-Identifier: GPL-2.0
#
# Where vCPUs run, may run, and where the memory is that they use. Sourced by host scripts
# behind ask-host.sh.
where=$PVX_TOP/build/selftests/numa/where remote=$PVX_TOP/build/selftests/numa/remote
# The host's own moves memory to where vCPUs just run, and vCPUs too. Tests turn it off.
balancing=/proc/sys/kernel/numa_balancing

# What find_threads has found, since each program that is started takes its time there.
declare -A tid hva_of id_of
thread() { # GUEST VCPU
	local t name
	[ -z "${tid[$1.$2]:-}" ] || { echo "${tid[$1.$2]}"; return; }
	for t in /proc/"$(pid "$1")"/task/*; do
		read -r name <"$t/comm"
		[ "$name" != "CPU $2/KVM" ] || echo "${t##*/}"
	done
}
# Guests have these; the laboratory may keep one for itself.
all_cpus=$HOST_CPU_LIST
# Of a node. They follow each other.
node_cpus() { # NODE
	local cpu first= last=
	for ((cpu = ${all_cpus%-*}; cpu <= ${all_cpus#*-}; cpu++)); do
		[ -e "/sys/devices/system/node/node$1/cpu$cpu" ] || continue
		: "${first:=$cpu}"
		last=$cpu
	done
	[ "$first" = "$last" ] && echo "$first" || echo "$first-$last"
}
allow() { # GUEST VCPU CPUS
	taskset -p -c "$3" "$(thread "$1" "$2")" >/dev/null
}
allowed() { # GUEST VCPU
	local key value
	while read -r key value; do
		[ "$key" != Cpus_allowed_list: ] || echo "$value"
	done <"/proc/$(thread "$1" "$2")/status"
}
on_node() { # GUEST VCPU NODE: and nowhere else
	local cpus
	cpus=$(node_cpus "$3")
	[ -n "$cpus" ] && [ "$(allowed "$1" "$2")" = "$cpus" ]
}
# pages_on GUEST GROUP [NODE[,NODE...] | until NODE PERCENT]: how many of the group's pages are on
# each node; moved there first, to these in turn, or when so many are there, see where.c
pages_on() {
	"$where" "$(pid "$1")" "${hva_of[$1]:-$(hva "$1")}" "/run/pvx/out/guest$1/gfns.$2" "${@:3}"
}
memory_is_on() { # GUEST GROUP NODE [PERCENT]: so much of it at least, 90 unless told
	pages_on "$1" "$2" | awk -v node="$3" -v percent="${4:-90}" '
	{ for (i = 1; i <= NF; i++) all += $i; on = $(node + 1) + 0 }
	END { exit !all || (on < percent / 100 * all) }'
}
moved_to() { # GUEST GROUP NODE
	pages_on "$1" "$2" "$3" >/dev/null && memory_is_on "$1" "$2" "$3"
}
numa() { # GUEST KEY
	awk -F= -v key="numa_$2" '$1 == key { print $2 }' "/sys/kernel/debug/pvx_host/${id_of[$1]:-$(id "$1")}/features"
}

# --- how much of what a guest uses is remote --------------------------------------
# $groups: which group's process runs on each vCPU, in ascending order. A process accesses
# all of its memory alike, so it is what share of that is on other nodes than its vCPU is.
find_threads() { # once; threads stay
	local n v
	for n in $guests; do
		hva_of[$n]=$(hva "$n") id_of[$n]=$(id "$n")
		for v in "${!groups[@]}"; do tid[$n.$v]=$(thread "$n" "$v"); done
	done
}
# In a million; nothing, and false, if that cannot be told.
remote_ppm() { # GUEST
	local v args=()
	for v in "${!groups[@]}"; do
		args+=("${tid[$1.$v]}" "/run/pvx/out/guest$1/gfns.${groups[$v]}")
	done
	"$remote" "$(pid "$1")" "${hva_of[$1]}" "${args[@]}"
}
