# SPDX-License-Identifier: GPL-2.0
#
# The NUMA cases. In guests there are processes with memory of their own, each on its
# vCPUs, and memory and vCPUs are on the host's nodes. How many of their accesses are remote? A
# process accesses all of its memory alike, so it is what share of that is on other nodes than
# its vCPU's CPU. See describe_case() in lib.sh for what each case is.
case $CASE in
numa-compete) guests="1 2" ;;
*) guests=1 ;;
esac
. "$PVX_TOP/scripts/bench/host-common.sh"
. "$PVX_TOP/selftests/numa/vcpus.sh"
balancing=/proc/sys/kernel/numa_balancing
# Seconds until it counts, and for how many it does.
SETTLE=10 COUNT=20

asked_for() { # QUESTION ANSWER: of all guests
	local n
	ask 90 "$1" || fail "$1: no answer"
	for n in $guests; do [ "$(answer "$n")" = "$2" ] || fail "$1: $(answer "$n")"; done
}

# --- what is where -----------------------------------------------------------

# Which group of processes runs on each of a guest's vCPUs, and where each group's memory is
# put: on a node, or on several alike.
case $CASE in
numa-compete) groups=(0 1) memory=(0 0,1) ;;
*) groups=(0 0 1 1) memory=(0 1) ;;
esac
vcpus=${!groups[*]}
nodes=$(ls -d /sys/devices/system/node/node[0-9]* | wc -l)

