#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Does pvxtop count each exit, does pvxtax account for all time, and do perf and trace-cmd see
# our events? A host script; guest.sh is the guest's.
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/tune/ask.sh"
json=$PVX_OUT/pvxtop.json tax=$PVX_OUT/pvxtax.json
tmp=$(mktemp -d) || exit 1

looks() { wc -l <"$json"; }
looked() { [ "$(looks)" -ge "$1" ]; } # TIMES
sum() { grep -oiE "\"$1\":[0-9]+" | awk -F: '{ n += $2 } END { print n + 0 }'; } # KEY
of_vms() { sed 's/"vcpus":\[[^]]*\]//g' "$json"; }
of_vcpus() { grep -oE '"vcpus":\[[^]]*\]' "$json"; }
# In ticks.
cpu_of() { awk '{ print $14 + $15 }' "/proc/$1/stat"; } # PID

# Exits for hypercalls, as <asm/svm.h> and <asm/vmx.h> call them.
hypercalls='(hypercall|vmcall)'
all_counted() {
	local calls exits by_vcpu
	calls=$(of_vms | sum calls) exits=$(of_vms | sum "$hypercalls")
	by_vcpu=$(of_vcpus | sum "$hypercalls")
	echo "$calls calls, $exits exits, $by_vcpu of all vCPUs"
	[ "$calls" -ge 1000 ] && [ "$calls" -eq "$exits" ] && [ "$by_vcpu" -eq "$exits" ]
}
# For a guest that calls; it takes its time to begin, and sees nothing of what was before.
has_tax() {
	ask 5
	"$tune/pvxtax" -p "$pid" -d 2 -j -s "$PVX_OUT/pvxtax.svg" >"$tax" && answered &&
		grep -iqE "\"$hypercalls\"" "$tax"
}
accounted() {
	grep -oE '"accounted":[0-9.]+' "$tax" |
		awk -F: '{ n++; bad += $2 < 0.98 || $2 > 1.02; print } END { exit !n || bad }'
}
is_drawn() { grep -q '</svg>' "$PVX_OUT/pvxtax.svg"; }
prints_tax() { "$tune/pvxtax" -p "$pid" -d 2 | grep "^VMM $pid, "; }
sorts() {
	local key
	for key in p g s x c y; do
		"$tune/pvxtop" -1 -s $key -p "$pid" >/dev/null || return
	done
}
logs() { # a table for each second, one under the other
	local top status
	"$tune/pvxtop" -l -i 1 -p "$pid" >"$tmp/log" & top=$!
	soon has_logged 2
	status=$?
	kill $top
	wait $top
	[ $status -eq 0 ] || { cat "$tmp/log"; return 1; }
}
has_logged() { [ "$(grep -c "^ *$pid qemu" "$tmp/log")" -ge "$1" ]; } # TIMES
shows() { "$tune/pvxtop" -1 -v -e -p "$pid" | grep "^ *$pid qemu"; }
metrics() {
	"$tune/pvxtop" -1 -o "$PVX_OUT/pvx.prom" -p "$pid" >/dev/null &&
		grep "^pvx_exits_total{pid=\"$pid\",reason=" "$PVX_OUT/pvx.prom" &&
		grep "^pvx_vcpu_seconds_total{pid=\"$pid\",state=\"guest\"} " "$PVX_OUT/pvx.prom" &&
		[ "$(tail -n 1 "$PVX_OUT/pvx.prom")" = "# EOF" ]
}
# Nobody need be let into the project's folder.
as_nobody() { # TOOL
	cp "$tune/$1" "$tmp/" && chmod 755 "$tmp" "$tmp/$1" || return
	fails 1 setpriv --reuid 65534 --regid 65534 --clear-groups "$tmp/$1"
}

