# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Allocations of the guest's modules that fail, where they are built with PVX_FAULTS=y. Sourced.

fail_nth=/sys/module/pvx_guest/parameters/fail_nth

# Where the first of its allocations fails, it does not load; with whichever other one it loads or
# not, and can be loaded afterwards.
loads_or_not() { # MODULE
	local nth loaded=0 module=$PVX_BUILD/guest/$1.ko
	echo 1 >$fail_nth
	! insmod "$module" 2>/dev/null || { echo "$1 loads without its first one"; rmmod "$1"; return 1; }
	for nth in 2 3 4 5 6 8; do
		echo $nth >$fail_nth
		insmod "$module" 2>/dev/null && rmmod "$1" && loaded=$((loaded + 1))
	done
	echo 0 >$fail_nth
	echo "$1 was loaded in $loaded of 6 cases"
	insmod "$module" && rmmod "$1"
}