declare -A tid node_of
find_threads() {
	local n v node cpu
	for n in $guests; do for v in $vcpus; do tid[$n.$v]=$(thread "$n" "$v"); done; done
	for node in /sys/devices/system/node/node[0-9]*; do
		for cpu in "$node"/cpu[0-9]*; do node_of[${cpu##*/cpu}]=${node##*/node}; done
	done
}
allow_vcpus() { # GROUP CPUS
	local n v
	for n in $guests; do
		for v in $vcpus; do
			[ "${groups[$v]}" -ne "$1" ] || taskset -p -c "$2" "${tid[$n.$v]}" >/dev/null ||
				fail "cannot set an affinity"
		done
	done
}
allow_all() { allow_vcpus 0 "$all_cpus" && allow_vcpus 1 "$all_cpus"; }
put_memory() { # GROUP NODE
	local n
	for n in $guests; do pages_on "$n" "$1" "$2" >/dev/null || fail "memory cannot be moved"; done
}
# Each vCPU where its memory is not, and free to leave.
put_all_wrong() {
	local g
	for g in 0 1; do put_memory $g "${memory[$g]}"; done
	allow_vcpus 0 "$(node_cpus 1)"
	allow_vcpus 1 "$(node_cpus 0)"
	sleep 1
	allow_all
}

node_of_vcpu() { # GUEST VCPU
	local stat
	stat=$(<"/proc/$(pid "$1")/task/${tid[$1.$2]}/stat")
	set -- ${stat##*) }
	echo "${node_of[${37}]}"
}
# Remote accesses of a guest in a million; nothing, and false, if that cannot be told.
remote_ppm() { # GUEST
	local g v ppm
	ppm=$({
		for g in 0 1; do echo "memory $g $(pages_on "$1" $g)"; done
		for v in $vcpus; do echo "vcpu ${groups[$v]} $(node_of_vcpu "$1" "$v")"; done
	} | awk '
	$1 == "memory" { for (i = 3; i <= NF; i++) { on[$2, i - 3] = $i; all[$2] += $i } next }
	!all[$2] { exit }
	{ n++; remote += 1 - on[$2, $3] / all[$2] }
	END { if (n) printf "%d\n", 1e6 * remote / n }')
	[ -n "$ppm" ] && echo "$ppm"
}
is_local() { # GUEST: but for a twentieth
	local ppm
	ppm=$(remote_ppm "$1") && [ "$ppm" -le 50000 ]
}
# vCPUs that a node has beyond what is its: its CPUs, or where there are more vCPUs, its part.
crowded() {
	local n v all=$(($(wc -w <<<"$guests") * ${#groups[@]})) cpus=$((${all_cpus#*-} - ${all_cpus%-*} + 1))
	for n in $guests; do
		for v in $vcpus; do allowed "$n" "$v"; done
	done | awk -v most=$(((all > cpus ? all : cpus) / nodes)) -v anywhere="$all_cpus" '
	$1 != anywhere { held[$1]++ }
	END { for (cpus in held) if (held[cpus] - most > n) n = held[cpus] - most; print n + 0 }'
}

# --- the arms ----------------------------------------------------------------

begin_stock() { [ "$CASE" != numa-balancing ] || echo 1 >$balancing; }
end_stock() { echo 0 >$balancing; }
begin_pvx() {
	local n
	for n in $guests; do
		"$pvxctl" grant --pid "$(pid "$n")" numa >/dev/null || fail "guest $n is not granted numa"
	done
	asked_for "load 5" loaded
}
end_pvx() {
	local n
	asked_for unload unloaded
	for n in $guests; do "$pvxctl" revoke --pid "$(pid "$n")" numa >/dev/null; done
}

# --- remote accesses over time: numa-2, numa-4, numa-balancing, numa-compete ----

watch() { # PAIR ARM
	local begin=$SECONDS now=0 n ppm looks=0
	local -a sum=()
	while [ $now -lt $((SETTLE + COUNT)) ]; do
		for n in $guests; do
			ppm=$(remote_ppm "$n") || fail "it cannot be told where guest $n's memory is"
			record "$1" "$2" "remote_then_$n" "$ppm	$now"
			[ $now -lt $SETTLE ] || sum[n]=$((${sum[n]:-0} + ppm))
		done
		[ $now -lt $SETTLE ] || looks=$((looks + 1))
		record "$1" "$2" crowded "$(crowded)"
		sleep 1
		now=$((SECONDS - begin))
	done
	for n in $guests; do record "$1" "$2" "remote_$n" $((sum[n] / looks)); done
}
measure_remote() { # PAIR ARM
	put_all_wrong
	"begin_$2"
	watch "$1" "$2"
	"end_$2"
}
report_remote() { # PAIR
	local n
	for n in $guests; do
		printf 'guest %s: %s and %s remote of a million, ' "$n" \
			"$(recorded "$1" stock "remote_$n")" "$(recorded "$1" pvx "remote_$n")"
	done
	echo "$(recorded "$1" pvx crowded) on a node that is full"
}

# --- how soon it is local again: numa-move -------------------------------------

# How long it takes until it is local again, with what is done for it.
until_local() { # PAIR KEY COMMAND...
	local pair=$1 key=$2 begin=${EPOCHREALTIME/./}
	shift 2
	"$@"
	within 60 is_local 1 || fail "$key: it is never local again"
	record "$pair" pvx "$key" $(((${EPOCHREALTIME/./} - begin) / 1000))
}
swap_cpus() {
	allow_vcpus 0 "$(node_cpus 1)"
	allow_vcpus 1 "$(node_cpus 0)"
	sleep 3
	! is_local 1 || fail "vCPUs are not where their operator wants them"
}
swap_memory() { put_memory 0 1; put_memory 1 0; }
swap_memory_back() { put_memory 0 0; put_memory 1 1; }

measure_move() { # PAIR pvx
	put_all_wrong
	begin_pvx
	within 60 is_local 1 || fail "it is never local"
	# What is decided holds for a while; the next one is to be on its merits.
	sleep 5
	swap_cpus
	until_local "$1" cpus_ms allow_all
	sleep 5
	until_local "$1" memory_ms swap_memory
	swap_memory_back
	within 60 is_local 1 || fail "it is never local again"
	end_pvx
}
report_move() { # PAIR
	echo "local again $(recorded "$1" pvx cpus_ms) ms after CPUs and $(recorded "$1" pvx memory_ms) ms after memory were moved"
}

# --- a guest that goes on as it was: numa-settled -------------------------------

calls() {
	ask 30 counters || fail "no counters"
	answer 1 | awk -F= '$1 == "calls" { print $2 }'
}
measure_settled() { # PAIR pvx
	local before
	if [ -z "${settled:-}" ]; then
		put_all_wrong
		begin_pvx
		# What is told anew gets twice as far apart each time, up to a minute.
		sleep 240
		is_local 1 && [ "$(calls)" -gt 0 ] || fail "it has not settled"
		settled=yes
	fi
	before=$(calls)
	sleep 60
	record "$1" pvx calls $(($(calls) - before))
	record "$1" pvx decisions "$(numa 1 decisions)"
}
report_settled() { echo "$(recorded "$1" pvx calls) calls in a minute"; }

# --- a guest whose processes change places: numa-flap ---------------------------

# Every few seconds, as fast as would be followed without hysteresis.
measure_flap() { # PAIR pvx
	local begin before
	put_all_wrong
	begin_pvx
	begin=$SECONDS before=$(numa 1 decisions)
	while [ $((SECONDS - begin)) -lt 60 ]; do
		asked_for "run-on 1 0" runs
		sleep 4
		asked_for "run-on 0 1" runs
		sleep 4
	done
	[ "$(numa 1 moves)" -gt 0 ] || fail "nothing was moved"
	record "$1" pvx decisions $((($(numa 1 decisions) - ${before:-0}) * 60 / (SECONDS - begin)))
	end_pvx
}
report_flap() { echo "$(recorded "$1" pvx decisions) decisions in a minute"; }

# --- all of them ----------------------------------------------------------------

kind=remote
case $CASE in
numa-move|numa-settled|numa-flap)
	kind=${CASE#numa-}
	# Nothing that could be compared: stock does none of it.
	arms_of() { echo pvx; } ;;
esac
measure() { "measure_$kind" "$@"; }
report() { "report_$kind" "$@"; }

echo 0 >$balancing
begin_guests selftests/numa/guest.sh || fail "a guest does not boot"
touch /run/pvx/go
find_threads
for g in 0 1; do
	cpus=$(for v in $vcpus; do [ "${groups[$v]}" -ne $g ] || echo "$v"; done | paste -sd,)
	asked_for "begin $g $cpus" begun
done
measure_pairs
ask 30 end
