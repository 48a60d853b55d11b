#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What PVX_HC_KSM takes and what it refuses. A guest script.
. "$PVX_TOP/selftests/lib/tap.sh"
params=/sys/module/pvx_abitest/parameters
ksm=0x50565820 negotiate=0x50565800 withdrawn=0 text=1 zero=3
insmod "$PVX_BUILD/selftests/abi/pvx_abitest.ko" || exit
insmod "$PVX_BUILD/selftests/ksm/pvx_ksmtest.ko" || exit
# All below the hole for devices; at its end are some tables of the firmware's.
memory=$(awk -F '[- :]+' '/System RAM/ { end = $3 } END { print end }' /proc/iomem)
memory=$(((0x$memory / 0x100000 + 1) * 0x100000 / 4096))
gpa=$(cat /sys/kernel/debug/pvx_ksmtest/gpa)

# answers RET NR [A0..A3]
answers() {
	local want=$1 got i
	shift
	echo "$1" >$params/nr
	for i in 0 1 2 3; do echo "${@:$((i + 2)):1}" >$params/a$i 2>/dev/null || echo 0 >$params/a$i; done
	got=$(cat /sys/kernel/debug/pvx_abitest/call)
	echo "$got"
	[ "$got" = "ret=$want" ]
}

# u64s VALUE...: as they stand in memory
u64s() {
	local value i
	for value in "$@"; do
		for i in 0 8 16 24 32 40 48 56; do
			printf "\\x$(printf %02x $(((value >> i) & 255)))"
		done
	done
}

# hints RET WORD...: the call with these words
hints() {
	local want=$1
	shift
	u64s "$@" >/sys/kernel/debug/pvx_ksmtest/buffer
	answers "$want" $ksm "$gpa" $#
}
run() { # PAGES WHAT: the run's second word
	echo $(($1 | $2 << 32))
}

check "negotiate without it" answers 0 $negotiate 1 0
check "not negotiated" answers -1000 $ksm 0 0
check "negotiate" answers 2 $negotiate 1 2
check "withdraw all" answers 0 $ksm 0 0
check "an address without words" answers -2000 $ksm 8 0
check "an odd address" answers -2000 $ksm $((gpa + 4)) 3
check "an address beyond memory" answers -2000 $ksm $((1 << 45)) 3
check "one that wraps" answers -2000 $ksm 0xfffffffffffffff8 3
check "too many words" answers -2001 $ksm "$gpa" 2049
check "far too many" answers -2001 $ksm "$gpa" 0x100000003
check "argument 2" answers -2002 $ksm "$gpa" 3 1
check "argument 3" answers -2003 $ksm "$gpa" 3 0 1
check "one page" hints 0 100 "$(run 1 $text)" 1
check "three" hints 0 100 "$(run 3 $text)" 1 2 3
check "two runs" hints 0 100 "$(run 1 $text)" 1 200 "$(run 2 $zero)" 2 3
check "withdrawn" hints 0 100 "$(run 3 $withdrawn)" 1 2 3
check "no word behind the run" hints -2013 100 "$(run 1 $text)"
check "half a run" hints -2013 100
check "no page" hints -2013 100 "$(run 0 $text)" 1
check "more pages than words" hints -2013 100 "$(run 2 $text)" 1
check "far more" hints -2013 100 "$(run 0xffffffff $text)" 1
check "more words than pages" hints -2013 100 "$(run 1 $text)" 1 2
check "the second run is wrong" hints -2013 100 "$(run 1 $text)" 1 100 "$(run 2 $text)" 1
check "an unknown class" hints -2013 100 "$(run 1 4)" 1
check "a page's number is too long" hints -2013 $((1 << 40)) "$(run 1 $text)" 1
check "pages that the VM does not have" hints -2013 $((1 << 39)) "$(run 1 $text)" 1
check "the last page that has a number" hints -2013 $(((1 << 40) - 1)) "$(run 2 $text)" 1 2
check "the interrupt controller's page" hints -2013 $((0xfee00)) "$(run 1 $text)" 1
check "memory and what is behind it" hints -2013 $((memory - 1)) "$(run 2 $text)" 1 2
check "the last page of memory" hints 0 $((memory - 1)) "$(run 1 $text)" 1
check "firmware that cannot be written to" hints -2013 $((0xfffff)) "$(run 1 $text)" 1
check "the same page twice" hints -2013 100 "$(run 1 $text)" 1 100 "$(run 1 $text)" 1
check "runs that overlap" hints -2013 100 "$(run 2 $text)" 1 2 101 "$(run 1 $text)" 2
check "runs that descend" hints -2013 100 "$(run 1 $text)" 1 99 "$(run 1 $text)" 1

# As fast as it can: there are budgets, and nothing worse.
busy=0
u64s 100 "$(run 1 $text)" 1 >/sys/kernel/debug/pvx_ksmtest/buffer
for i in $(seq 500); do
	answers 0 $ksm "$gpa" 3 >/dev/null || busy=$((busy + 1))
done
echo "# $busy of 500 were refused"
check "withdraw all after that" answers 0 $ksm 0 0
tap_done
