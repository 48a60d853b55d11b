#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# vCPUs and memory come together again whatever happens to them: memory is moved, the policy
# changes, CPUs of the host go, its module goes under a flood of calls. See placed.sh.
. "$PVX_TOP/selftests/numa/placed.sh"
. "$PVX_TOP/selftests/lib/events.sh"
parameters=/sys/module/pvx_host_numa/parameters

are_together() { on_node 1 0 0 && on_node 1 1 0; }
calls() { sed -n 's/^calls=//p' "/sys/kernel/debug/pvx_host/$(id 1)/core"; }
calls_again() { [ "$(calls)" -gt $((before + 100)) ]; }
# Nothing is moved, and the guest hardly does more than to ask once a minute.
is_settled() {
	[ "${moves:-0}" -gt 0 ] && [ "$(numa 1 moves)" = "$moves" ] &&
		[ $(($(numa 1 calls) - before)) -le 2 ]
}

begin_placed
check "group 1's memory is moved to node 0" moved_to 1 1 0
tell_pages
# vCPU 1's use of node 0, and of node 1, as the host knows it.
all_is_on_node_0() { [ "$(numa 1 vcpu1 | awk '{ print ($5 > 4 * $6) }')" = 1 ]; }
check "which the host sees" within 30 all_is_on_node_0
sleep 4
check "but node 0 has no more vCPUs than its CPU" eval "! are_together"
# Which one that is may change, as one of them uses a little of node 1 besides.
group_on_node_1() { on_node 1 1 1 && echo 1 || echo 0; }
# A block that both groups use, half of it at most, goes to where it is used more.
on_node_1() { memory_is_on 1 "$(group_on_node_1)" 1 80; }
numad() { "$PVX_TOP/build/tune/pvx-numad" --once --verbose "$@"; }
would_move() { numad --dry-run | grep "would go to node 1" && ! on_node_1; }
# At 8 MiB a second, that is 2048 pages.
moves_slowly() {
	local us=${EPOCHREALTIME/./} pages
	pages=$(numad --rate 8 | awk '/ moved to node / { n += $4 } END { print n + 0 }')
	us=$((${EPOCHREALTIME/./} - us))
	echo "$pages pages in $us us"
	[ "$pages" -gt 0 ] && [ $us -ge $((pages * 1000000 / 2048)) ]
}
check "advice is traced" events_begin pvx_host_numa:numa_advised
check "pvx-numad says what it would move" within 40 would_move
# At each look, of which there is one in a second.
check "that is an event" within 10 \
	event_seen numa_advised 'vmm=[1-9][0-9]* hva=0x[0-9a-f]+ node=1 ppm=[1-9][0-9]*'
events_end
check "it moves no more than it may" moves_slowly
check "pvx-numad moves it to its vCPUs" \
	eval 'numad --rate 1000 && within 40 eval "numad --rate 1000; on_node_1"'
tell_features
tell_pages
check "and memory is moved back" eval "moved_to 1 0 0 && moved_to 1 1 1"
check "then vCPUs are where they were" within 100 placed 0 1
moves=$(numa 1 moves) before=$(numa 1 calls)
sleep 30
check "a settled guest is left alone, and calls hardly ever" is_settled

check "policy advise" eval "echo advise >$parameters/policy"
check "gives them back" within 20 is_free
check "no policy" eval "! echo x >$parameters/policy"
check "policy place" eval "echo place >$parameters/policy"
check "places them again" within 80 placed 0 1
check "group 1's memory is moved to node 0 once more" moved_to 1 1 0
check "its vCPU follows, though there is no room" within 60 are_together
check "it is moved back" moved_to 1 1 1
check "so does its vCPU" within 60 placed 0 1
check "policy balance" eval "echo balance >$parameters/policy"
# Whoever asks for that has not set what comes later.
check "an affinity that cannot be is refused" eval '! taskset -pc 1000 "$(thread 1 1)"'
sleep 3
overruled=$(numa 1 overruled)
cpu=$(node_cpus 1)
set_cpu() { echo "$2" >"/sys/devices/system/cpu/cpu$1/online"; }
check "the CPU of a node goes" set_cpu "$cpu" 0
sleep 3
check "vCPUs run on" asked_for counters-are-there there
check "it comes back" set_cpu "$cpu" 1
check "and vCPUs are where they were" within 100 placed 0 1
check "which nobody has overruled" [ "$(numa 1 overruled)" -eq "$overruled" ]
ask 30 counters && answer 1 | sed 's/^/# /'

before=$(calls)
check "the guest calls all the time" asked_for flood floods
check "and is answered" within 20 calls_again
for i in 1 2 3; do
	check "the host's module goes meanwhile" rmmod pvx_host_numa
	check "which gives them back" is_free
	check "it comes" insmod "$PVX_BUILD/host/pvx_host_numa.ko"
	sleep 3
done
check "the guest calls no more than it has to" asked_for calm calm
# It may not have seen that the module was gone, and asks once a minute.
check "vCPUs are placed again" within 130 placed 0 1
check "the guest ends" all_answer end ended
tap_done
