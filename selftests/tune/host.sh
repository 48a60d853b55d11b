#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Does pvxtop count each exit, does pvxtax account for all time, and do perf and trace-cmd see
# our events? A host script; guest.sh is the guest's.
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/tune/ask.sh"
. "$PVX_TOP/selftests/tune/looks.sh"
json=$PVX_OUT/pvxtop.json tax=$PVX_OUT/pvxtax.json
tmp=$(mktemp -d) || exit 1

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
# While two want one CPU: for how long a thread waits for it and runs, by pvxtop in some seconds, and
# by what the scheduler counts meanwhile. Of the guest's part of it the scheduler has ticks only. One
# that comes while interrupts are off around an entry is the guest's, too, and under emulation that
# is long.
is_scheduled() {
	local thread from to waited ran
	thread=$(grep -l '^CPU 0/KVM$' "/proc/$busy/task"/*/comm) && thread=${thread%/comm} || return
	begin_looks -p $busy
	ask 7
	soon looked 3 || return
	from=$(looks) waited=$(waited "$thread") ran=$(ran "$thread")
	soon looked $((from + 12)) || return
	to=$(looks)
	waited=$(($(waited "$thread") - waited)) ran=$(($(ran "$thread") - ran))
	end_looks
	sed -n "$((from + 1)),${to}s/\"vcpus\":\[[^]]*\]//p" "$json" >"$tmp/between"
	answered && [ $waited -gt 2000000000 ] && alike steal '(waking|preempted)_ns' $waited 10 &&
		alike running '(guest|exit|vmm)_ns' $ran 10 && alike "in the guest" guest_ns $ran 80
}
alike() { # NAME KEYS NS PERCENT
	local seen
	seen=$(sum "$2" <"$tmp/between")
	echo "$1 for $((seen / 1000000)) ms, of $(($3 / 1000000)) ms by the scheduler"
	[ $((seen * 100)) -gt $(($3 * (100 - $4))) ] && [ $((seen * 100)) -lt $(($3 * (100 + $4))) ]
}
# Of a task, in ns.
ran() { awk '{ print $1 }' "$1/schedstat"; }
waited() { awk '{ print $2 }' "$1/schedstat"; }
is_drawn() { grep -q '</svg>' "$PVX_OUT/pvxtax.svg"; }
prints_tax() { "$tune/pvxtax" -p "$pid" -d 2 | grep "^VMM $pid, "; }
# Another VM, without an operating system: it counts and writes to a port, again and again. Its
# VMM has a name that is not easy to write down.
begin_busy() {
	ln -s "$(command -v qemu-system-x86_64)" "$tmp/a\"b\\c" || return
	printf '\xb9\xff\xff\xe2\xfe\xe6\x80\xeb\xf7' >"$tmp/boot" && truncate -s 510 "$tmp/boot" &&
		printf '\x55\xaa' >>"$tmp/boot" || return
	"$tmp/a\"b\\c" -name debug-threads=on -accel kvm -m 16 -nodefaults -display none \
		-drive "file=$tmp/boot,format=raw" & busy=$!
	soon first_by x $busy
}
first_by() { # KEY PID
	local first
	first=$("$tune/pvxtop" -1 -s "$1" | awk '$1 ~ /^[0-9]+$/ { print $1; exit }')
	[ "$first" = "$2" ] || { echo "by $1, $first is the first"; return 1; }
}
# In the order of all VMs' sums; steal is two of them.
sorted_by_steal() {
	"$tune/pvxtop" -1 --json -s s | sed 's/"vcpus":\[[^]]*\]//g' |
		grep -oE '"waking_ns":[0-9]+,"preempted_ns":[0-9]+' | awk -F'[:,]' '
		{ steal = $2 + $4; bad += NR > 1 && steal > last; last = steal }
		END { exit NR != 2 || bad }'
}
is_json() { # VMMS...: each line on its own, and it is of these
	python3 -c '
import json, sys
for line in sys.stdin:
	vms = json.loads(line)["vms"]
	assert [str(vm["pid"]) for vm in vms] == sys.argv[1:], line
	names = [(vm["command"], vm["vm"]) for vm in vms]
assert names == [("qemu-system-x86", "guest1"), ("a?b?c", "a?b?c")][-len(vms):], names' "$@"
}
tells_json() { "$tune/pvxtop" -1 --json -s p | is_json "$pid" $busy; }
# The other one has the higher pid.
sorts_while_idle() { first_by g $busy && first_by x $busy && first_by p "$pid" && sorted_by_steal; }
sorts_by_calls() {
	ask 6
	first_by c "$pid" && first_by y "$pid" && ! [ -s "$guest/flood.$(asked)" ] && answered
}

# What is on it till the last of the keys, the first of which comes when it has shown the VM so often.
on_terminal() { # TIMES KEYS OPTIONS
	: >"$tmp/screen"
	{
		soon shown "$1"
		for key in $2 q; do echo -n "$key"; sleep 3; done
	} | script -qec "$tune/pvxtop -p $pid $3" /dev/null >"$tmp/screen"
}
shown() { [ "$(tr -d '\r' <"$tmp/screen" | grep -cE "^ *$pid guest1 ")" -ge "$1" ]; } # TIMES
clears() { grep -c $'\033\\[H'; }
refreshes() {
	on_terminal 1 "x v e" ""
	shown 1 && grep -m 1 -E '^ *vcpu +0 ' "$tmp/screen" && grep -m 1 -E '^ +hlt +[0-9]+/s' "$tmp/screen" &&
		[ "$(clears <"$tmp/screen")" -ge 4 ]
}
keeps_a_log() {
	on_terminal 2 "" -l
	[ "$(clears <"$tmp/screen")" -eq 0 ] && shown 2
}
shows() { "$tune/pvxtop" -1 -v -e -p "$pid" | grep "^ *$pid guest1 "; }
metrics() {
	"$tune/pvxtop" -1 -o "$PVX_OUT/pvx.prom" -p "$pid" >/dev/null &&
		grep "^pvx_exits_total{pid=\"$pid\",vm=\"guest1\",reason=" "$PVX_OUT/pvx.prom" &&
		grep "^pvx_vcpu_seconds_total{pid=\"$pid\",vm=\"guest1\",state=\"guest\"} " "$PVX_OUT/pvx.prom" &&
		[ "$(tail -n 1 "$PVX_OUT/pvx.prom")" = "# EOF" ]
}
# What is written again and again, while a VM ends: by the format's own library, and no counter
# of those that are there has fallen.
parses() { # VMMS at first...
	python3 - "$tmp/was.prom" "$tmp/is.prom" "$@" <<-'END'
	import sys
	from prometheus_client import parser
	from prometheus_client.openmetrics.parser import text_fd_to_metric_families
	# As the textfile collector reads it.
	assert list(parser.text_fd_to_metric_families(open(sys.argv[1])))
	def read(path):
	    return {(s.name, *sorted(s.labels.items())): s.value
	            for family in text_fd_to_metric_families(open(path)) for s in family.samples}
	was, now = map(read, sys.argv[1:3])
	vmms = lambda metrics: {value for key in metrics for label, value in key[1:]
	                        if label == "pid"}
	assert vmms(was) == set(sys.argv[3:]), was
	assert vmms(now) == set(sys.argv[3:4]), now
	fallen = [key for key in now if key[0].endswith("_total") and now[key] < was.get(key, 0)]
	assert not fallen and ("pvx_events_missed_total",) in now, fallen
	END
}
has_both() { grep -q "pid=\"$pid\"" "$tmp/pvx.prom" && grep -q "pid=\"$busy\"" "$tmp/pvx.prom"; }
has_one() { [ -s "$tmp/pvx.prom" ] && ! grep -q "pid=\"$busy\"" "$tmp/pvx.prom"; }
rewrites() {
	local top status
	"$tune/pvxtop" -i 1 -o "$tmp/pvx.prom" & top=$!
	soon has_both && cp "$tmp/pvx.prom" "$tmp/was.prom" && kill $busy && soon has_one &&
		cp "$tmp/pvx.prom" "$tmp/is.prom" && parses "$pid" $busy
	status=$?
	kill $top
	wait $top
	return $status
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

# In ns, of each of $1 looks.
costs() {
	local begin was n
	begin=$(looks) was=$(ran /proc/$looking)
	for n in $(seq "$1"); do
		soon looked $((begin + n)) || return
		echo $(($(ran /proc/$looking) - was))
		was=$(ran /proc/$looking)
	done
}
# The median of them, since a machine below that is busy makes one look or another long.
is_cheap() {
	local cost
	cost=$(sort -n "$tmp/costs" | sed -n 4p)
	echo "$((cost / 1000)) us of each second"
	[ "$cost" -le $(($(nproc --all) * 5000000)) ]
}
# pvxtop beside a guest that is idle, then calls, then is idle again
top_tests() {
	begin_looks -p "$pid"
	check "pvxtop looks" soon looked 2
	ask
	costs 7 >"$tmp/costs"
	check "the guest calls" answered
	check "pvxtop goes on" soon looked $(($(looks) + 2))
	end_looks
	check "each call is an exit that pvxtop has counted, and there are no others" all_counted
	[ "$LAB_SLOW" -gt 1 ] || check "pvxtop itself takes no more than 0.5 % of the host's CPUs" \
		is_cheap
	check "pvxtop shows the VM" shows
	check "pvxtop: there is no such key" fails 2 "$tune/pvxtop" -1 -s z
	check "pvxtop is looked at on a terminal, and takes keys" refreshes
	check "pvxtop keeps a log there" keeps_a_log
	check "pvxtop writes metrics" metrics
	begin_busy && tap_ok "pvxtop sees another VM" || tap_not_ok "pvxtop sees another VM"
	check "pvxtop sorts by exits, time, steal and pid" sorts_while_idle
	check "pvxtop sorts by calls and yields" sorts_by_calls
	check "pvxtop tells of both in JSON" tells_json
	check "steal and running are what the scheduler counts" is_scheduled
	check "what pvxtop writes are OpenMetrics, and no counter falls when a VM ends" rewrites
}
tax_tests() {
	check "pvxtax tells of exits for calls" has_tax
	check "all time is accounted for" accounted
	check "a picture is drawn" is_drawn
	check "pvxtax prints a table" prints_tax
}
knows_types() { bpftool btf dump file /sys/kernel/btf/pvx_host | grep -m 1 "STRUCT 'pvx_vm'"; }
# On a kernel without types, as far as a tool can see.
untyped() { # TOOL FILE
	unshare -m sh -c 'mount -t tmpfs none /sys/kernel/btf &&
		{ [ "$2" = vmlinux ] || touch /sys/kernel/btf/vmlinux; } && exec "$1"' sh \
		"$tune/$1" "$2" 2>"$tmp/said"
	[ $? -eq 1 ] && grep "/sys/kernel/btf/$2" "$tmp/said"
}
no_gnuplot() {
	mkdir -p "$tmp/bin" && ln -sf "$(command -v sh)" "$tmp/bin/sh" &&
		PATH=$tmp/bin fails 1 "$tune/pvxtax" -d 1 -p "$pid" -s "$tmp/tax.svg"
}
error_tests() {
	local tool
	for tool in pvxtop pvxtax; do
		check "$tool: wrong usage" fails 2 "$tune/$tool" --no-such-option
		check "$tool: not root" as_nobody $tool
		check "$tool: the kernel has no types" untyped $tool vmlinux
		check "$tool: KVM has none" untyped $tool kvm
	done
	check "pvxtop: no such VM, which may come yet" "$tune/pvxtop" -1 -p 1
	check "pvxtax: no such VM" fails 1 "$tune/pvxtax" -d 1 -p 1
	check "pvxtax: there is no gnuplot" no_gnuplot
	check "pvxtax: a picture that cannot be written" \
		fails 1 "$tune/pvxtax" -d 1 -p "$pid" -s /proc/x.svg
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
