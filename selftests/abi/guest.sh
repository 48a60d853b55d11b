#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The guest's view of the hypercalls, kept and broken rules alike:
#
#   make -C selftests
#   scripts/lab/lab run --guests 2 --guest-script selftests/abi/guest.sh \
#           --host-script selftests/abi/host.sh
#
# Without that host script, what needs the operator is skipped.
set -u

# shellcheck source=/dev/null
. "$PVX_TOP/selftests/lib/tap.sh"

name=pvx_abitest
params=/sys/module/$name/parameters
debugfs=/sys/kernel/debug/$name

negotiate=0x50565800
nop=0x50565801
yield=0x50565810
version=1
f_yield=1
# No VM of the laboratory has a vCPU of that number.
nobody=200

# The CPU that makes the calls; empty: any
on=

# call NR [ARG...]: what hypercall NR answers; arguments left out are 0
call() {
	for param in nr a0 a1 a2 a3; do
		echo "${1:-0}" >"$params/$param" || return
		[ $# -eq 0 ] || shift
	done
	${on:+taskset -c "$on"} sed -n 's/^ret=//p' "$debugfs/call"
}

# answers WANT NR [ARG...]
answers() {
	want=$1
	shift
	got=$(call "$@")
	[ "$got" = "$want" ] || { echo "answered '$got', not $want"; false; }
}

# begin: load the module where there is somebody to call, and nobody else does
begin() {
	# It would negotiate between two of our calls.
	for module in pvx_guest_timer pvx_guest_lock pvx_guest; do
		[ ! -d /sys/module/$module ] || rmmod $module ||
			{ tap_not_ok "unload $module"; tap_done; exit 1; }
	done
	insmod "$PVX_BUILD/selftests/abi/$name.ko" ||
		{ tap_not_ok "load $name"; tap_done; exit 1; }
	[ "$(call $nop)" != -1000 ] || tap_skip_all "the host grants nothing"
}

test_numbers() {
	check "no-op" answers 0 $nop
	for bad in 1 0x8000000000000000; do
		check "no-op, argument 0 is $bad" answers -2000 $nop $bad
		check "no-op, argument 1 is $bad" answers -2001 $nop 0 $bad
		check "no-op, argument 2 is $bad" answers -2002 $nop 0 0 $bad
		check "no-op, argument 3 is $bad" answers -2003 $nop 0 0 0 $bad
	done
	check "no-op, the first bad argument counts" answers -2001 $nop 0 1 1 1
	check "unknown number in our block" answers -1000 0x505658fe
	check "last number of our block" answers -1000 0x505658ff
	check "first number after our block" answers -1000 0x50565900
	check "last number before our block" answers -1000 0x505657ff
	check "number of ours with another high bit" answers -1000 0xd0565801
	check "stock hypercall" answers 0 1
	check "unknown stock hypercall" answers -1000 0x3fffffff
}

test_negotiate() {
	check "negotiate" answers 1 $negotiate $version $f_yield
	check "negotiate again" answers 1 $negotiate $version $f_yield
	for bad in 0 2 0xffffffff 0x100000001 0xffffffffffffffff; do
		check "version $bad" answers -2010 $negotiate $bad $f_yield
	done
	for bad in 0x8000000000000000 0x8000000000000001 0xffffffffffffffff; do
		check "reserved bit in features $bad" \
			answers -2001 $negotiate $version $bad
	done
	for bad in 1 0x8000000000000000; do
		check "argument 2 is $bad" \
			answers -2002 $negotiate $version $f_yield $bad
		check "argument 3 is $bad" \
			answers -2003 $negotiate $version $f_yield 0 $bad
	done
	check "a refusal leaves what was negotiated before" \
		answers 3 $yield $nobody
	check "unknown features come back clear" \
		answers 0 $negotiate $version 0x7f00000000000000
	check "known ones beside them do not" \
		answers 1 $negotiate $version 0x7f00000000000001
}

test_not_negotiated() {
	check "negotiate no feature" answers 0 $negotiate $version 0
	check "yield, not negotiated" answers -1000 $yield $nobody
	check "yield, not negotiated, bad argument" answers -1000 $yield 0 1
	check "no-op needs no feature" answers 0 $nop
	check "negotiate it again" answers 1 $negotiate $version $f_yield
	check "yield, negotiated again" answers 3 $yield $nobody
}

# own_id CPU: its APIC id
own_id() {
	awk -v cpu="$1" '$1 == "processor" { at = $3 }
		$1 == "apicid" && at == cpu { print $3 }' /proc/cpuinfo
}

yields_to_itself() { # CPU
	on=$1
	answers 1 $yield "$(own_id "$1")"
}

test_yield() {
	for bad in 0x100000000 0x8000000000000000 0xffffffffffffffff; do
		check "APIC id $bad" answers -2000 $yield $bad
	done
	for bad in 1 0x8000000000000000; do
		check "yield, argument 1 is $bad" answers -2001 $yield 0 $bad
		check "yield, argument 2 is $bad" answers -2002 $yield 0 0 $bad
		check "yield, argument 3 is $bad" answers -2003 $yield 0 0 0 $bad
	done
	for id in $nobody 0x7fffffff 0x80000000 0xffffffff; do
		check "nobody has APIC id $id" answers 3 $yield "$id"
	done
	for cpu in 0 $(($(nproc) - 1)); do
		check "CPU $cpu yields to itself" yields_to_itself $cpu
	done
}

# floods TARGET KEY: every yield to TARGET answers KEY, or for "any" any status
floods() {
	echo "$1" >"$params/target" && echo 300 >"$params/flood_ms" || return
	got=$(cat "$debugfs/flood")
	echo "$got"
	echo "$got" | awk -F= -v key="$2" '
		{ is[$1] = $2 }
		END {
			if (key == "any")
				bad = is["enosys"] + is["errors"]
			else
				bad = is["calls"] - is[key]
			exit !is["calls"] || bad
		}'
}

test_flood() {
	check "a flood of yields to nobody" floods $nobody unknown
	for id in 0 "$(own_id $(($(nproc) - 1)))"; do
		check "a flood of yields to APIC id $id" floods "$id" any
	done
	check "no-op after the floods" answers 0 $nop
}

benches() {
	got=$(cat "$debugfs/bench")
	echo "$got" | tee "$PVX_OUT/bench"
	echo "$got" | awk -F= '{ is[$1] = $2 }
		END { exit !(is["nop_ns"] && is["vapic_ns"]) ||
			is["nop_ret"] || is["vapic_ret"] }'
}

test_user() {
	program=$PVX_TOP/build/selftests/abi/user
	if [ ! -x "$program" ]; then
		tap_skip "user space is refused" "no $program: make -C selftests"
		return
	fi
	check "user space is refused" "$program"
	# The laboratory's host is an emulated one: see user.c, --compat.
	tap_skip "32-bit user space is refused" \
		"emulated SVM loses CPL in compatibility mode"
	check "what was negotiated is as before" answers 3 $yield $nobody
}

# --- in step with the host ---------------------------------------------------

# Both levels see the files that each leaves in its folder of results.
tell() {
	touch "$PVX_OUT/abi.$1"
}

# told STATE: wait until the host says that it is so
told() {
	tries=0
	while [ ! -e "/run/pvx/out/host/abi.$PVX_GUEST.$1" ]; do
		tries=$((tries + 1))
		[ $tries -lt 1200 ] || { echo "the host did not say $1"; return 1; }
		sleep 0.25
	done
}

test_operator() {
	if ! cmp -s /run/pvx/host-script "$PVX_TOP/selftests/abi/host.sh"; then
		tap_skip "revoked features" "no host script"
		return
	fi
	tell tested
	check "the host revokes yield" told revoked
	check "yield, revoked" answers -1000 $yield $nobody
	check "yield, revoked, bad argument" answers -1000 $yield 0 1
	# As long as it is the only feature, nothing is left that is granted.
	check "no-op, nothing granted" answers -1000 $nop
	check "negotiate, nothing granted" \
		answers -1000 $negotiate $version $f_yield
	tell saw-revoked

	check "the host grants it again" told granted
	check "no-op, granted again" answers 0 $nop
	check "yield, granted again, not negotiated" answers -1000 $yield $nobody
	tell saw-granted-anew
	check "the host finds nothing negotiated" told looked
	check "negotiate, granted again" answers 1 $negotiate $version $f_yield
	check "yield, negotiated after that" answers 3 $yield $nobody
	tell saw-granted

	check "the host revokes all" told revoked-all
	for nr in $negotiate $nop $yield 0x505658fe; do
		check "number $nr, all revoked" answers -1000 "$nr" $version
	done
	check "stock hypercall, all revoked" answers 0 1
	tell saw-revoked-all
	# Its script must be through before the last guest ends.
	check "the host is through" told through
}

begin
test_numbers
test_negotiate
test_not_negotiated
test_yield
test_flood
check "bench" benches
test_user
test_operator
check "unload $name" rmmod $name
tap_done
