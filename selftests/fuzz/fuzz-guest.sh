#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Hypercalls at random, on all vCPUs, while the host revokes and grants, reloads its modules,
# and looks at the VM: see fuzz-host.sh. A guest script for lab run with the modules pvx_host,
# pvx_host_yield, pvx_host_ksm, pvx_host_fork and pvx_host_numa. Its rounds are of 20000 calls,
# each with a seed of its own, which it prints. SEED repeats the first one of a run.
. "$PVX_TOP/selftests/lib/tap.sh"
params=/sys/module/pvx_fuzz/parameters
host=$PVX_OUT/../host
calls=${FUZZ_CALLS:-20000} seed=${SEED:-$((RANDOM * 32768 + RANDOM + 1))}
per_round=20000

# The page behind all memory; see lib/call.sh.
memory=$(awk -F '[- :]+' '/System RAM/ { end = $2 } END { print end }' /proc/iomem)
memory=$(((0x$memory / 0x100000 + 1) * 0x100000 / 4096))

total() { awk -F= -v key="$1" '$1 == key { n += $2 } END { print n + 0 }' "$PVX_OUT/rounds"; }

# round CALLS: no answer but those that there may be, and nothing was written elsewhere
round() {
	echo "$1" >$params/calls && echo $seed >$params/seed || return
	echo "# seed $seed, $1 calls"
	seed=$((seed + 1))
	cat /sys/kernel/debug/pvx_fuzz/run >"$PVX_OUT/round" || return
	cat "$PVX_OUT/round" >>"$PVX_OUT/rounds"
	grep -qx wrong=0 "$PVX_OUT/round" && grep -qx changed=0 "$PVX_OUT/round"
}

rounds() {
	local left=$calls n
	while [ "$left" -gt 0 ]; do
		n=$((left < per_round ? left : per_round))
		round $n || failed=$((failed + 1))
		left=$((left - n))
	done
}

# Sums of all rounds: at least one of each.
seen() { # KEY...
	local key
	for key in "$@"; do
		[ "$(total "$key")" -gt 0 ] || { echo "no $key"; return 1; }
	done
}

host_is() { # begun|through
	local i
	for i in $(seq 600); do
		[ ! -e "$host/$1" ] || return 0
		sleep 0.2
	done
	return 1
}

failed=0
insmod "$PVX_BUILD/selftests/fuzz/pvx_fuzz.ko" end_gfn=$memory || exit
: >"$PVX_OUT/rounds"
touch "$PVX_OUT/begun"
# Else few calls would be over by the time that it does anything.
check "the host begins" host_is begun
rounds
touch "$PVX_OUT/fuzzed"
check "the host is through with what it did meanwhile" host_is through
check "without a failure" [ "$(cat "$host/through")" = 0 ]
check "which was something" [ -s "$host/did" ]
sed 's/^/# the host: /' "$host/did"

# Nobody takes anything away now.
round 2000 || failed=$((failed + 1))
check "all is granted again" [ "$(grep -cE '^(nop|negotiate)_enosys=' "$PVX_OUT/round")" = 0 ]

for key in calls ms copied raced told $(grep -o '^[a-z]*_[a-z0-9]*' "$PVX_OUT/rounds" | sort -u); do
	echo "# $key=$(total "$key")"
done
check "all rounds went well ($failed did not)" [ $failed -eq 0 ]
check "no call had an answer that it may not have" [ "$(total wrong)" -eq 0 ]
check "no page was changed but targets" [ "$(total changed)" -eq 0 ]
check "all calls succeeded at times" seen negotiate_ok nop_ok yield_ok ksm_ok fork_ok numa_ok
check "pages were copied, and lists changed meanwhile" seen copied raced
check "lists were refused" seen ksm_data fork_entry numa_entry
check "arguments were refused" seen negotiate_version nop_arg0 yield_arg0 \
	ksm_arg0 ksm_arg1 ksm_arg2 fork_arg0 fork_arg1 fork_arg3 numa_arg0 numa_arg1 numa_arg2 numa_arg3
check "numbers that there are not were refused" seen other_enosys
check "the module goes" rmmod pvx_fuzz
tap_done
