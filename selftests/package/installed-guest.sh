#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The Debian package, installed by dpkg in a guest, whose root is a copy of the machine's: does
# each tool that is for guests do there what it is for? A guest script for lab run --modules
# pvx_host,pvx_host_yield,pvx_host_fork,pvx_guest,pvx_guest_lock,pvx_guest_fork.
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/tune/try.sh"
. "$PVX_TOP/selftests/package/install.sh"
counters=/sys/kernel/debug/pvx_guest/fork

privatised() { sed -n 's/^privatised=//p' $counters; }
fork_is_seen() {
	local before
	before=$(privatised)
	pvx-fork-run --mode eager --threshold 1M -- "$PVX_TOP/build/selftests/fork/writes" 16 inherit &&
		[ "$(privatised)" -gt $((before + 2000)) ]
}
# A recording of perf's, of our events and of the kernel's.
latency_is_told() {
	perf record -q -e 'pvx_guest:*' -e 'lock:contention_*' -a -o /tmp/perf.data -- \
		"$PVX_TOP/build/selftests/tune/work" 4 2000 >/dev/null &&
		pvx-lock-latency /tmp/perf.data
}

check "the package is installed" installed
check "pvx-fork-run has a program's memory privatised" fork_is_seen
check "and explains what they cost" pvx-fork-run --explain --json
check "pvxlock looks for a second" pvxlock -1 -d 1
check "pvx-lock-latency reads what perf has recorded" latency_is_told
check "pvxtune says what it may tune" until_told "spin_min_ns is" pvxtune --dry-run
check "pvx-policy attaches its example" until_told "attached to raw_tp.w/pvx_choose_spin" pvx-policy
tap_done
