#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What PVX_HC_FORK copies and what it refuses. A guest script; host.sh is the host's.
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/lib/call.sh"
fork=0x50565830
first=$((gpa / 4096))
# The list stands in the buffer's first page; the others, by number.
gfn() { echo $((first + $1)); }
fill() { head -c $((63 * 4096)) /dev/urandom | dd of=$buffer bs=4096 seek=1 conv=notrunc status=none; }
# What the pages are to be: what they are now, but for the list.
expected=/run/expected
note() { cat $buffer >$expected; }
as_expected() { cmp -i 4096 $buffer $expected; }

# copies RET SOURCE TARGET...: the call with these pairs of gfns
copies() {
	local want=$1
	shift
	u64s "$@" | dd of=$buffer conv=notrunc status=none
	answers "$want" $fork "$gpa" $(($# / 2))
}
# refused RET SOURCE TARGET...: and none of the buffer's pages has changed
refused() {
	note
	copies "$@" && as_expected
}
# copied SOURCE...: from there to pages 32 and so on, and nowhere else
copied() {
	local n to=32 pairs=()
	fill
	note
	for n in "$@"; do
		pairs+=("$(gfn "$n")" "$(gfn $to)")
		dd if=$buffer of=$expected bs=4096 skip="$n" seek=$to count=1 conv=notrunc status=none
		to=$((to + 1))
	done
	copies $# "${pairs[@]}" && as_expected
}

check "negotiate without it" answers 0 $negotiate 1 0
check "not negotiated" answers -1000 $fork "$gpa" 1
check "negotiate" answers 4 $negotiate 1 4
check "one page" copied 1
check "five pages" copied 1 2 3 4 5
check "in any order" copied 9 3 7 1
check "one page, twice" copied 8 8
check "an odd address" answers -2000 $fork $((gpa + 4)) 1
check "an address beyond memory" answers -2000 $fork $((1 << 45)) 1
check "one that wraps" answers -2000 $fork 0xfffffffffffffff8 2
check "no pairs" answers -2001 $fork "$gpa" 0
check "too many" answers -2001 $fork "$gpa" 513
check "far too many" answers -2001 $fork "$gpa" 0x100000001
check "argument 2" answers -2002 $fork "$gpa" 1 1
check "argument 3" answers -2003 $fork "$gpa" 1 0 1
check "source is target" refused -3000 "$(gfn 1)" "$(gfn 1)"
check "a target that is a source" refused -3001 "$(gfn 1)" "$(gfn 2)" "$(gfn 2)" "$(gfn 3)"
check "a source that was a target" refused -3000 "$(gfn 3)" "$(gfn 2)" "$(gfn 1)" "$(gfn 3)"
check "the same target twice" refused -3001 "$(gfn 1)" "$(gfn 3)" "$(gfn 2)" "$(gfn 3)"
check "targets that descend" refused -3001 "$(gfn 1)" "$(gfn 4)" "$(gfn 2)" "$(gfn 3)"
check "the third is wrong" refused -3002 "$(gfn 1)" "$(gfn 3)" "$(gfn 2)" "$(gfn 4)" "$(gfn 1)" "$(gfn 4)"
check "a source beyond memory" refused -3000 $((1 << 39)) "$(gfn 1)"
check "a target beyond memory" refused -3001 "$(gfn 1)" "$(gfn 3)" "$(gfn 2)" $((1 << 39))
check "a source that wraps" refused -3000 $((1 << 52 | $(gfn 1))) "$(gfn 2)"
check "a target that wraps" refused -3000 "$(gfn 1)" $((1 << 52 | $(gfn 2)))
check "the largest number" refused -3000 -1 "$(gfn 2)"
check "just behind memory" refused -3000 "$memory" "$(gfn 2)"
check "from firmware that cannot be written to" refused -3000 $((0xfffff)) "$(gfn 1)"
check "to it" refused -3000 "$(gfn 1)" $((0xfffff))
check "from the interrupt controller's page" refused -3000 $((0xfee00)) "$(gfn 1)"
check "to it" refused -3000 "$(gfn 1)" $((0xfee00))
check "after all that, five pages" copied 1 2 3 4 5

# More than its budget: that is refused, and nothing worse.
host=$PVX_OUT/../host
until_host() { # TEST FILE
	local i
	for i in $(seq 100); do
		! test "$@" || return 0
		sleep 0.2
	done
	return 1
}
flood() { # sets done and busy, of 60 calls, none of which waits for a program to start
	local i got
	done=0 busy=0
	answers 1 $fork "$gpa" 1 >/dev/null
	for i in $(seq 60); do
		read -r got </sys/kernel/debug/pvx_abitest/call
		case $got in
		ret=1) done=$((done + 1)) ;;
		ret=-2012) busy=$((busy + 1)) ;;
		esac
	done
	echo "# $done of 60 calls copied, $busy were refused"
}
echo 2 >"$PVX_OUT/refuse.new" && mv "$PVX_OUT/refuse.new" "$PVX_OUT/refuse"
check "a budget of two pages a second" until_host -e "$host/refused"
begin=$SECONDS
check "of a list that is longer, what it lets through at once" copies 1 \
	"$(gfn 1)" "$(gfn 32)" "$(gfn 2)" "$(gfn 33)" "$(gfn 3)" "$(gfn 34)"
flood
check "what is over it is refused" [ $busy -gt 0 ]
check "and no more is copied" [ $done -le $((2 * (SECONDS - begin + 2))) ]
check "no call is answered with anything else" [ $((done + busy)) -eq 60 ]
rm "$PVX_OUT/refuse"
check "the budget is what it was" until_host ! -e "$host/refused"
check "after that, one page" copied 1
tap_done
