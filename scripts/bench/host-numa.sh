# SPDX-License-Identifier: GPL-2.0
#
# The NUMA cases. In guests there are processes with memory of their own, each on its
# vCPUs, and memory and vCPUs are on the host's nodes. How many of their accesses are remote?
# See describe_case() in lib.sh for what each case is.
case $CASE in
numa-compete) guests="1 2" ;;
*) guests=1 ;;
esac
. "$PVX_TOP/scripts/bench/host-common.sh"
. "$PVX_TOP/selftests/numa/vcpus.sh"
# Seconds until it counts, and for how many it does.
SETTLE=10 COUNT=20

asked_for() { # QUESTION ANSWER: of all guests
	local n
	ask 90 "$1" || fail "$1: no answer"
	for n in $guests; do [ "$(answer "$n")" = "$2" ] || fail "$1: $(answer "$n")"; done
}

# --- what is where -----------------------------------------------------------

# Which group of processes runs on each of a guest's vCPUs; and for each group, where its
# memory is put, on a node or in turn on several, and on which node its vCPUs begin.
case $CASE in
numa-4) groups=(0 1 2 3) memory=(0 1 2 3) wrong=(1 2 3 0) ;;
# All vCPUs of both guests are best on node 0, which has CPUs for half of them.
numa-compete) groups=(0 1) memory=(0 0,0,0,1) wrong=(1 0) ;;
*) groups=(0 0 1 1) memory=(0 1) wrong=(1 0) ;;
esac
vcpus=${!groups[*]}
nodes=$(ls -d /sys/devices/system/node/node[0-9]* | wc -l)
# What vCPUs a node may have: as many as its CPUs, or where there are more vCPUs, its part.
cpus=$((${all_cpus#*-} - ${all_cpus%-*} + 1))
room=$(($(wc -w <<<"$guests") * ${#groups[@]}))
room=$(((room > cpus ? room : cpus) / nodes))

allow_vcpus() { # GROUP CPUS
	local n v
	for n in $guests; do
		for v in $vcpus; do
			[ "${groups[$v]}" -ne "$1" ] || taskset -p -c "$2" "${tid[$n.$v]}" >/dev/null ||
				fail "cannot set an affinity"
		done
	done
}
allow_all() {
	local g
	for g in "${!memory[@]}"; do allow_vcpus "$g" "$all_cpus"; done
}
put_memory() { # GROUP NODE
	local n
	for n in $guests; do pages_on "$n" "$1" "$2" >/dev/null || fail "memory cannot be moved"; done
}
# Each vCPU where its memory is not, and free to leave.
put_all_wrong() {
	local g
	for g in "${!memory[@]}"; do
		put_memory "$g" "${memory[$g]}"
		allow_vcpus "$g" "$(node_cpus "${wrong[$g]}")"
	done
	sleep 1
	allow_all
}

is_local() { # GUEST: but for a twentieth
	local ppm
	ppm=$(remote_ppm "$1") && [ "$ppm" -le 50000 ]
}
# What follows starts no program: each takes a fifth of a second there, or more.
# Sets $crowded to how many vCPUs are held on a node beyond its room, if more.
look_who_is_held() {
	local thread key value
	local -A held=()
	for thread in "${threads[@]}"; do
		while read -r key value; do
			[ "$key" != Cpus_allowed_list: ] || break
		done <"$thread/status"
		[ "$value" != "$all_cpus" ] || continue
		held[$value]=$((${held[$value]:-0} + 1))
		[ $((held[$value] - room)) -le $crowded ] || crowded=$((held[$value] - room))
	done
}
node_of=()
for node in /sys/devices/system/node/node[0-9]*; do
	for cpu in "$node"/cpu[0-9]*; do node_of[${cpu##*/cpu}]=${node##*/node}; done
done
# Sets $nodes_now to the node of each vCPU, guest by guest, all at one time, or as nearly as that
# can be told.
look_where_they_are() {
	local thread stat at=()
	for thread in "${threads[@]}"; do
		read -r stat <"$thread/stat"
		at+=("${stat##*) }")
	done
	nodes_now=()
	for stat in "${at[@]}"; do
		set -- $stat
		nodes_now+=("${node_of[${37}]}")
	done
}
# Are there more than that on a node just now, held or not?
is_overfull() {
	local node on=()
	look_where_they_are
	for node in "${nodes_now[@]}"; do
		on[node]=$((${on[node]:-0} + 1))
		[ "${on[node]}" -le "$room" ] || return 0
	done
	return 1
}

# --- the arms ----------------------------------------------------------------

balance() { echo "$1" >$balancing || fail "the host's NUMA balancing cannot be set"; } # 0|1
begin_stock() { [ "$CASE" != numa-balancing ] || balance 1; }
end_stock() { balance 0; }
grant() {
	local n
	for n in $guests; do
		"$pvxctl" grant --pid "$(pid "$n")" numa >/dev/null || fail "guest $n is not granted numa"
	done
}
revoke() {
	local n
	for n in $guests; do "$pvxctl" revoke --pid "$(pid "$n")" numa >/dev/null; done
}
begin_pvx() { grant && asked_for "load 5" loaded; }
end_pvx() { asked_for unload unloaded && revoke; }

# --- remote accesses over time: numa-2, numa-4, numa-balancing, numa-compete ----

look_for_room() {
	looks_for_room=$((looks_for_room + 1))
	! is_overfull || overfull=$((overfull + 1))
}
watch() { # PAIR ARM BEGIN
	local begin=$3 now=$((SECONDS - $3)) n ppm looks=0 looks_for_room=0 overfull=0 crowded=0
	local -a sum=()
	while [ $now -lt $((SETTLE + COUNT)) ]; do
		for n in $guests; do
			ppm=$(remote_ppm "$n") || fail "it cannot be told where guest $n's memory is"
			record "$1" "$2" "remote_then_$n" "$ppm	$now"
			[ $now -lt $SETTLE ] || sum[n]=$((${sum[n]:-0} + ppm))
		done
		if [ $now -ge $SETTLE ]; then
			looks=$((looks + 1))
			look_who_is_held
		fi
		for n in 1 2 3 4 5; do
			[ $now -lt $SETTLE ] || look_for_room
			read -rt 0.2 -u $never
		done
		now=$((SECONDS - begin))
	done
	[ $looks -gt 0 ] || fail "it takes too long to begin"
	for n in $guests; do record "$1" "$2" "remote_$n" $((sum[n] / looks)); done
	record "$1" "$2" overfull $((1000 * overfull / looks_for_room))
	record "$1" "$2" crowded $crowded
}
# It counts from before anybody is told to begin, which takes seconds in one arm only.
measure_remote() { # PAIR ARM
	local begin
	put_all_wrong
	begin=$SECONDS
	"begin_$2"
	watch "$1" "$2" "$begin"
	"end_$2"
}
report_remote() { # PAIR
	local n
	for n in $guests; do
		printf 'guest %s: %s and %s remote of a million, ' "$n" \
			"$(recorded "$1" stock "remote_$n")" "$(recorded "$1" pvx "remote_$n")"
	done
	echo "$(recorded "$1" pvx crowded) held on a node that is full; too many are on one in" \
		"$(recorded "$1" stock overfull) and $(recorded "$1" pvx overfull) of 1000 looks"
}

# --- how soon it is local again: numa-move -------------------------------------

# vCPUs are on these nodes, by groups. Where memory does not move that tells as much as to count
# it all, and is told at once.
are_on() { # NODE...
	local v want=()
	for v in $vcpus; do want+=("${@:groups[v]+1:1}"); done
	look_where_they_are
	[ "${nodes_now[*]}" = "${want[*]}" ]
}
# How long it takes until it is local again: up to when it was looked, and then it is counted.
until_local() { # PAIR KEY SINCE NODE...: where the groups' memory is
	local pair=$1 key=$2 since=$3 at end=$((SECONDS + 60))
	shift 3
	until
		at=$(now_us)
		are_on "$@"
	do
		[ $SECONDS -lt $end ] || fail "$key: it is never local again"
		sleep 0.1
	done
	within 5 is_local 1 || fail "$key: it is not local"
	record "$pair" pvx "$key" $(((at - since) / 1000))
}
swap_cpus() {
	allow_vcpus 0 "$(node_cpus 1)"
	allow_vcpus 1 "$(node_cpus 0)"
	within 20 eval '! is_local 1' || fail "vCPUs are not where their operator wants them"
}
swap_memory() { put_memory 0 1; put_memory 1 0; }
# Memory that stays where it was would be local at once.
memory_is_swapped() { memory_is_on 1 0 1 && memory_is_on 1 1 0 || fail "memory was not moved"; }
swap_memory_back() { moved_to 1 0 0 && moved_to 1 1 1 || fail "memory was not moved back"; }

measure_move() { # PAIR pvx
	local since
	put_all_wrong
	begin_pvx
	within 60 is_local 1 || fail "it is never local"
	# What is decided holds for a while; the next one is to be on its merits.
	sleep 5
	swap_cpus
	allow_all
	since=$(now_us)
	until_local "$1" cpus_ms "$since" 0 1
	sleep 5
	# To move so much takes seconds by itself.
	swap_memory
	since=$(now_us)
	until_local "$1" memory_ms "$since" 1 0
	memory_is_swapped
	swap_memory_back
	within 60 is_local 1 || fail "it is never local again"
	sleep 5
	follow "$1"
	end_pvx
}
# Where the operator keeps vCPUs on other nodes, memory has to come to them: four fifths, since a
# block that both groups use stays where it is used more.
follow() { # PAIR
	local since at_us group numad
	"$PVX_TOP/build/tune/pvx-numad" --rate 256 >"$PVX_OUT/numad" & numad=$!
	allow_vcpus 0 "$(node_cpus 1)"
	allow_vcpus 1 "$(node_cpus 0)"
	since=$(now_us)
	for group in 0 1; do
		pages_on 1 $group until $((1 - group)) 80 >/dev/null || fail "memory does not follow"
	done
	at_us=$(now_us)
	kill $numad
	wait $numad
	record "$1" pvx follow_ms $(((at_us - since) / 1000))
	allow_all
}
report_move() { # PAIR
	echo "local again $(recorded "$1" pvx cpus_ms) ms after CPUs and" \
		"$(recorded "$1" pvx memory_ms) ms after memory were moved;" \
		"$(recorded "$1" pvx follow_ms) ms where memory has to follow"
}

# --- a guest that goes on as it was: numa-settled -------------------------------

# Of PVX_HC_NUMA, as the host counts them. That the guest's core negotiates each second is
# not among them: it does so in both arms, and so with or without hints, for all features.
calls() { numa 1 calls; }
# Of all kinds, as KVM counts them.
exits() { cat "/sys/kernel/debug/kvm/$(pid 1)"-*/exits; }
count_exits() { # PAIR ARM KEY SECONDS: in a minute, by so many seconds in which there are some
	local before after
	before=$(exits) && sleep "$4" && after=$(exits) && [ "$after" -gt "$before" ] ||
		fail "exits cannot be counted"
	record "$1" "$2" "$3" $(((after - before) * 60 / $4))
}
count_busy() { count_exits "$1" "$2" exits 60; } # PAIR ARM: while all processes run
count_idle() { # PAIR ARM: and while none does, from when it has told what was last
	local asking calls
	ask 100 "rest 55" & asking=$!
	sleep 15
	calls=$(calls)
	count_exits "$1" "$2" idle_exits 30
	[ "$2" = stock ] || record "$1" "$2" idle_calls $(($(calls) - calls))
	wait $asking && [ "$(answer 1)" = rested ] || fail "the guest did not rest"
}
# All of stock's come first, since to settle takes minutes.
settle() { # PAIR
	local pair
	for ((pair = $1; pair <= PAIRS; pair++)); do
		count_busy $pair stock
		count_idle $pair stock
	done
	put_all_wrong
	begin_pvx
	# What is told anew gets twice as far apart each time, up to a minute.
	sleep 240
	within 60 is_local 1 && [ "$(calls)" -gt 0 ] || fail "it has not settled"
	settled=yes
}
measure_settled() { # PAIR pvx
	local before after
	[ -n "${settled:-}" ] || settle "$1"
	before=$(calls)
	count_busy "$1" pvx
	after=$(calls)
	[ "${after:-0}" -ge "$before" ] || fail "its calls cannot be counted"
	record "$1" pvx calls $((after - before))
	count_idle "$1" pvx
	record "$1" pvx decisions "$(numa 1 decisions)"
}
report_settled() { # PAIR
	local key
	printf '%s calls in a minute, %s while nothing runs' \
		"$(recorded "$1" pvx calls)" "$(recorded "$1" pvx idle_calls)"
	for key in exits idle_exits; do
		printf ', %s %s and %s' $key "$(recorded "$1" stock $key)" "$(recorded "$1" pvx $key)"
	done
	echo
}

# --- a guest whose processes change places: numa-flap ---------------------------

# The guest's module would tell the host less and less often. Here the host is told each
# time, so what is counted is what its own hysteresis lets through.
decisions() {
	local n
	n=$(numa 1 decisions)
	echo "${n:-0}"
}
has_decided() { [ "$(decisions)" -gt "$1" ]; } # MORE THAN
measure_flap() { # PAIR pvx
	local begin before moves
	put_all_wrong
	grant
	before=$(decisions) moves=$(numa 1 moves)
	asked_for flap flaps
	within 30 has_decided "$before" || fail "nothing is decided"
	begin=$SECONDS
	sleep 60
	record "$1" pvx decisions $((($(decisions) - before) * 60 / (SECONDS - begin)))
	[ "$(numa 1 moves)" -gt "${moves:-0}" ] || fail "nothing was moved"
	asked_for calm calm
	revoke
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

balance 0
begin_guests selftests/numa/guest.sh || fail "a guest does not boot"
touch /run/pvx/go
find_threads
threads=()
for n in $guests; do
	for v in $vcpus; do threads+=("/proc/$(pid "$n")/task/${tid[$n.$v]}"); done
done
# Nobody writes there; to wait without a program.
exec {never}<> <(:)
# What looks from the guests' CPUs makes the scheduler move them.
[ "${all_cpus%-*}" -eq 0 ] || taskset -p -c 0 $BASHPID >/dev/null
for g in "${!memory[@]}"; do
	on=$(for v in $vcpus; do [ "${groups[$v]}" -ne "$g" ] || echo "$v"; done | paste -sd,)
	asked_for "begin $g $on" begun
done
measure_pairs
ask 30 end
