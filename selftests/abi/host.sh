#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The operator's view, in step with guest.sh in each guest: the device and its
# ioctls, pvxctl with real VMMs, and what the guests see of grants. Its results
# go to $PVX_OUT/tap, too.
set -u

pvxctl=$PVX_TOP/build/pvxctl/pvxctl
programs=$PVX_TOP/build/selftests/abi
tracing=/sys/kernel/tracing
vmms=${PVX_RUN:-/run/guests}
guests=$(sed -n 's/^GUESTS=//p' /run/pvx/config)

tmp=$(mktemp -d) || exit 1
# Of the features these tests know yield, so that is to be all that VMs are granted.
default=/sys/module/pvx_host/parameters/default_features
[ ! -e $default ] || echo 1 >$default || exit 1

tell() { # GUEST STATE
	touch "$PVX_OUT/abi.$1.$2"
}

# However this ends, no guest shall wait for it.
end() {
	trap '' HUP INT TERM	# when the guests end this script is told to
	rm -rf "$tmp"
	for n in $(seq 1 "$guests"); do
		for state in revoked granted looked revoked-all through; do
			tell "$n" "$state"
		done
	done
}
trap end EXIT
trap 'exit 1' HUP INT TERM

pid_of() { # GUEST
	cat "$vmms/guest$1.pid"
}

# told GUEST STATE: wait until it says that it is so, or is gone
told() {
	while [ ! -e "/run/pvx/out/guest$1/abi.$2" ]; do
		# This script starts before the guests do.
		[ ! -e "$vmms/guest$1.pid" ] || kill -0 "$(pid_of "$1")" ||
			return 1
		sleep 0.25
	done
}

# --- pvxctl ------------------------------------------------------------------

# run ARG...: pvxctl with these, its output in $tmp/out and $tmp/err, and shown
run() {
	"$pvxctl" "$@" >"$tmp/out" 2>"$tmp/err"
	ran=$?
	cat "$tmp/out" "$tmp/err"
	return $ran
}

# prints TEXT ARG...: succeeds, silent on stderr, with a line like TEXT
prints() {
	text=$1
	shift
	run "$@" && [ ! -s "$tmp/err" ] && grep -q -E -x -- "$text" "$tmp/out"
}

# fails TEXT ARG...: status 1, no output, an error with TEXT
fails() {
	text=$1
	shift
	run "$@"
	[ $? -eq 1 ] && [ ! -s "$tmp/out" ] &&
		grep -q -F -- "pvxctl: $text" "$tmp/err"
}

# json EXPRESSION ARG...: prints JSON of which the Python expression on x holds;
# without Python, succeeds
json() {
	expression=$1
	shift
	run "$@" && [ ! -s "$tmp/err" ] || return 1
	command -v python3 >/dev/null || return 0
	python3 -c '
import json, sys
x = json.load(open(sys.argv[1]))
sys.exit(not eval(sys.argv[2]))
' "$tmp/out" "$expression"
}

# has GUEST FEATURES: do list and show say that this is what it is granted?
has() {
	pid=$(pid_of "$1")
	prints "granted +$2" show --pid "$pid" || return
	case $2 in
	none) want="[]";;
	*) want="['$2']";;
	esac
	json "x['granted'] == $want" show --pid "$pid" --json &&
		json "[v['granted'] for v in x['vms'] if v['pid'] == $pid] == [$want]" \
			list --json
}

test_show() {
	check "show" prints "available +yield" show
	check "show: ABI version" prints "abi_version +1" show
	check "show: contexts" prints "vms +$guests" show
	check "show --json" json \
		"x['abi_version'] == 1 and 'yield' in x['available'] and x['vms'] == $guests" \
		show --json
}

# What the tests before made must have been traced.
# Fields may be added behind these.
traces() { # EVENT FIELDS, a pattern
	grep -m 1 -qE " $1: $2( |\$)" "$tracing/trace" || { grep -m 1 " $1: " "$tracing/trace"; return 1; }
}

test_guest_shown() { # GUEST
	pid=$(pid_of "$1")
	check "guest $1 is granted yield" has "$1" yield
	check "guest $1: list" prints " *$pid .* yield +yield +[0-9]+" list
	check "guest $1: show" prints "negotiated +yield" show --pid "$pid"
	check "guest $1: show has the counters" \
		prints "features\.yield_unknown +[1-9][0-9]*" show --pid "$pid"
	check "guest $1: show --json" json \
		"x['pid'] == $pid and x['calls'] > x['refused'] > 0 and x['debugfs']['core']['calls'] == x['calls']" \
		show --pid "$pid" --json
}

# It sees nothing of /proc/PID/fd and may not open the device.
as_nobody() {
	cp "$pvxctl" "$tmp/pvxctl" && chmod 755 "$tmp" "$tmp/pvxctl" || return
	setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$tmp/pvxctl" "$@" >"$tmp/out" 2>"$tmp/err"
	ran=$?
	cat "$tmp/out" "$tmp/err"
	[ $ran -eq 1 ] && grep -q "are you root\|CAP_SYS_PTRACE" "$tmp/err"
}

