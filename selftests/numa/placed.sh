# SPDX-License-Identifier: GPL-2.0
#
# A guest of 2 vCPUs with a process on each, whose memory is on two nodes with a CPU each. Sourced
# by host scripts for lab run --guests 0 --host-nodes 2 --host-cpus 2 --guest-cpus 2
# --host-mem 2560 with the modules pvx_host, pvx_host_numa and pvx_guest.
. "$PVX_TOP/selftests/lib/tap.sh"
guests=1
. "$PVX_TOP/selftests/ksm/ask-host.sh"
. "$PVX_TOP/selftests/numa/vcpus.sh"

asked_for() { ask 60 "$1" && [ "$(answer 1)" = "$2" ]; }
all_may() { for v in 0 1; do allow 1 $v "$all_cpus"; done; }
is_free() { for v in 0 1; do [ "$(allowed 1 $v)" = "$all_cpus" ] || return; done; }
placed() { # NODES of vCPUs 0 and 1
	local v=0 node
	for node in "$@"; do
		on_node 1 $v "$node" || return
		v=$((v + 1))
	done
}
is_mostly_remote() {
	local permille
	permille=$(numa 1 remote_permille)
	[ "${permille:-0}" -ge 700 ]
}
tell_features() { grep numa_ "/sys/kernel/debug/pvx_host/$(id 1)/features" | sed 's/^/# /'; }
tell_pages() { for group in 0 1; do echo "# pages on the nodes: $(pages_on 1 $group)"; done; }

misplace() { for v in 0 1; do allow 1 $v "$(node_cpus $((1 - v)))"; done; }
# From the wrong nodes. The scheduler may be first: then once more.
come_home() {
	local try patience=60
	# Whoever looks from their CPUs makes the scheduler move them.
	taskset -p -c 0 $BASHPID >/dev/null || return
	for try in 1 2 3 4 5; do
		all_may
		within $patience placed 0 1 || return
		[ "$(numa 1 decisions)" -eq 0 ] || return 0
		misplace
		within 100 is_mostly_remote || return
		# Whoever is overruled three times leaves a vCPU alone for a minute.
		patience=80
	done
	echo "nothing was decided in $try tries"
	return 1
}

# Ends with vCPUs on the nodes of their memory.
begin_placed() { # [QEMU OPTION...]
	echo 0 >$balancing
	begin_guests selftests/numa/guest.sh "$@" || exit
	check "the guest is granted numa" "$pvxctl" grant --pid "$(pid 1)" numa
	touch /run/pvx/go
	# Each group's memory comes mostly from the node on which the guest runs then. That of the
	# first is in huge pages.
	local kinds=(huge "")
	for group in 0 1; do
		for v in 0 1; do allow 1 $v "$(node_cpus $group)"; done
		check "group $group begins" asked_for "begin $group $group ${kinds[$group]}" begun
		check "its memory is on node $group" moved_to 1 $group $group
	done
	# On the wrong nodes, until that is known: the scheduler might move them.
	misplace
	check "the guest's module is loaded" asked_for "load 200" loaded
	check "the host knows that most is remote" within 100 is_mostly_remote
	check "vCPUs come to their memory, as was decided" come_home
	tell_features
}
