#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Does a BPF program choose whom a directed yield is for, within the VM, and only as long as it
# is attached? Are those refused that write elsewhere? A host script; guest.sh is the guest's,
# with two vCPUs, one of which asks for the other one, which is idle.
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/tune/ask.sh"
policies=$PVX_TOP/build/selftests/tune
events=/sys/kernel/tracing/events/pvx_host_yield/target_chosen
trace=/sys/kernel/tracing/trace
said=$PVX_OUT/policy
[ -x "$tune/pvx-policy" ] && [ -e "$policies/self.bpf.o" ] ||
	tap_skip_all "pvx-policy needs clang, bpftool and libbpf-dev"

traced() { grep -c "target_chosen: .*$1" $trace; } # PATTERN

# begin POLICY: attaches it
begin() {
	: >"$said"
	"$tune/pvx-policy" ${1:+"$policies/$1.bpf.o"} >"$said" 2>&1 & policy=$!
	soon ended_or_attached && grep -q '^[a-z_]*: attached to raw_tp.w/pvx_choose_target$' "$said" ||
		{ sed 's/^/# /' "$said"; return 1; }
}
ended_or_attached() { grep -q attached "$said" || ! kill -0 $policy 2>/dev/null; }
end() { # SIGNAL
	kill "-$1" $policy
	wait $policy
}

# What each status has grown by while the guest called.
call() {
	local before_running before_idle
	echo >$trace
	before_running=$(yields running) before_idle=$(yields idle)
	ask
	answered || return
	running=$(($(yields running) - before_running)) idle=$(($(yields idle) - before_idle))
	echo "# running $running, idle $idle, $(traced '') chosen, $(traced taken=1) of these taken"
}
# The idle vCPU wakes now and then.
mostly_idle() { [ "$idle" -gt $((running * 9)) ] && [ "$idle" -gt 100 ]; }
by_default() { call && mostly_idle && [ "$(traced '')" -eq 0 ]; }
# The buffer holds the last ones only.
chooses_caller() { call && [ "$idle" -eq 0 ] && [ "$running" -gt 100 ] && [ "$(traced taken=1)" -gt 100 ]; }
chooses_nobodys() {
	call && mostly_idle && [ "$(traced taken=0)" -gt 100 ] && [ "$(traced taken=1)" -eq 0 ]
}
chooses_first() { call && [ "$(traced 'target=0 taken=1')" -gt 100 ] && [ "$(traced 'target=[1-9]')" -eq 0 ]; }
refused() { # POLICY WORDS
	local words
	words=$("$tune/pvx-policy" "$policies/$1.bpf.o" 2>&1)
	[ $? -eq 1 ] && grep -q "$2" <<<"$words" || { echo "$words"; return 1; }
}

soon test -e "$guest/begun"
echo 1 >$events/enable
check "the guest's choice holds without a program" by_default

begin self && tap_ok "a program is attached" || tap_not_ok "a program is attached"
check "it has the caller chosen, so that nobody is run" chooses_caller
end TERM
check "the guest's choice holds when it is ended" by_default

begin self
check "again the caller is chosen" chooses_caller
end KILL
check "the guest's choice holds when it is killed" by_default

begin stranger
check "what no VM has is not taken" chooses_nobodys
end TERM

begin zero && tap_ok "the documentation's is attached" || tap_not_ok "the documentation's is attached"
check "and vCPU 0 is chosen for all" chooses_first
end TERM

begin '' && tap_ok "the example is attached" || tap_not_ok "the example is attached"
check "and never chooses who does not wait" eval 'call && [ "$(traced taken=0)" -eq 0 ]'
check "the module stays as long as it is" eval '! rmmod pvx_host_yield 2>/dev/null'
end TERM

check "one that writes behind the structure is refused" refused beyond 'does not have all'
check "so is one that writes at an offset of the guest's" refused anywhere 'BEGIN PROG LOAD LOG'
check "and one that writes to its context" refused context 'BEGIN PROG LOAD LOG'
check "a program for guests has nothing to be attached to" refused longest 'nothing to attach to'
check "wrong usage" fails 2 "$tune/pvx-policy" one two
check "no such file" fails 1 "$tune/pvx-policy" /nonexistent
tap_done
