#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What PVX_HC_KSM takes and what it refuses. A guest script.
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/ksm/hints.sh"

check "negotiate without it" answers 0 $negotiate 1 0
check "not negotiated" answers -1000 $ksm 0 0
check "negotiate" answers 2 $negotiate 1 2
check "the host does not know what was said before" hints 1 100 "$(run 1 $text)" 1
check "it does now" hints 0 100 "$(run 1 $text)" 1
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
check "two runs" hints 0 100 "$(run 1 $text)" 1 200 "$(run 2 $constant)" 2 3
check "withdrawn" hints 0 100 "$(run 3 $withdrawn)" 1 2 3
check "no word behind the run" hints -2013 100 "$(run 1 $text)"
check "half a run" hints -2013 100
check "no page" hints -2013 100 "$(run 0 $text)" 1
check "more pages than words" hints -2013 100 "$(run 2 $text)" 1
check "far more" hints -2013 100 "$(run 0xffffffff $text)" 1
check "more words than pages" hints -2013 100 "$(run 1 $text)" 1 2
check "the second run is wrong" hints -2013 100 "$(run 1 $text)" 1 100 "$(run 2 $text)" 1
check "an unknown class" hints -2013 100 "$(run 1 4)" 1
check "a hash is too long" hints -2013 100 "$(run 1 $text)" $((1 << 48))
check "the longest" hints 0 100 "$(run 1 $text)" $(((1 << 48) - 1))
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
u64s 100 "$(run 1 $text)" 1 >$buffer
for i in $(seq 100); do
	answers 0 $ksm "$gpa" 3 >/dev/null || busy=$((busy + 1))
done
echo "# $busy of 100 were refused"
check "withdraw all after that" answers 0 $ksm 0 0
tap_done
