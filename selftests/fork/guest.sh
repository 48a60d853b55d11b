#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Memory of processes that fork is what they wrote, whatever they and others do. A guest
# script; host-side its modules come and go meanwhile, see host.sh.
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/lib/faults.sh"
. "$PVX_TOP/selftests/lib/events.sh"
. "$PVX_TOP/selftests/fork/counts.sh"
seconds=${INTEGRITY_SECONDS:-40}
seed=${SEED:-$RANDOM}
tests=$PVX_TOP/build/selftests/fork
run=$PVX_TOP/build/fork/pvx-fork-run
host=$PVX_OUT/../host

more() { # KEY THAN: by now
	[ "$(count "$1")" -gt "$2" ]
}
integrity() { # SECONDS [MIB [WITHOUT...]]
	local said status time=$1
	shift
	said=$("$tests/integrity" "$time" $seed "$@")
	status=$?
	echo "$said"
	[ $status -eq 0 ] && [ -z "$said" ]
}

# The same, and a good deal was privatised by it.
integrity_works() {
	local privatised owned forks status
	privatised=$(count privatised) owned=$(count owned) forks=$(count forks)
	integrity "$@"
	status=$?
	privatised=$(($(count privatised) - privatised)) owned=$(($(count owned) - owned))
	echo "$privatised pages privatised, $owned owned, after $(($(count forks) - forks)) forks"
	[ $status -eq 0 ] && [ $privatised -gt 200 ] && [ $owned -gt 200 ]
}

# --- what it does ----------------------------------------------------------

writes() { "$tests/writes" "$@" >"$PVX_OUT/writes"; }
said() { count "$1" "$PVX_OUT/writes"; }

check "the host has granted it" within 10 found
check "events are traced" events_begin pvx_guest:fork_begun pvx_guest:fork_done \
	pvx_guest:hypercall_done
check "stock's fork" writes 32 off
stock_faults=$(said parent_faults)
before=$(count forks)
for mode in eager background; do
	for side in child parent; do
		check "$mode, the $side gets copies" writes 32 $mode $side
	done
done
check "each job is an event" event_seen fork_done 'pid=[0-9]+ privatised=[1-9][0-9]*'
check "so is each call" event_seen hypercall_done 'nr=0x[0-9a-f]+ a0=0x[0-9a-f]+ ret=[1-9][0-9]*'
check "and what the begin was" event_seen fork_begun \
	'pid=[0-9]+ mode=1 side=1 pages=[1-9][0-9]* threads=[1-9] err=0'
events_end
check "the host traces each list" within 10 [ -e "$host/traced" ]
check "four forks were seen" [ $(($(count forks) - before)) -eq 4 ]
# Nobody writes, so that only copies are elsewhere than all was. 8192 pages.
copies() { # MODE SIDE
	local of_parent of_child
	writes 32 "$1" "$2" reads || return
	of_parent=$(said parent_moved) of_child=$(said child_moved)
	echo "moved: $of_parent pages of the parent, $of_child of the child"
	case $1$2 in
	off*) [ "$of_parent" -lt 100 ] && [ "$of_child" -lt 100 ] ;;
	*child) [ "$of_parent" -lt 100 ] && [ "$of_child" -gt 8000 ] ;;
	*parent) [ "$of_parent" -gt 8000 ] && [ "$of_child" -lt 100 ] ;;
	esac
}
check "stock's fork moves nothing" copies off child
by_host=$(count by_host)
for mode in eager background; do
	for side in child parent; do
		check "$mode, the $side's pages are the copies" copies $mode $side
	done
done
check "the host copied them" more by_host $((by_host + 32000))
before=$(count forks)
helped() { [ "$(cat "$host/helped")" -gt 0 ]; }
check "its idle CPUs helped" within 5 helped
check "stock's processes are left alone" writes 32 off
check "and not counted" [ "$(count forks)" -eq "$before" ]
check "eager again" writes 32 eager
check "the parent takes next to no faults ($(said parent_faults), and $stock_faults before)" \
	[ "$(said parent_faults)" -lt $((stock_faults / 20)) ]
check "nor does the child ($(said child_faults))" \
	[ "$(said child_faults)" -lt $((stock_faults / 20)) ]

