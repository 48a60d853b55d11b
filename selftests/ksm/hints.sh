# SPDX-License-Identifier: GPL-2.0
#
# PVX_HC_KSM with any words. Sourced by guest scripts.
. "$PVX_TOP/selftests/lib/call.sh"
ksm=0x50565820 withdrawn=0 text=1 constant=3

# hints RET WORD...: the call with these words
hints() {
	local want=$1
	shift
	u64s "$@" >$buffer
	answers "$want" $ksm "$gpa" $#
}
run() { # PAGES WHAT: the run's second word
	echo $(($1 | $2 << 32))
}
