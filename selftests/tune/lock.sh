#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Does pvxlock find the locks that are waited for, with stock's slow path and with ours, count
# each wait, and compare the two? A guest script.
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/lock/load.sh"
pvxlock=$PVX_TOP/build/tune/pvxlock
threshold=/sys/module/pvx_guest_lock/parameters/steal_permille
json=$PVX_OUT/pvxlock.json
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

replaced_from() { # PERMILLE 0|1
	echo "$1" >$threshold && becomes "$2"
}

# The first one is the sum.
all() { grep -oE "\"$1\":[0-9]+" "$json" | head -n 1 | cut -d: -f2; } # KEY
some() { [ "$(all "$1")" -gt 0 ]; }
guarded='guarded(\+0x[0-9a-f]+)? \[pvx_locktest\]'

# fails STATUS TEXT ARG...: with a message that has TEXT
fails() {
	local status=$1 text=$2
	shift 2
	"$pvxlock" "$@" >"$tmp/out" 2>"$tmp/err"
	[ $? -eq "$status" ] && grep -qF -- "$text" "$tmp/err" && return
	cat "$tmp/out" "$tmp/err"
	return 1
}
# Nobody need be let into the project's folder.
as_nobody() {
	cp "$pvxlock" "$tmp/" && chmod 755 "$tmp" "$tmp/pvxlock" || return
	setpriv --reuid 65534 --regid 65534 --clear-groups "$tmp/pvxlock" -1 2>"$tmp/err"
	[ $? -eq 1 ] && grep -q 'are you root' "$tmp/err" || { cat "$tmp/err"; return 1; }
}
usage_tests() {
	check "a bad option" fails 2 "unrecognized option" --no-such-option
	check "a bad number" fails 2 "is no number" -d 0
	check "a bad argument" fails 2 "unexpected argument" stock
	check "no such file" fails 1 "No such file" -1 --compare "$tmp/none"
	echo "a line" >"$tmp/bad"
	check "another kind of file" fails 1 "$tmp/bad:1: " -1 --compare "$tmp/bad"
	printf 'pvxlock 1\nseconds 2\nlock 1 x\n' >"$tmp/bad"
	check "a bad line" fails 1 "$tmp/bad:3: " -1 --compare "$tmp/bad"
	printf 'pvxlock 1\nseconds 2\nlock 1 1 0 1,0 name\n' >"$tmp/bad"
	check "too few figures" fails 1 "$tmp/bad:3: " -1 --compare "$tmp/bad"
	: >"$tmp/bad"
	check "an empty file" fails 1 "$tmp/bad: " -1 --compare "$tmp/bad"
	check "a file that cannot be written" fails 1 "$tmp/none/" -d 1 --save "$tmp/none/file"
	check "not root" as_nobody
}

is_json() {
	[ "$(wc -l <"$json")" -eq 1 ] || return
	command -v python3 >/dev/null || return 0
	python3 -m json.tool "$json" >/dev/null
}
# A lock of the test's with waits, and what waited for it.
lists() {
	grep -E "\"name\":\"$guarded\",\"address\":\"0xf[0-9a-f]*\",\"caller\":\"[^\"]* \[pvx_locktest\]\",\"waits\":[1-9]" \
		"$json"
}
shows() { # FILE
	grep -E "^ +[0-9.]+ +[0-9.]+ +[1-9][0-9]* .*  $guarded, .* \[pvx_locktest\]" "$1"
}
draws() { grep -E "^ +[0-9.]+ +[1-9][0-9]*  #+$" "$1"; } # FILE
compares() {
	"$pvxlock" -d 3 -c "$tmp/stock" >"$tmp/compared" || return
	# Three times before, after and their ratio, twice before and after, and the name.
	grep -E "^( +[0-9]+\.[0-9]+){13}  $guarded$" "$tmp/compared" &&
		grep -E "^ +[0-9.]+ +[1-9][0-9]* +[0-9]+  #*$" "$tmp/compared"
}
compares_json() {
	"$pvxlock" -d 3 --json --compare "$tmp/stock" >"$json" && is_json &&
		grep -E '"before_waits":[1-9][0-9]*,"before_ns":[1-9][0-9]*,"before_preempted":[0-9]+,"before_buckets":\[' "$json"
}

stock_tests() {
	check "stock's slow path" replaced_from 1000000 0
	check "it looks, and saves" \
		eval '"$pvxlock" -d 4 --json -s "$tmp/stock" >"$json"'
	check "that is JSON" is_json
	check "a lock that is waited for, and its caller" lists
	check "which are saved" grep -E "^lock [1-9][0-9]* [1-9][0-9]* [0-9]+ [0-9,]+ $guarded$" "$tmp/stock"
	check "it is known whether holders were preempted" grep -q '"preempted":' "$json"
	echo "# stock: $(all waits) waits, $(all preempted) behind preempted holders, $(all halted) halted, $(all missed) missed"
	check "nobody yields" [ "$(all yielded)" -eq 0 ]
}
our_tests() {
	check "our slow path" replaced_from 0 1
	check "it looks" eval '"$pvxlock" -1 -d 4 --json >"$json"'
	check "the same lock" lists
	check "waiters yield" some yielded
	check "holders are preempted" some preempted
	echo "# ours: $(all waits) waits, $(all preempted) behind preempted holders, $(all yielded) yielded, $(all missed) missed"
	check "a table" eval '"$pvxlock" -1 -d 2 -n 4 >"$tmp/table" && shows "$tmp/table"'
	check "with histograms" draws "$tmp/table"
	check "it compares with what was before" compares
	check "also as JSON" compares_json
}

attached() { ls -l "/proc/$1/fd" 2>/dev/null | grep -q bpf.link; } # PID
# Waits while it looks, as our slow path counts them, and it does.
counts_all() {
	local pid before
	"$pvxlock" -d 60 -1 --json >"$json" & pid=$!
	eventually attached $pid && sleep 5 || return
	before=$(stat waits)
	cat /sys/kernel/debug/pvx_locktest/torture >/dev/null
	before=$(($(stat waits) - before))
	kill $pid
	wait $pid || return
	echo "# $before waits, $(all waits) seen, $(all missed) missed, $(all no_room) without room"
	[ "$before" -gt 0 ] && [ $(($(all waits) + $(all missed))) -ge "$before" ]
}

usage_tests
load_begin || exit
stock_tests
our_tests
load_held; status=$?
check "and no lock let two in" [ $status -eq 0 ]
counts_all; status=$?
check "each wait is seen, or known to be missed" [ $status -eq 0 ]
tap_done