test_pvxctl_errors() {
	pid=$(pid_of 1)
	none=$(cat /proc/sys/kernel/pid_max)
	for command in "show" "grant yield" "revoke yield"; do
		# shellcheck disable=SC2086 # the command and its argument
		set -- $command
		check "$1: no such process" \
			fails "no process $none" "$@" --pid "$none"
		check "$1: a process without a VM" \
			fails "process $$ holds no KVM VM" "$@" --pid $$
		check "$1: a descriptor that is no VM" \
			fails "file descriptor 0 of process $pid is no KVM VM" \
			"$@" --pid "$pid" --vm-fd 0
		check "$1: a descriptor that is not open" \
			fails "process $pid has no file descriptor 999999" \
			"$@" --pid "$pid" --vm-fd 999999
		check "$1: not root" as_nobody "$@" --pid "$pid"
	done
	check "list: not root" as_nobody list
	check "show of the host: not root" as_nobody show
	check "all that changed nothing" has 1 yield
}

# passes COMMAND...: a test of its own, which has no reason here to be skipped
passes() {
	"$@" >"$tmp/tap" 2>&1 && return
	grep -A 5 '^not ok\|^1\.\.0' "$tmp/tap"
	return 1
}

# shown NAME COMMAND...: the same, and its results stand as comments before
shown() {
	name=$1
	shift
	"$@" >"$tmp/tap" 2>&1
	ran=$?
	sed 's/^/# /' "$tmp/tap"
	case $ran in
	0) tap_ok "$name";;
	*) tap_not_ok "$name, exit status $ran";;
	esac
}

# --- in step with a guest ----------------------------------------------------

revoke() { # GUEST
	pid=$(pid_of "$1")
	check "guest $1: revoke" prints "granted +none" revoke --pid "$pid" yield
	check "guest $1: revoked" has "$1" none
	check "guest $1: no longer negotiated" \
		prints "negotiated +none" show --pid "$pid"
	check "guest $1: revoke once more" \
		prints "granted +none" revoke --pid "$pid" yield
	tell "$1" revoked
	check "guest $1 saw it" told "$1" saw-revoked
}

grant() { # GUEST
	pid=$(pid_of "$1")
	check "guest $1: grant" prints "granted +yield" grant --pid "$pid" yield
	check "guest $1: granted" has "$1" yield
	tell "$1" granted
	check "guest $1 called, but did not negotiate" \
		told "$1" saw-granted-anew
	check "guest $1: nothing is negotiated" \
		prints "negotiated +none" show --pid "$pid"
	tell "$1" looked
	check "guest $1 negotiated" told "$1" saw-granted
	check "guest $1: yield is negotiated" \
		prints "negotiated +yield" show --pid "$pid"
}

revoke_all() { # GUEST
	pid=$(pid_of "$1")
	check "guest $1: revoke all" prints "granted +none" revoke --pid "$pid" all
	check "guest $1: all revoked" has "$1" none
	tell "$1" revoked-all
	check "guest $1 saw it" told "$1" saw-revoked-all
	check "guest $1: grant all" prints "granted +yield" grant --pid "$pid" all
}

others_have_yield() { # GUEST
	for m in $(seq 1 "$guests"); do
		[ "$m" -eq "$1" ] || has "$m" yield || return 1
	done
}

all_tests() {
	# shellcheck source=/dev/null
	. "$PVX_TOP/selftests/lib/tap.sh"
	for n in $(seq 1 "$guests"); do
		check "guest $n made its calls" told "$n" tested
	done
	command -v python3 >/dev/null ||
		tap_skip "what is in the JSON" "no python3"
	echo 1 >"$tracing/events/pvx_host/enable"
	check "the device's ioctls" passes "$programs/ioctl"
	check "the event vm_created" traces vm_created 'vm=[0-9]+ pid=[1-9][0-9]* granted=0x[0-9a-f]+'
	check "the event vm_granted" traces vm_granted 'vm=[0-9]+ granted=0x[0-9a-f]+'
	check "the event vm_grouped" traces vm_grouped 'vm=[0-9]+ group=[a-z]+'
	check "and that it is in none" traces vm_grouped 'vm=[0-9]+ group='
	check "the event vm_destroyed" traces vm_destroyed 'vm=[0-9]+'
	shown "VMs without an operating system" "$programs/minivm"
	check "the event hypercall_done" traces hypercall_done \
		'vm=[0-9]+ vcpu=[0-9]+ nr=0x505658[0-9a-f]+ a0=0x[0-9a-f]+ ret=-?[0-9]+ ns=[1-9][0-9]*'
	echo 0 >"$tracing/events/pvx_host/enable"
	check "pvxctl without a guest" passes "$PVX_TOP/selftests/pvxctl/usage.sh"
	test_show
	for n in $(seq 1 "$guests"); do
		test_guest_shown "$n"
	done
	test_pvxctl_errors
	for n in $(seq 1 "$guests"); do
		revoke "$n"
		[ "$guests" -eq 1 ] ||
			check "guest $n: the others keep theirs" others_have_yield "$n"
		grant "$n"
		revoke_all "$n"
	done
	tap_done
}

# A pipe would lose the status.
all_tests >"$PVX_OUT/tap"
passed=$?
cat "$PVX_OUT/tap"
[ $passed -eq 0 ]
