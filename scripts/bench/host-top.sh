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
# Of all kinds, as KVM counts them: half of them are not ours.
calls() { cat "/sys/kernel/debug/kvm/$(pid 1)"-*/hypercalls; }
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

# While the guest is stopped, and pvxtop has told of all that was before: sets $exits and $told.
note_exits() {
	local looked
	qmp 1 '{"execute":"stop"}' >/dev/null || fail "the guest cannot be stopped"
	looked=$(wc -l <$looks)
	within 30 has_looks $((looked + 2)) || fail "pvxtop does not look"
	exits=$(exits) told=$(seen)
	qmp 1 '{"execute":"cont"}' >/dev/null || fail "the guest does not go on"
}

# How many calls there are without pvxtop.
measure_stock() { # PAIR
	local calls begin
	asked_for flood floods
	begin=$(now_us) calls=$(calls)
	sleep $SECONDS_OF_FLOOD
	record "$1" stock per_s $((($(calls) - calls) * 1000000 / ($(now_us) - begin)))
	asked_for calm calm
}
measure_pvx() { # PAIR
	local exits told calls used begin us exits_before told_before missed
	: >$looks
	"$pvxtop" --json >$looks & top=$!
	within 30 has_looks 1 || fail "pvxtop does not look"
	note_exits
	exits_before=$exits told_before=$told
	asked_for flood floods
	begin=$(now_us) calls=$(calls) used=$(used_us)
	sleep $SECONDS_OF_FLOOD
	calls=$(($(calls) - calls)) us=$(($(now_us) - begin)) used=$(($(used_us) - used))
	asked_for calm calm
	note_exits
	kill $top && wait $top
	missed=$((exits - exits_before - (told - told_before)))
	record_all "$1" pvx <<-END
	per_s=$((calls * 1000000 / us))
	of_host=$(awk -v used=$used -v us=$us -v cpus="$(nproc)" 'BEGIN { print used / us / cpus }')
	exits=$((exits - exits_before))
	missed=${missed#-}
	END
}
measure() { "measure_$2" "$1"; }
report() {
	echo "$(recorded "$1" pvx of_host) of the host, $(recorded "$1" pvx missed) missed of" \
		"$(recorded "$1" pvx exits) exits, $(recorded "$1" pvx per_s) calls in a second," \
		"of which there are $(recorded "$1" stock per_s) without it"
}

[ -x "$pvxtop" ] || fail "pvxtop was not built: it needs clang, bpftool and libbpf-dev"
echo 1 >/proc/sys/kernel/bpf_stats_enabled || fail "what programs take is not counted"
begin_guests scripts/bench/guest-top.sh || fail "the guest does not boot"
touch /run/pvx/go
measure_pairs
ask 30 end