nice=/sys/module/pvx_guest_fork/parameters/nice
tracing=/sys/kernel/tracing
note_nice_values() {
	echo 'p:pvx_nice set_user_nice nice=%si:s64' >$tracing/kprobe_events &&
		echo 1 >$tracing/events/kprobes/pvx_nice/enable
}
note_no_more() { echo 0 >$tracing/events/kprobes/pvx_nice/enable && echo >$tracing/kprobe_events; }
set_to() { grep -q "kworker.*nice=$1\$" $tracing/trace; }
check "nice values are noted" note_nice_values
check "one more in the background" writes 32 background
check "who copies then leaves others their time" within 5 set_to 10
check "and is as before afterwards" within 5 set_to 0
note_no_more
set_nice() { echo "$1" >$nice; } 2>/dev/null
for value in 20 -1 x; do
	check "no nice value: $value" [ "$(set_nice $value; echo $?)" = 1 ]
done
check "it is as it was" [ "$(cat $nice)" = 10 ]

before=$(count forks)
check "pvx-fork-run runs a program" "$run" --mode eager --threshold 1M -- "$tests/writes" 32 inherit
check "and what that forks is seen" more forks "$before"
check "the setting outlives exec and passes to children" "$run" -m eager -s parent -t 3M -- \
	sh -c "($tests/settings get; true) | grep -q '^mode=1 side=1 least=3145728$'"
check "and ends when it is told to" "$run" -- "$run" --mode off -- \
	sh -c "$tests/settings get | grep -q ^mode=0"
check "what the device refuses" "$tests/settings" rules
check "what is privatised, and what is left to the kernel" "$tests/left"
check "no program" [ "$("$run" -- /nowhere/at/all 2>/dev/null; echo $?)" = 127 ]
check "no permission" [ "$("$run" -- /etc/passwd 2>/dev/null; echo $?)" = 126 ]
check "wrong usage" [ "$("$run" --mode slow -- true 2>/dev/null; echo $?)" = 125 ]
check "its cost is explained" "$run" --explain --json
measured_threshold() {
	local least
	least=$("$run" --threshold auto --written 95 -- "$tests/settings" get | sed -n 's/.*least=//p')
	echo "from $least bytes on"
	[ "$least" -ge 4096 ] && [ "$least" -ne $((4096 << 10)) ]
}
check "from which size on it pays is measured" measured_threshold
before=$(count forks)
check "a process below its threshold" "$run" --mode eager --threshold 64M -- \
	"$tests/writes" 32 inherit
check "is left alone" [ "$(count forks)" -eq "$before" ]
# Where anybody may read and execute them.
cp "$run" "$tests/writes" /run/ && cp /run/writes /run/writes-as-root &&
	cp /run/writes /run/writes-in-group && chmod 4755 /run/writes-as-root &&
	chmod 2755 /run/writes-in-group
by_nobody() { # COMMAND...
	setpriv --reuid 65534 --regid 65534 --clear-groups \
		/run/pvx-fork-run --mode eager --threshold 1M -- "$@" 32 inherit
}
before=$(count forks)
check "a user without privilege" by_nobody /run/writes
check "is served" more forks "$before"
before=$(count forks)
check "a set-uid program that he executes" by_nobody /run/writes-as-root
check "is left alone" [ "$(count forks)" -eq "$before" ]
before=$(count forks)
check "a set-gid program that he executes" by_nobody /run/writes-in-group
check "is left alone" [ "$(count forks)" -eq "$before" ]

# --- what becomes of memory -----------------------------------------------

have_swap() {
	modprobe -q zram || return
	echo $((64 << 20)) >/sys/block/zram0/disksize && mkswap -q /dev/zram0 && swapon /dev/zram0
}
if have_swap 2>/dev/null; then
	tap_ok "there is swap"
else
	tap_skip "there is swap" "no zram"
fi
echo "# seed $seed"
if [ -w /sys/kernel/mm/ksm/run ]; then
	echo 1 >/sys/kernel/mm/ksm/run
	echo 1000 >/sys/kernel/mm/ksm/pages_to_scan
fi
check "integrity, $seconds s" integrity_works "$seconds"
seed=$((seed + 1))
huge=/sys/kernel/mm/transparent_hugepage/enabled
was=$(sed 's/.*\[\(.*\)\].*/\1/' $huge)
echo never >$huge
check "integrity without huge pages, $seconds s" integrity_works "$seconds" 16 huge
echo "$was" >$huge
[ "$(wc -l </proc/swaps)" -lt 2 ] ||
	check "there was swapping ($(of_kernel pswpout) pages)" [ "$(of_kernel pswpout)" -gt 0 ]