# recorded COMMAND...: as long as that runs what comes behind it, the guest calls
recorded() {
	local n=$(($(asked) + 1))
	"$@" sh -c 'touch "$1" && until [ -s "$2" ]; do sleep 0.2; done' sh \
		"$PVX_OUT/ask.$n" "$guest/flood.$n"
}
our_call='hypercall_done: .*vm=.* nr=0x50565810 .*ret=3'
with_perf() {
	recorded perf record -q -e 'pvx_host:*' -e kvm:kvm_exit -a -o "$tmp/perf.data" -- &&
		perf script -i "$tmp/perf.data" >"$tmp/perf" && grep -m 3 "$our_call" "$tmp/perf"
}
decision='yielded: .*vmm=.* vcpu=.* asked=.* status=3 boost_us=0'
with_features() {
	recorded perf record -q -e 'pvx_host*:*' -a -o "$tmp/features.data" -- &&
		perf script -i "$tmp/features.data" >"$tmp/features" &&
		grep -m 3 "$decision" "$tmp/features"
}
has_latency() {
	"$PVX_TOP/scripts/tune/pvx-lock-latency" "$tmp/perf.data" >"$tmp/latency" &&
		grep -E '^yield +[1-9]' "$tmp/latency" && grep '^yields answered: unknown [1-9]' "$tmp/latency"
}
lists() { perf list 'pvx_host*:*' | grep -m 1 'pvx_host_yield:target_chosen'; }
with_trace_cmd() {
	recorded trace-cmd record -q -e pvx_host -o "$tmp/trace.dat" &&
		trace-cmd report -i "$tmp/trace.dat" >"$tmp/trace" &&
		grep -m 3 "$our_call" "$tmp/trace"
}
check_with() { # PROGRAM NAME COMMAND: if it is there
	command -v "$1" >/dev/null || { tap_skip "$2" "$1 is missing"; return; }
	check "$2" "$3"
}

# pvxtop beside a guest that is idle, then calls, then is idle again
top_tests() {
	local top ticks begin seconds
	"$tune/pvxtop" --json -p "$pid" >"$json" 2>"$PVX_OUT/pvxtop.err" & top=$!
	check "pvxtop looks" soon looked 2
	ticks=$(cpu_of $top) begin=$(looks)
	ask
	check "the guest calls" answered
	check "pvxtop goes on" soon looked $((begin + 8))
	ticks=$(($(cpu_of $top) - ticks)) seconds=$(($(looks) - begin))
	kill $top
	wait $top
	check "each call is an exit that pvxtop has counted, and there are no others" all_counted
	echo "# pvxtop took $ticks ticks in $seconds s"
	[ "$LAB_SLOW" -gt 1 ] || check "pvxtop itself takes no more than 0.5 % of the host's CPUs" \
		[ $((ticks * 1000)) -le $((seconds * $(getconf CLK_TCK) * $(nproc) * 5)) ]
	check "pvxtop shows the VM" shows
	check "pvxtop sorts by each key" sorts
	check "pvxtop: there is no such key" fails 2 "$tune/pvxtop" -1 -s z
	check "pvxtop writes a log" logs
	check "pvxtop writes metrics" metrics
}
tax_tests() {
	check "pvxtax tells of exits for calls" has_tax
	check "all time is accounted for" accounted
	check "a picture is drawn" is_drawn
	check "pvxtax prints a table" prints_tax
}
knows_types() { bpftool btf dump file /sys/kernel/btf/pvx_host | grep -m 1 "STRUCT 'pvx_vm'"; }
error_tests() {
	local tool
	for tool in pvxtop pvxtax; do
		check "$tool: wrong usage" fails 2 "$tune/$tool" --no-such-option
		check "$tool: not root" as_nobody $tool
	done
	check "pvxtop: no such VM, which may come yet" "$tune/pvxtop" -1 -p 1
	check "pvxtax: no such VM" fails 1 "$tune/pvxtax" -d 1 -p 1
}

check "the guest begins" soon test -e "$guest/begun"
pid=$(cat "$PVX_RUN/guest1.pid")
top_tests
tax_tests
error_tests
if readelf -S "$PVX_BUILD/host/pvx_host.ko" | grep -q ' \.BTF '; then
	check_with bpftool "the kernel knows the modules' types" knows_types
else
	tap_skip "the kernel knows the modules' types" "they were built without BTF"
fi
check_with perf "perf lists our events" lists
check_with perf "perf records and prints them" with_perf
check_with perf "and what features decided" with_features
check_with perf "pvx-lock-latency tells how long yields took" has_latency
check_with trace-cmd "so does trace-cmd" with_trace_cmd
tap_done
