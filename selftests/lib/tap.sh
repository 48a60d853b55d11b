# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# TAP for the shell's tests, to be sourced; the plan comes at the end.
# Sourcing it prints the header.

tap_count=0
tap_failed=0

tap_ok() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1"
}

tap_not_ok() {
	tap_count=$((tap_count + 1))
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_count - $1"
}

# tap_skip NAME REASON
tap_skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

# tap_diag TEXT: lines that are no results
tap_diag() {
	[ -z "$1" ] || printf '%s\n' "$1" | sed 's/^/# /'
}

# check NAME COMMAND...: report the test NAME by the status of COMMAND, and
# show what it printed if it failed. COMMAND runs in a subshell.
check() {
	tap_name=$1
	shift
	if tap_said=$("$@" 2>&1); then
		tap_ok "$tap_name"
		return
	fi
	tap_not_ok "$tap_name"
	tap_diag "$tap_said"
}

# tap_skip_all REASON: there is nothing to test here
tap_skip_all() {
	echo "1..0 # SKIP $1"
	exit 4
}

# tap_done: the plan; fails if a test did. To be the last command.
tap_done() {
	echo "1..$tap_count"
	[ "$tap_failed" -eq 0 ]
}

echo "TAP version 13"