[ ! -w /sys/kernel/mm/ksm/run ] ||
	check "KSM merged pages that were written to then ($(of_kernel cow_ksm))" \
		[ "$(of_kernel cow_ksm)" -gt 0 ]

# --- when allocations fail -------------------------------------------------

if [ -e $fail_nth ]; then
	ended=$(count no_memory)
	echo 3 >$fail_nth
	check "integrity while allocations fail, 5 s" integrity 5
	echo 0 >$fail_nth
	check "which ended jobs" more no_memory "$ended"
	for module in pvx_guest_ksm pvx_guest_numa; do
		check "$module while allocations fail" loads_or_not $module
	done
else
	tap_skip "integrity while allocations fail" "not built with PVX_FAULTS=y"
fi

# --- when memory is scarce ------------------------------------------------

in_cgroup() { # NAME LIMIT MIB COMMAND...
	local dir=$cgroups/$1
	mkdir -p "$dir" && echo "$3M" >"$dir/$2" && echo 0 >"$dir/memory.swap.max" || return
	shift 3
	enter "$dir" "$@"
}
# The outer one's limit matters.
in_inner_cgroup() { # NAME LIMIT MIB COMMAND...
	local name=$1
	mkdir -p "$cgroups/$name" && echo "$3M" >"$cgroups/$name/$2" &&
		echo +memory >"$cgroups/$name/cgroup.subtree_control" || return
	shift 3
	in_cgroup "$name/inner" memory.max 256 "$@"
}
# Nothing of it can be taken back: else stock's fork loses pages in the laboratory, too.
integrity_in_cgroup() { # NAME: until that has ended a job
	local said tries=0 ended
	ended=$(count no_memory)
	until more no_memory "$ended"; do
		[ $((tries += 1)) -le 6 ] || return
		said=$(in_cgroup "$1" memory.high 16 "$tests/integrity" 5 $seed 8 free) &&
			[ -z "$said" ] || { echo "$said"; return 1; }
		seed=$((seed + 1))
	done
}
# The parent has 32 MiB, and copies are the child's.
charged() { # NAME MODE AT_LEAST AT_MOST: MiB, at the highest
	local peak
	in_cgroup "$1" memory.max 256 "$tests/writes" 32 "$2" child reads || return
	peak=$(($(cat "$cgroups/$1/memory.peak") >> 20))
	echo "$peak MiB"
	[ $peak -ge "$3" ] && [ $peak -le "$4" ]
}
slowed_down() { awk '$1 == "high" { print $2 }' "$cgroups/$1/memory.events"; }
if may_limit memory 2>/dev/null; then
	before=$(ooms) ended=$(count no_memory)
	# The child only reads, so stock's needs no more than what the parent has, and has room
	# for what the parent uses later on.
	for mode in eager background; do
		check "$mode in a cgroup without room for copies" \
			in_cgroup full memory.max 48 "$tests/writes" 32 $mode child more
	done
	check "has nobody killed" [ "$(ooms)" = "$before" ]
	check "and was ended" more no_memory "$ended"
	ended=$(count no_memory)
	for mode in eager background; do
		check "$mode in one whose processes are slowed down beyond that" \
			in_cgroup high memory.high 48 "$tests/writes" 32 $mode child more
	done
	check "has nobody slowed down" [ "$(slowed_down high)" = 0 ]
	check "and was ended" more no_memory "$ended"
	ended=$(count no_memory)
	check "eager in one that is in such a one" in_inner_cgroup above memory.high 48 \
		"$tests/writes" 32 eager child more
	check "has nobody slowed down" [ "$(slowed_down above)" = 0 ]
	check "and was ended" more no_memory "$ended"
	check "integrity in a cgroup that ends jobs" integrity_in_cgroup tight
	check "stock's child is charged with nothing" charged stock off 32 48
	check "one's copies are charged to it" charged eager eager 62 80
	check "in the background, too" charged background background 62 80
else
	tap_skip "a cgroup without room for copies" "no memory cgroups"
fi
before=$(ooms) ended=$(count no_memory)
half=$(awk '$1 == "MemAvailable:" { print int($2 / 1024 * 6 / 10) }' /proc/meminfo)
for mode in eager background; do
	check "$mode where memory has no room for copies" "$tests/writes" "$half" $mode child more
