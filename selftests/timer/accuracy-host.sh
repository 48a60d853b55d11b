#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A vCPU's effective time is the time that its thread ran. A host script, for
# lab run --guest-cpus 1. The vCPU is kept busy, and for half of the
# time a hog takes its CPU, in bursts of 50 to 800 ms.
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/timer/bursts.sh"
guest=$PVX_OUT/../guest1

run_time() { cut -d ' ' -f 1 "/proc/$(guest_pid 1)/task/$(vcpu_thread 1 0)/schedstat"; }
of() { sed -n "s/^$1=//p" "$guest/clock.$2"; }
span() { echo $(($(of "$1" end) - $(of "$1" begin))); }

reading() {
	until [ -e "$guest/$1" ]; do sleep 0.02; done
	run_time
	touch "$PVX_OUT/$1"
}

judge() {
	local begin=$1 end=$2 ran wall effective stolen
	ran=$((end - begin))
	wall=$(span monotonic_ns) effective=$(span effective_ns) stolen=$(span stolen_ns)
	echo "# wall $((wall / 1000000)) ms, stolen $((stolen / 1000000)), effective $((effective / 1000000)), the thread ran $((ran / 1000000))"
	check "about half of the time was stolen" \
		awk -v s=$stolen -v w=$wall 'BEGIN { exit !(s > 0.4 * w && s < 0.6 * w) }'
	check "effective time is the thread's run time within 1 %" \
		awk -v e=$effective -v r=$ran 'BEGIN { d = e - r; exit !((d < 0 ? -d : d) <= 0.01 * r) }'
	tap_done
}

(bursts_main) & server=$!
reading first >/dev/null
begin=$(reading begin)
end=$(reading end)
judge "$begin" "$end" >"$PVX_OUT/judged"
status=$?
cat "$PVX_OUT/judged"
cp "$PVX_OUT/judged" "$guest/"
kill $server
echo $status >"$PVX_OUT/verdict"
