#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What pvx_host refuses: descriptions of features that are wrong, and a kernel that
# does not let it hook. A host script, see refusals-guest.sh.
. "$PVX_TOP/selftests/lib/tap.sh"
ftrace=/proc/sys/kernel/ftrace_enabled

answered() { # NAME ERROR
	grep -qx -- "$1=$2" "$PVX_OUT/registered"
}

refused() { # MODULE MESSAGE
	! insmod "$1" 2>/dev/null && dmesg | grep -qF "$2"
}

# Built with KSYM=byname it does not depend on what kvm exports.
echo "# pvx_host depends on '$(modinfo -F depends "$PVX_BUILD/host/pvx_host.ko")'"
insmod "$PVX_BUILD/selftests/core/pvx_registertest.ko"
cat /sys/kernel/debug/pvx_registertest/run >"$PVX_OUT/registered"
check "a feature can be registered" answered good 0
for name in other_version other_size no_owner no_handler no_counters no_size no_bit \
	two_bits reserved_bit foreign_number negotiate_s_number no_op_s_number; do
	check "but not with ${name//_/ }" answered $name -22
done
check "nor with a bit that is taken" answered taken_bit -16
check "nor with a number that is" answered taken_number -16
rmmod pvx_registertest

until [ -e "$PVX_OUT/../guest1/called" ]; do sleep 0.2; done
check "no hook is dropped by ftrace_enabled=0" bash -c "! echo 0 2>/dev/null >$ftrace"
rmmod pvx_host_yield pvx_host
echo 0 >$ftrace
check "pvx_host does not load where it cannot hook" refused "$PVX_BUILD/host/pvx_host.ko" \
	"is hooked by somebody else, or kernel.ftrace_enabled is 0"
check "and leaves no device" [ ! -e /dev/kvm-pvx ]
echo 1 >$ftrace
check "and loads where it can" insmod "$PVX_BUILD/host/pvx_host.ko"
tap_done
status=$?
echo $status >"$PVX_OUT/refused"	# the guest ends, and so does this script
exit $status
