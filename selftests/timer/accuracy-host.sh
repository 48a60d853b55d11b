#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A vCPU's effective time is the time that its thread ran. A host script, for
# lab run --guest-cpus 1. The vCPU is kept busy, and for half of the
# time a hog takes its CPU, in bursts of 50 to 800 ms.
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/timer/bursts.sh"
guest=$PVX_OUT/../guest1

# reading NAME: asks the guest for its clock; sets ran, what the thread had run by
# then, and effective, wall and stolen, all in ns. That is known to half of how long
# the answer takes, so of ten the one counts that took the least; unknown is the sum
# of these halves.
unknown=0
reading() {
	local n before after least answer
	for ((n = 0; n < 10; n++)); do
		read -r before _ <"$run_time"
		: >"$PVX_OUT/$1.ask.$n"
		answer=
		until [ -n "$answer" ]; do read -r answer 2>/dev/null <"$guest/$1.$n"; done
		read -r after _ <"$run_time"
		[ -z "$least" ] || [ $((after - before)) -lt "$least" ] || continue
		least=$((after - before)) ran=$(((before + after) / 2))
		read -r effective wall stolen <<<"$answer"
	done
	: >"$PVX_OUT/$1.taken"
	unknown=$((unknown + least / 2))
}

judge() {
	echo "# wall $((wall / 1000000)) ms, stolen $((stolen / 1000000)), effective $((effective / 1000000)), the thread ran $((ran / 1000000)), known to $((unknown / 1000000))"
	check "about half of the time was stolen" \
		awk -v s=$stolen -v w=$wall 'BEGIN { exit !(s > 0.33 * w && s < 0.67 * w) }'
	check "effective time is the thread's run time within 1 %, as far as that is known" \
		awk -v e=$effective -v r=$ran -v u=$unknown \
		'BEGIN { d = e - r; exit !((d < 0 ? -d : d) <= 0.01 * r + u) }'
	tap_done
}

(bursts_main) & server=$!
until [ -e "$guest/ready" ]; do sleep 0.2; done
run_time=/proc/$(guest_pid 1)/task/$(vcpu_thread 1 0)/schedstat
reading begin
begin=("$ran" "$effective" "$wall" "$stolen")
reading end
ran=$((ran - begin[0])) effective=$((effective - begin[1]))
wall=$((wall - begin[2])) stolen=$((stolen - begin[3]))
judge >"$PVX_OUT/judged"
status=$?
cat "$PVX_OUT/judged"
cp "$PVX_OUT/judged" "$guest/"
kill $server
echo $status >"$PVX_OUT/verdict"
