#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What PVX_HC_NUMA takes and what it refuses. A guest script for lab run --guest-cpus 2
# --host-nodes 2 --modules pvx_host,pvx_host_numa with the host script rules-host.sh.
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/numa/uses.sh"
shift_=24 busy=-2012
# The list stands in the buffer's first page, and the host writes to its second.
page=$((gpa + 4096))
call=/sys/kernel/debug/pvx_abitest/call
host=$PVX_OUT/../host

# says RET VCPU BLOCK WEIGHT RESERVED...: the call with these entries
says() {
	local want=$1
	shift
	list "$@"
	answers "$want" $numa "$gpa" $(($# / 4)) $shift_
}
# The last call again, with blocks of 2^SHIFT bytes, and without starting a program.
again() { # RET SHIFT
	local got
	echo "$2" >$params/a2
	read -r got <$call
	echo "$got"
	[ "$got" = "ret=$1" ]
}
# A host that makes room anew does so once a second.
at_leisure() {
	sleep 1.2
	"$@"
}
# Within a second of the last time, if the machine is fast enough.
busy_at_once() {
	local i
	for i in 1 2 3 4 5; do
		! again $busy 23 || return 0
		at_leisure again 1 22 || return
	done
	return 1
}
# page_has OFFSET: the 32-bit number there
page_has() { od -A n -t u4 -j $((4096 + $1)) -N 4 $buffer | tr -d ' '; }
# The host tells where vCPUs are, in a page of which it knows by the cookie that it is ours.
set_cookie() {
	head -c 4096 /dev/zero | dd of=$buffer bs=4096 seek=1 conv=notrunc status=none
	u64s 0 0x1234567890abcdef | dd of=$buffer bs=1 seek=4096 conv=notrunc status=none
}
# on_nodes NODE NODE: vCPU 0 and vCPU 1 are there; one that sleeps gets there by waking up.
on_nodes() {
	local i
	echo "$1 $2" >"$PVX_OUT/nodes.new" && mv "$PVX_OUT/nodes.new" "$PVX_OUT/nodes" || return
	for i in $(seq 100); do
		if grep -qsx "$1 $2" "$host/nodes"; then
			taskset -c 0 true && taskset -c 1 true
			return
		fi
		sleep 0.2
	done
	return 1
}
page_says() { # NODES NUMBER NUMBER: how many, and the numbers of those of vCPUs 0 and 1
	echo "$(page_has 4)," $(od -A n -t u1 -j $((4096 + 16)) -N 3 $buffer)
	[ "$(page_has 4)" -eq "$1" ] &&
		[ "$(od -A n -t u1 -j $((4096 + 16)) -N 3 $buffer | tr -s ' ')" = " $2 $3 0" ]
}
told() {
	local i
	for i in $(seq 50); do
		[ "$(page_has 0)" -eq 0 ] || [ $(($(page_has 0) % 2)) -eq 1 ] || return 0
		sleep 0.2
	done
	return 1
}

check "negotiate without it" answers 0 $negotiate 1 0
check "not negotiated" answers -1000 $numa "$gpa" 1 $shift_
check "negotiate" answers 8 $negotiate 1 8

check "an odd address" answers -2000 $numa $((gpa + 4)) 1 $shift_
check "an address beyond memory" answers -2000 $numa $((1 << 45)) 1 $shift_
check "one that wraps" answers -2000 $numa 0xfffffffffffffff8 2 $shift_
check "no entries" answers -2001 $numa "$gpa" 0 $shift_
check "too many" answers -2001 $numa "$gpa" 1025 $shift_
check "far too many" answers -2001 $numa "$gpa" 0x100000001 $shift_
check "blocks that are too small" answers -2002 $numa "$gpa" 1 20
check "blocks that are too large" answers -2002 $numa "$gpa" 1 31
check "blocks of no size" answers -2002 $numa "$gpa" 1 0x100000018
check "a page at an odd address" answers -2003 $numa "$gpa" 1 $shift_ $((page + 8))
check "a page beyond memory" answers -2003 $numa "$gpa" 1 $shift_ $((1 << 45))
check "a page of firmware" answers -2003 $numa "$gpa" 1 $shift_ $((0xfffff000))
check "a device's page" answers -2003 $numa "$gpa" 1 $shift_ $((0xfee00000))
check "withdrawn, with an argument" answers -2002 $numa 0 0 1

check "one entry, the first" says 1 0 0 1 0
check "the same again" says 0 0 0 1 0
check "the heaviest" says 0 1 1 65535 0
check "nothing" says 0 1 1 0 0
check "a group" says 0 0 $group 1 0
check "two vCPUs, blocks and a group each" says 0 0 0 1 0 0 $group 7 0 1 0 2 0 1 5 1 0 1 $group 7 0
check "a vCPU that there is not" says -3000 2 0 1 0
check "the largest number" says -3000 $group 0 1 0
check "a block beyond memory" says -3001 0 0 1 0 0 $((1 << 20)) 1 0
check "the last but one number" says -3000 0 $((group - 1)) 1 0
check "a weight that is too large" says -3000 0 0 65536 0
check "one that overflows" says -3000 0 0 $group 0
check "what is reserved" says -3000 0 0 1 1
check "the same entry twice" says -3001 0 0 1 0 0 0 1 0
check "blocks that descend" says -3001 0 1 1 0 0 0 1 0
check "vCPUs that descend" says -3001 1 0 1 0 0 1 1 0
check "the third is wrong" says -3002 0 0 1 0 0 1 1 0 5 2 1 0
check "after all that, one entry" says 0 0 0 1 0

check "other blocks: all is forgotten" at_leisure again 1 22
check "and others again at once" busy_at_once
check "in a second" at_leisure again 1 23
shift_=23
check "it is withdrawn" answers 0 $numa 0 0
check "so the next one is the first" at_leisure says 1 0 0 1 0

list 0 0 1 0
check "a page without a cookie" answers 0 $numa "$gpa" 1 $shift_ "$page"
sleep 2.5
check "is not written to" [ "$(page_has 0)" -eq 0 ]
check "both vCPUs are on one node" on_nodes 0 0
set_cookie
check "a page with one" answers 0 $numa "$gpa" 1 $shift_ "$page"
check "is" told
check "it tells of one node, on which both are" page_says 1 0 0
set_cookie
check "a vCPU goes to another node" on_nodes 0 1
sleep 2.5
check "a page that was changed is not written to any more" page_says 0 0 0
check "but when it is told of again" answers 0 $numa "$gpa" 1 $shift_ "$page"
check "it is" told
check "it tells of two nodes" page_says 2 0 1

# As fast as it can: there is a budget, and nothing worse.
answers -3001 $numa "$gpa" 1024 $shift_ >/dev/null
refused=$(cat $(yes $call | head -n 200) | grep -c "ret=$busy")
check "a flood is refused ($refused of 200)" [ "$refused" -gt 0 ]
check "after that, one entry" at_leisure says 0 0 0 1 0
tap_done
