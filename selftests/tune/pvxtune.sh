#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Does pvxtune try other values, within their limits, and is there again what was there before,
# however it ends? A guest script for lab run --modules pvx_host,pvx_host_yield,pvx_guest,pvx_guest_lock.
. "$PVX_TOP/selftests/lib/tap.sh"
tune=$PVX_TOP/build/tune/pvxtune
parameter=/sys/module/pvx_guest_lock/parameters/spin_min_ns
. "$PVX_TOP/selftests/tune/tuner.sh"
[ -x "$tune" ] || tap_skip_all "pvxtune needs clang, bpftool and libbpf-dev"

# Stops it while it tries something.
catch() {
	value_is_not $default && kill -STOP $tuner && sleep 0.1 || return
	value_is_not $default || { kill -CONT $tuner; return 1; }
}
nobody_reads() { timeout 180 "$tune" | head -n 1 | grep "^spin_min_ns is "; }
# As long as something is tried now and then.
keeps_limits() {
	local i value
	for i in $(seq 300); do
		value=$(cat $parameter)
		[ "$value" -ge 125 ] && [ "$value" -le 16000 ] || { echo "it is $value"; return 1; }
		sleep 0.1
	done
}

echo 0 >/sys/module/pvx_guest_lock/parameters/steal_permille
"$PVX_TOP/build/selftests/tune/work" 4 600000 >/dev/null & load=$!

begin --dry-run
check "it says that the default is set" says "^spin_min_ns is $default, its default$"
check "a dry run says what it would try" soon says 'spin_min_ns [0-9]* -> [0-9]* would be tried'
check "and tries nothing" value_is $default
end TERM

begin
check "another value is tried" soon value_is_not $default
check "another instance is refused" fails 1 "$tune"
check "values keep within their limits" keeps_limits
check "a decision is said, with what was measured" \
	soon says 'spin_min_ns [0-9]* -> [0-9]*: work [-+][0-9.]* % (error [0-9.]* %, [0-9]* pairs): '
end TERM
check "SIGTERM ends it well" [ $status -eq 0 ]
check "and there is the default again" value_is $default

begin
check "another value is tried" soon value_is_not $default
end HUP
check "SIGHUP ends it, too" [ $status -eq 0 ]
check "and there is the default again" value_is $default

trap '' HUP
begin
kill -HUP $tuner
check "under nohup it goes on" soon value_is_not $default
end TERM
trap - HUP
check "it ends when nobody reads what it says" nobody_reads
check "and there is the default again" value_is $default

begin
soon catch
end KILL
check "one that is killed leaves what it tried" value_is_not $default
begin
check "the next one says so" says "as a pvxtune that was killed has left it, and is set back to $default$"
end INT
check "and goes back" value_is $default

begin
soon catch
end KILL
echo 3000 >$parameter
begin
check "what somebody has set since is not taken for that" says "^spin_min_ns is 3000$"
check "another value is tried" soon value_is_not 3000
end TERM
check "and in the end it is what it was" value_is 3000
echo 0 >$parameter
check "what is turned off stays so" fails 1 "$tune"
echo $default >$parameter
sed 's/^/# /' "$said"
kill $load

check "a file that does not tell the progress" fails 1 "$tune" --progress /dev/null
check "wrong usage" fails 2 "$tune" --interval 0
rmmod pvx_guest_lock
check "nothing to tune" fails 1 "$tune"
tap_done
