#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Does pvxtop count each vCPU's yields, and what came of them? Does pvxtune raise the budget of
# boosted time where a VM does more with more, leave it alone as long as nobody feels it, and go
# back to what the operator has set? A host script; boost-guest.sh is the guest's, with four vCPUs
# on one CPU.
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/tune/ask.sh"
. "$PVX_TOP/selftests/tune/looks.sh"
touch "$PVX_OUT/calm"
parameter=/sys/module/pvx_host_yield/parameters/boost_us_per_s
. "$PVX_TOP/selftests/tune/tuner.sh"
json=$PVX_OUT/pvxtop.json work=/run/boosted
[ -x "$tune/pvxtop" ] || tap_skip_all "pvxtop and pvxtune need clang, bpftool and libbpf-dev"
# vCPUs have the CPU all the time, and this is to see them all the same.
renice -n -20 -p $$ >/dev/null

grows() { # COUNTER
	local before
	before=$(yields "$1")
	sleep 2
	[ "$(yields "$1")" -gt "$before" ]
}
stands() { ! grows "$1"; } # COUNTER
be_calm() { touch "$PVX_OUT/calm" && soon stands boost_us; }

flood() { rm "$PVX_OUT/calm" && soon grows boost_us; }

# By pvxtop of the VM and of all vCPUs, and by the host: all that comes between two calms. Only that
# the guest negotiates each second is never calm, and the two are not looked at at one time.
counts_the_same() {
	local key of_vm by_vcpu before
	begin_looks --vcpus
	soon looked 2 || return
	before=$(served)
	flood && sleep 4 && be_calm && soon looked $(($(looks) + 2)) || return
	end_looks
	for key in calls yields boosted boost_us; do
		of_vm=$(of_vms | sum $key) by_vcpu=$(of_vcpus | sum $key)
		echo "$key: $of_vm of the VM, $by_vcpu of its vCPUs"
		[ "$of_vm" -gt 1000 ] && are_alike $key $((of_vm - by_vcpu)) || return
	done
	echo "$(($(served) - before)) boosted by the host"
	[ "$(of_vms | sum boosted)" -eq $(($(served) - before)) ]
}
are_alike() { # KEY DIFFERENCE
	[ "$2" -eq 0 ] || { [ "$1" = calls ] && [ "${2#-}" -le 3 ]; }
}
served() { yields boosted boosted_far woken; }
shows_by_vcpu() {
	local line
	flood || return
	line=$("$tune/pvxtop" -1 -v | grep -m 1 -E '^ *vcpu +0 ') && be_calm && echo "$line" &&
		awk '{ exit !($8 > 100 && $9 > 100 && $10 > 0 && $11 > 0) }' <<<"$line"
}
# The module is somebody's as long as calls are counted by vCPU, and no longer.
held_meanwhile() {
	begin_looks --vcpus
	soon looked 1 && ! rmmod pvx_host_yield || return
	end_looks
	begin_looks
	soon looked 1 && rmmod pvx_host_yield && insmod "$PVX_BUILD/host/pvx_host_yield.ko" || return
	end_looks
}

# Each yield that was served lets the next vCPU run at once: that is the VM's work here. It is told
# without a process of its own, since the VM is to have the CPU.
tell_work() {
	local features key value never
	features=$(echo /sys/kernel/debug/pvx_host/*/features)
	exec {never}<> <(:)
	until read -rt 0.2 <&$never; do
		while IFS='=' read -r key value; do
			[ "$key" != yield_boost_us ] || echo "$value" >$work
		done <"$features"
	done
}
begin_to_tune() { begin --progress $work --interval 2000 "$@"; }
silent_for() { # SECONDS
	local lines
	lines=$(wc -l <"$said")
	sleep "$1"
	kill -0 $tuner && [ "$(wc -l <"$said")" -eq "$lines" ]
}

check "the guest begins" soon test -e "$guest/begun"
check "pvxtop counts each vCPU's calls and yields" counts_the_same
check "and shows them" shows_by_vcpu
check "it holds our modules only for that" held_meanwhile

# What has not called since has no counters.
flood && be_calm
# The other budget is not to be what is felt.
echo 10000000 >/sys/module/pvx_host_yield/parameters/calls_per_s
# The least that is tried, of which the VM feels for certain that it is little.
echo 500000 >$parameter
default=500000
tell_work & teller=$!
check "the VM's work is told" soon test -s $work
tune=$tune/pvxtune
begin_to_tune
check "nothing is tried where nothing is felt" silent_for 20
end TERM
rm "$PVX_OUT/calm"
check "the VM asks for more boosted time than it gets" soon grows budget

begin_to_tune --dry-run
check "a dry run says what it would try" soon says 'boost_us_per_s [0-9]* -> [0-9]* would be tried'
check "and tries nothing" value_is $default
end TERM

begin_to_tune
check "more is kept, and said with what was measured" \
	soon says "boost_us_per_s $default -> [0-9]*: work +[0-9.]* % (error [0-9.]* %, [0-9]* pairs): kept"
end TERM
check "SIGTERM ends it well" [ $status -eq 0 ]
check "and it is what the operator has set again" value_is $default
sed 's/^/# /' "$said"

begin
check "without --progress it says what it judges by" soon says "is judged by what processes of this host"
end TERM
kill $teller
tap_done
