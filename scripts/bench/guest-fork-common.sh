# SPDX-License-Identifier: GPL-2.0
#
# What the guests' parts of the fork cases share. Sourced.
. "$PVX_TOP/scripts/bench/guest-common.sh"
arm_module=$PVX_BUILD/guest/pvx_guest_fork.ko
counters=/sys/kernel/debug/pvx_guest/fork
writes=$PVX_TOP/build/selftests/fork/writes

# Since the module was loaded. What the guest copies by itself says nothing of the host.
copied_by_host() {
	awk -F= '{ n[$1] = $2 } END { exit !(n["by_host"] > 9 * n["by_guest"]) }' $counters
}