done
check "has nobody killed" [ "$(ooms)" = "$before" ]
check "and was ended" more no_memory "$ended"
# Forks whose children live on share what there is with all others: an eighth of it is theirs.
many=$(awk '$1 == "MemTotal:" { print int($2 / 1024 / 8) }' /proc/meminfo)
check "eight children that live on" "$tests/writes" "$many" eager child many
check "have nobody killed" [ "$(ooms)" = "$before" ]

# --- when it is killed -----------------------------------------------------

privatises() { # COMMAND...: how many pages
	local before
	before=$(count privatised)
	"$@" || return
	privatised=$(($(count privatised) - before))
	echo "$privatised pages were privatised"
}
# 32768 pages.
all_of() { privatises "$tests/writes" 128 "$1" child reads && [ "$privatised" -gt 32000 ]; }
# After so long, of which fork has some.
killed() { # MODE US
	"$tests/writes" -k "$2" 128 "$1" child reads
	[ $? -eq 137 ] || return
	# Were it not at its end, that would go on.
	sleep 1
}
part_of() { # MODE
	local us
	for us in 40000 20000 80000 160000 320000; do
		privatises killed "$1" $us || return
		[ "$privatised" -le 500 ] || [ "$privatised" -ge 25000 ] || return 0
	done
	return 1
}
for mode in eager background; do
	check "$mode, all is privatised" all_of $mode
	check "and when the process is killed meanwhile, a part of it" part_of $mode
done

# --- when the host says no ------------------------------------------------

echo 0 >"$PVX_OUT/refuse.new" && mv "$PVX_OUT/refuse.new" "$PVX_OUT/refuse"
check "the host refuses" within 20 [ -e "$host/refused" ]
echo N >/sys/module/pvx_guest_fork/parameters/copy_here
before=$(count by_guest) privatised=$(count privatised)
check "a host without budget, and nothing copied here" "$tests/writes" 32 eager
check "so it is not" [ "$(count by_guest)" -eq "$before" ]
check "and nothing is privatised" [ "$(count privatised)" -eq "$privatised" ]
echo Y >/sys/module/pvx_guest_fork/parameters/copy_here
check "a host without budget" writes 32 eager
check "then the guest copies" more by_guest "$before"
check "and faults are spared all the same ($(said parent_faults))" \
	[ "$(said parent_faults)" -lt $((stock_faults / 20)) ]
rm "$PVX_OUT/refuse"
check "the host does not refuse any more" within 20 [ ! -e "$host/refused" ]

# --- while modules come and go --------------------------------------------

# Both copy then, one while the other does not.
while_host_reloads() { # SECONDS
	local status by_host by_guest
	by_host=$(count by_host) by_guest=$(count by_guest)
	touch "$PVX_OUT/reload"
	integrity_works "$1"
	status=$?
	rm "$PVX_OUT/reload"
	within 60 [ -e "$host/reloaded" ] && [ "$(cat "$host/reloaded")" -ge 2 ] &&
		[ $status -eq 0 ] && more by_host $((by_host + 200)) &&
		more by_guest $((by_guest + 200))
}
# Its counters begin anew then.
reload() {
	in_reloads=$((in_reloads + $(count privatised)))
	rmmod pvx_guest_fork && insmod "$PVX_BUILD/guest/pvx_guest_fork.ko"
}
runs() { [[ $(readlink "/proc/$1/exe") == */integrity ]]; } # PID
# Who has the device open keeps the module; what was run by pvx-fork-run has not.
while_guest_reloads() { # SECONDS
	local end=$((SECONDS + $1)) n=0 in_reloads=0 pid mode said=$PVX_OUT/integrity
	while [ $SECONDS -lt $end ] || [ $n -lt 2 ]; do
		[ $((n % 2)) -eq 0 ] && mode=eager || mode=background
		"$run" -m $mode -t 4K -- "$tests/integrity" 3 $((seed + n)) 8 device >>"$said" &
		pid=$!
		within 20 runs $pid || return
		sleep $((RANDOM % 3)).$((RANDOM % 10))
		reload && wait $pid || return
		n=$((n + 1))
	done
	echo "$n reloads, $in_reloads pages privatised"
	cat "$said"
	[ ! -s "$said" ] && [ $in_reloads -gt 200 ]
}
seed=$((seed + 1))
check "integrity while the host's module comes and goes" while_host_reloads "$seconds"
rmmod pvx_guest_fork
insmod "$PVX_BUILD/guest/pvx_guest_fork.ko"
check "the guest's module comes and goes, $((seconds / 2)) s" while_guest_reloads $((seconds / 2))
check "it goes at last" rmmod pvx_guest_fork
tap_done
