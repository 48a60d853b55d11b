#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# vCPUs come to where their memory is, stay inside of what they are allowed, and have that back
# in the end. See placed.sh.
. "$PVX_TOP/selftests/numa/placed.sh"
. "$PVX_TOP/selftests/lib/events.sh"

# By where pages and vCPUs are, whatever is known of them.
groups=(0 1)
hardly_remote() { [ "$(remote_ppm 1)" -le 100000 ]; }
# What the guest reads in /sys/kernel/pvx_numa.
reads() { ask 30 nodes && [[ " $(answer 1)" == *" $1 "* ]]; }
# COMMAND...: the guest waits for a change meanwhile, and sees one.
changes_by() {
	local waits awaits=/run/pvx/out/guest1/awaits
	rm -f $awaits
	asked_for "await 30" changed & waits=$!
	within 60 test -e $awaits && "$@" && wait $waits
}
decisions_are_shown() {
	"$pvxctl" numa | grep -Eq 'vCPU 1 +node +1 to 1 +group' &&
		"$pvxctl" numa --json | grep -Eq '"decisions":[1-9].*"vcpu":1,"node":1,"want":1,"held":true'
}
no_context() { [ -z "$(ls -d /sys/kernel/debug/pvx_host/[0-9]* 2>/dev/null)" ]; }

events_begin pvx_host_numa:numa_decided pvx_host_numa:numa_overruled \
	pvx_host_numa:numa_released || exit
begin_placed
check "each decision is an event" event_seen numa_decided \
	'vmm=[1-9][0-9]* vcpu=[01] from=[01] to=[01] use_from=[0-9]+ use_to=[1-9][0-9]* applied=1'
find_threads
check "less than a tenth is remote" within 20 hardly_remote
check "the guest reads which are on one node" within 30 reads "nodes:2 node0:0 node1:1"

"$pvxctl" numa | sed 's/^/# /'
check "pvxctl numa shows what was decided" decisions_are_shown
map=$PVX_OUT/map.svg
check "and a map of it is drawn" "$PVX_TOP/scripts/tune/pvx-numa-map" -o "$map" "$(id 1)"
check "to its end" grep -q "</svg>" "$map"

check "nothing changes" asked_for "await 3" same
check "the operator allows vCPU 0 node 1 only, which the guest waits for" \
	changes_by allow 1 0 "$(node_cpus 1)"
check "which holds" on_node 1 0 1
check "he allows it all" allow 1 0 "$all_cpus"
# He may have done so three times by now, each within a minute, and has it for one then.
check "it comes back to its memory" within 80 placed 0 1
check "that he has overruled us is an event" event_seen numa_overruled 'vmm=[1-9][0-9]* vcpu=0'
# That changes nothing, so it is ours that is to be given back.
check "an affinity that cannot be is refused" eval '! taskset -pc 1000 "${tid[1.0]}"'
sleep 3
echo >$events/trace
check "it is revoked" "$pvxctl" revoke --pid "$(pid 1)" numa
check "which gives them back" is_free
for v in 0 1; do
	check "that of vCPU $v by an event" event_seen numa_released "vmm=[1-9][0-9]* vcpu=$v"
done
events_end
check "it is granted again" "$pvxctl" grant --pid "$(pid 1)" numa
check "and they are placed again" within 100 placed 0 1
check "the guest's module goes" asked_for unload unloaded
check "which gives them back" is_free
check "its calls are traced" asked_for trace traces
check "it comes" asked_for "load 200" loaded
check "and they are placed again" within 100 placed 0 1
check "each call was an event" asked_for traced traced

kill -9 "$(pid 1)"
guests=
check "the VMM is killed, and nothing remains of it" within 20 no_context
check "the host's module goes" rmmod pvx_host_numa
tap_done
