#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The page of make report, of the few results in fixture/: figures that passed, that missed, that
# are absent, and one that was held against another bar.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. selftests/lib/tap.sh
tmp=$(mktemp -d "${TMPDIR:-/tmp}/pvx-reporttest.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
page=$tmp/report.html
cp -r selftests/report/fixture/. "$tmp/"

section() { sed -n "/<section id=\"$1\">/,/<\/section>/p" "$page"; } # BENCH-KERNEL
tbody() { section "$1" | sed -n "/rowgroup\">$2: /,/<\/tbody>/p"; } # BENCH-KERNEL CASE
# The row of a figure, which has all of these, one behind the other.
row() { # BENCH-KERNEL CASE METRIC REGEX
	tbody "$1" "$2" | grep "<th scope=\"row\">$3<" | tee /dev/stderr | grep -qE -- "$4"
}
sums() { grep "href=\"#$1\"" "$page" | sed 's/<[^>]*>/ /g' | tee /dev/stderr | grep -qE -- "$2"; }
not_measured() { # BENCH KERNEL
	section "$1-$2" | grep -q "Not measured: <code>make bench BENCH=$1 KVER=$2</code>"
}
plot_is_there() {
	section lock-6.12 | sed -n 's/.*base64,\([^"]*\)".*/\1/p' | base64 -d |
		cmp - selftests/report/fixture/bench-lock-6.12/4on2.svg
}
# It refers to nothing but itself.
is_alone() { ! grep -oE '(src|href|url)[=(]"?[^ >]*' "$page" | grep -vE '="(#|data:)'; }
has_no_script() { ! grep -qi '<script' "$page"; }
is_balanced() {
	local tag status=0
	for tag in html body section table thead tbody tr th td figure; do
		[ "$(grep -oE "<$tag[ >]" "$page" | wc -l)" -eq "$(grep -o "</$tag>" "$page" | wc -l)" ] ||
			{ echo "$tag is not"; status=1; }
	done
	return $status
}
is_for_both() { grep -q 'prefers-color-scheme: dark' "$page"; }
all_bars() { # each has its row where a benchmark was measured in part
	local top=$PWD c rows bars
	. scripts/bench/lib.sh
	bars=$(for c in $lock_cases; do bars_of "$c"; done | wc -l)
	rows=$(section lock-6.12 | grep -c '<th scope="row">')
	echo "$bars bars, $rows rows"
	[ "$bars" -gt 10 ] && [ "$bars" -eq "$rows" ]
}
another() { # RESULTS: with nothing in it
	scripts/report "$tmp/none" && grep -q 'Not measured' "$tmp/none/report.html"
}

check "the page is written" scripts/report "$tmp"
check "a figure that passed" row lock-6.12 4on2 ops_ratio \
	'1\.8432 .*1\.5000 to 2\.1000.*&gt;= 1\.5<.*<td>3</td>.*>passed<'
check "one that missed" row lock-6.12 4on2 long_wait_share_ratio '0\.7500 .*&lt;= 0\.7<.*>missed<'
check "one that was held against another bar" row lock-6.12 4on2 fairness \
	'<td></td>.*&gt;= 0\.5<.*>not measured against this bar<'
check "one that is absent" row lock-6.12 4on2 yields_reached '>not measured<'
check "a case that is absent" row lock-6.12 apps hackbench '>not measured<'
check "all bars of that benchmark are there" all_bars
model() { tbody fork-6.1 fork-model | grep '>model_16<' | grep -q "$1"; }
check "a metric with two bars: one passed" model '0\.75<.*>passed<'
check "and one missed" model '1\.25<.*>missed<'
for bench in lock timer ksm numa tune; do
	check "$bench was not measured on 6.1" not_measured $bench 6.1
done
check "nor was fork on 6.12" not_measured fork 6.12
check "the summary counts" sums lock-6.12 'Linux 6.12 +1 +1 +[1-9]'
check "and says what was not measured" sums lock-6.1 ' all '
check "the plot is there, as it was" plot_is_there
check "the page refers to nothing else" is_alone
check "it has no script" has_no_script
check "what is opened is closed" is_balanced
check "it is for light and dark" is_for_both
check "without any results there is a page, too" another
tap_done
