# SPDX-License-Identifier: GPL-2.0
#
# The NUMA cases: a guest of four vCPUs, two processes with memory of their own, each on two
# vCPUs, and the memory of each on one of the host's nodes. How many of their accesses are
# remote? Each accesses all of its memory alike, so it is what share of that is on other
# nodes than the vCPU's CPU.
set -u
guests=1
raw=$PVX_OUT/raw.tsv
. "$PVX_TOP/selftests/ksm/ask-host.sh"
. "$PVX_TOP/selftests/numa/vcpus.sh"
. "$PVX_TOP/scripts/bench/pairs.sh"
balancing=/proc/sys/kernel/numa_balancing
vcpus="0 1 2 3"
# Seconds until it counts, and for how many it does.
SETTLE=10 COUNT=20

fail() { echo "error: $1"; exit 1; }

record() { # PAIR ARM KEY VALUE
	printf '%s\t%s\t%s\t%s\n' "$@" >>"$raw"
}
recorded() { # PAIR ARM KEY
	awk -F'\t' -v p="$1" -v a="$2" -v k="$3" '$1 == p && $2 == a && $3 == k { n += $4 } END { print n + 0 }' "$raw"
}
asked_for() { ask 60 "$1" && [ "$(answer 1)" = "$2" ] || fail "$1: $(answer 1)"; }
allow_all() { # CPUS of vCPUs 0 and 1, and of 2 and 3
	allow 1 0 "$1" && allow 1 1 "$1" && allow 1 2 "$2" && allow 1 3 "$2" || fail "cannot set affinities"
}

# Nodes of the CPUs that vCPUs are on now.
nodes_of_vcpus() {
	local v cpu
	for v in $vcpus; do
		cpu=$(awk '{ sub(/.*\) /, ""); print $37 }' "/proc/$(pid 1)/task/${threads[$v]}/stat")
		echo "${node_of[$cpu]}"
	done
}

# Remote accesses in a million.
remote_ppm() {
	{ pages_on 1 0; pages_on 1 1; nodes_of_vcpus; } | awk '
	NR <= 2 { for (i = 1; i <= NF; i++) { on[NR, i - 1] = $i; all[NR] += $i } next }
	{ group = NR <= 4 ? 1 : 2; remote += 1 - on[group, $1] / all[group] }
	END { printf "%d\n", 1e6 * remote / (NR - 2) }'
}

begin_stock() { [ "$CASE" != numa-balancing ] || echo 1 >$balancing; }
end_stock() { echo 0 >$balancing; }
begin_pvx() {
	"$pvxctl" grant --pid "$(pid 1)" numa >/dev/null || fail "the guest is not granted numa"
	asked_for "load 5" loaded
}
end_pvx() {
	asked_for unload unloaded
	"$pvxctl" revoke --pid "$(pid 1)" numa >/dev/null
}

# How long until it is a tenth, and how much there is when it counts.
watch() { # PAIR ARM
	local begin=$SECONDS now=0 ppm local_at=
	while [ $now -lt $((SETTLE + COUNT)) ]; do
		ppm=$(remote_ppm)
		record "$1" "$2" remote_then "$ppm	$now"
		[ -n "$local_at" ] || [ "$ppm" -gt 100000 ] || local_at=$now
		[ $now -lt $SETTLE ] || record "$1" "$2" remote "$ppm"
		sleep 1
		now=$((SECONDS - begin))
	done
	record "$1" "$2" local_seconds "${local_at:-$now}"
}

measure() { # PAIR ARM
	pages_on 1 0 0 >/dev/null && pages_on 1 1 1 >/dev/null || fail "memory cannot be moved"
	allow_all "$(node_cpus 1)" "$(node_cpus 0)"
	sleep 1
	allow_all "$(all_cpus)" "$(all_cpus)"
	"begin_$2"
	watch "$1" "$2"
	"end_$2"
}

report() { # PAIR
	local key
	for key in remote local_seconds; do
		printf '%s %s and %s, ' "$key" "$(recorded "$1" stock $key)" "$(recorded "$1" pvx $key)"
	done
	echo
}

begin_guests selftests/numa/guest.sh || fail "the guest does not boot"
touch /run/pvx/go
declare -A threads node_of
for v in $vcpus; do threads[$v]=$(thread 1 $v); done
for node in /sys/devices/system/node/node[0-9]*; do
	for cpu in "$node"/cpu[0-9]*; do node_of[${cpu##*/cpu}]=${node##*/node}; done
done
asked_for "begin 0 0,1" begun
asked_for "begin 1 2,3" begun
for ((pair = $(next_pair); pair <= PAIRS; pair++)); do
	arms="stock pvx"
	((pair % 2)) || arms="pvx stock"
	for arm in $arms; do measure "$pair" "$arm"; done
	end_pair "$pair"
	echo "pair $pair/$PAIRS: $(report "$pair")"
done
ask 30 end
