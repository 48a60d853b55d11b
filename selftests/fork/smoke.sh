# SPDX-License-Identifier: GPL-2.0
. "$PVX_TOP/selftests/lib/tap.sh"
writes=$PVX_TOP/build/selftests/fork/writes
ls /sys/kernel/debug/pvx_guest; grep . /sys/kernel/debug/pvx_guest/{features,core} 2>&1; dmesg | grep pvx
for mode in off eager background "eager parent" "background parent"; do
	check "$mode" $writes 32 $mode
	$writes 32 $mode | tr '\n' ' '; echo
	tr '\n' ' ' </sys/kernel/debug/pvx_guest/fork; echo
done
check "rmmod" rmmod pvx_guest_fork
tap_done
