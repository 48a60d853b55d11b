#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Figures of benchmarks, from what a laboratory might have recorded: the right arm over the right
# one, held against the right side of its bar, and none where something is missing.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. selftests/lib/tap.sh
top=$PWD
. scripts/bench/lib.sh
tmp=$bench_tmp

# values ARM "KEY=VALUE VALUE..."...: of pairs 1, 2 and so on
values() {
	local arm=$1 word value pair
	for word in "${@:2}"; do
		pair=0
		for value in ${word#*=}; do
			pair=$((pair + 1))
			printf '%d\t%s\t%s\t%s\n' "$pair" "$arm" "${word%%=*}" "$value"
		done
	done
}
# recorded BENCH CASE: what comes in is what the case has recorded; 3 pairs
recorded() {
	bench=$1 pairs=3
	describe_case "$2"
	rm -rf "$tmp/out"
	mkdir -p "$tmp/out/$2/$writer" && cat >"$tmp/out/$2/$writer/raw.tsv" && make_figures "$2" "$tmp/out"
}
# has CASE METRIC VALUE MIN MAX PASS
has() {
	local line
	line=$(grep "\"metric\":\"$2\"" "$tmp/out/$1.jsonl")
	[[ $line == *"\"value\":$3,"*"\"pairs\":3,\"min\":$4,\"max\":$5,"*"\"pass\":$6}" ]] ||
		{ echo "$line"; return 1; }
}
arms() { # STOCK... / PVX...
	local stock=()
	while [ "$1" != / ]; do stock+=("$1"); shift; done
	values stock "${stock[@]}"
	values pvx "${@:2}"
}

# More is better: ours over stock's, and their median.
rr() { arms "transactions_per_s=100 200 400" / "transactions_per_s=$1" | recorded timer rr; }
is_ratio() {
	rr "98 200 440" && has rr transactions_per_s 1.000000 0.980000 1.100000 true &&
		rr "97 190 440" && has rr transactions_per_s 0.970000 0.950000 1.100000 false
}
# Less is better, and how often ours is faster.
backed() { arms "both_us=300 300 300" "parent_faults=100 100 100" / "both_us=$1" "parent_faults=$2" \
	"by_host=1000 1000 1000" "calls=2 2 2" "pages=1000 1000 ${3:-1000}" | recorded fork fork-backed; }
is_faster() {
	backed "100 150 300" "5 6 1" && has fork-backed both_speedup 2.000000 1.000000 3.000000 true &&
		has fork-backed parent_faults 0.050000 0.010000 0.060000 true &&
		has fork-backed calls_per_1000 2.000000 2.000000 2.000000 true &&
		backed "300 300 300" "6 6 6" && has fork-backed both_speedup 1.000000 1.000000 1.000000 false &&
		has fork-backed parent_faults 0.060000 0.060000 0.060000 false
}
copied_by_itself() { ! backed "100 150 300" "5 6 1" 2000 && [ ! -e "$tmp/out/fork-backed.jsonl" ]; }
# What stock does not do either is no proof.
nothing_counted() {
	! arms "both_us=3 3 3" "parent_faults=100 0 100" / "both_us=1 1 1" "parent_faults=0 0 0" \
		"by_host=9 9 9" "calls=1 1 1" "pages=9 9 9" | recorded fork fork-backed
}
# Of something, a figure of ours alone; the worst of it.
compete() { arms "remote_1=500000 500000 500000" "remote_2=5000 5000 5000" "overfull=500 500 500" \
	"crowded=4 4 4" / "remote_1=250000 250000 250000" "remote_2=100 100 100" "overfull=0 100 0" \
	"crowded=$1" | recorded numa numa-compete; }
is_ours_alone() {
	compete "0 0 0" && has numa-compete crowded 0.000000 0.000000 0.000000 true &&
		has numa-compete remote_1 0.500000 0.500000 0.500000 true &&
		has numa-compete remote_2 1.000000 1.000000 1.000000 false &&
		has numa-compete overfull 0.000000 0.000000 0.100000 true &&
		compete "0 1 0" && has numa-compete crowded 1.000000 0.000000 1.000000 false
}
# All pairs together.
is_together() {
	arms "timeouts=10 0 0" "found_spurious=0 0 0" "goodput=1 1 1" / "timeouts=0 1 0" \
		"found_spurious=0 0 0" "goodput=2 1 1" | recorded timer tcp-host &&
		has tcp-host timeouts 0.100000 0.000000 1.000000 false &&
		has tcp-host goodput 1.000000 1.000000 2.000000 true
}
# Two bars, one from below and one from above, and the rounds of a pair add up.
model() { arms "speedup_16=$1" "speedup_64=2 2 2" "speedup_256=2 2 2" / "speedup_16=1 1 1" "speedup_16=1 1 1" \
	"speedup_64=2 2 2" "speedup_256=2 2 2" | recorded fork fork-model; }
passes() { grep "\"metric\":\"$1\"" "$tmp/out/fork-model.jsonl" | sed 's/.*"pass":\(.*\)}/\1/' | paste -sd' '; }
has_two_bars() {
	model "2 2 2" && [ "$(passes model_16)" = "true true" ] && model "1 1 1" &&
		[ "$(passes model_16)" = "false true" ] && model "3 3 3" && [ "$(passes model_16)" = "true false" ]
}
# A pair that has no value, and one that is not there at all.
is_incomplete() {
	! rr "98 200" && [ ! -e "$tmp/out/rr.jsonl" ] &&
		! values stock "transactions_per_s=1 1" | recorded timer rr &&
		! arms "transactions_per_s=100 200" / "transactions_per_s=100 200" | recorded timer rr
}

check "a ratio, more is better" is_ratio
check "times faster, and counts of which less is better" is_faster
check "no figures where the host did not copy" copied_by_itself
check "nor where stock counts nothing" nothing_counted
check "figures of ours alone, and the worst of all pairs" is_ours_alone
check "counts of all pairs together" is_together
check "two bars for one figure" has_two_bars
check "no figures where a value is missing" is_incomplete
tap_done
