# SPDX-License-Identifier: GPL-2.0
#
# The case tune-top: a guest makes hypercalls as fast as it can. What does pvxtop take of the
# host's CPUs, its BPF programs included, and does it see each exit, as KVM counts them?
guests=1
. "$PVX_TOP/scripts/bench/host-common.sh"
pvxtop=$PVX_TOP/build/tune/pvxtop
SECONDS_OF_FLOOD=30
looks=/run/looks

asked_for() { # QUESTION ANSWER
	ask 60 "$1" && [ "$(answer 1)" = "$2" ] || fail "$1: $(answer 1)"
}
exits() { cat "/sys/kernel/debug/kvm/$(pid 1)"-*/exits; }
calls() { sed -n 's/^calls=//p' "/sys/kernel/debug/pvx_host/$(id 1)/core"; }
# What pvxtop has used up to now, in us: of its own, by ticks of 10 ms, and by its programs.
used_us() {
	local stat
	stat=$(<"/proc/$top/stat")
	set -- ${stat##*) }
	awk -v ticks=$((${12} + ${13})) '
		$1 == "run_time_ns:" { ns += $2 }
		END { printf "%d\n", ticks * 10000 + ns / 1000 }' "/proc/$top/fdinfo"/*
}
seen() { # exits, in all looks
	grep -o '"exits":[0-9]*,"reasons"' $looks | awk -F'[:,]' '{ n += $2 } END { print n + 0 }'
}
has_looks() { [ "$(wc -l <$looks)" -ge "$1" ]; }

# Before and behind the flood the guest is idle, so that it matters little when it is read.
measure() { # PAIR pvx
	local exits calls used begin us before
	"$pvxtop" --json >$looks & top=$!
	within 30 has_looks 1 || fail "pvxtop does not look"
	before=$(seen) exits=$(exits)
	asked_for flood floods
	calls=$(calls) used=$(used_us) begin=$(now_us)
	sleep $SECONDS_OF_FLOOD
	us=$(($(now_us) - begin)) used=$(($(used_us) - used)) calls=$(($(calls) - calls))
	asked_for calm calm
	sleep 3
	exits=$(($(exits) - exits))
	kill $top && wait $top
	record_all "$1" "$2" <<-END
	per_s=$((calls * 1000000 / us))
	of_host=$(awk -v used=$used -v us=$us -v cpus="$(nproc)" 'BEGIN { print used / us / cpus }')
	lost=$(awk -v n=$exits -v seen=$(($(seen) - before)) \
		'BEGIN { d = n - seen; print n ? (d < 0 ? -d : d) / n : 1 }')
	END
}
arms_of() { echo pvx; }
report() {
	echo "$(recorded "$1" pvx of_host) of the host, $(recorded "$1" pvx lost) lost of" \
		"$(recorded "$1" pvx per_s) calls in a second"
}

[ -x "$pvxtop" ] || fail "pvxtop was not built: it needs clang, bpftool and libbpf-dev"
echo 1 >/proc/sys/kernel/bpf_stats_enabled || fail "what programs take is not counted"
begin_guests scripts/bench/guest-top.sh || fail "the guest does not boot"
touch /run/pvx/go
measure_pairs
ask 30 end
