#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The host's part of fuzz-guest.sh: calls of a VM whose lists are not there, which may not hang;
# then, as long as the guest calls, revokes and grants, reloads features' modules, changes budgets
# and groups, lets allocations fail, and reads all there is to read, in any order. What it did is in
# the file "did".
. /run/pvx/guests
pvxctl=$PVX_TOP/build/pvxctl/pvxctl
guest=$PVX_OUT/../guest1
features=(yield ksm fork numa)
fail_nth=/sys/module/pvx_host/parameters/fail_nth
reloads=${FUZZ_RELOADS:-4}
RANDOM=${SEED:-$RANDOM}

did() { echo "$*" >>"$PVX_OUT/actions"; }
# However it ends, the guest does not wait for it.
end() {
	echo $? >"$PVX_OUT/through.new"
	sort "$PVX_OUT/actions" 2>/dev/null | uniq -c >"$PVX_OUT/did"
	mv "$PVX_OUT/through.new" "$PVX_OUT/through"
}
trap end EXIT
trap 'exit 143' TERM

pause() { sleep 0.$((RANDOM % 10)); }
any_feature() { echo "${features[RANDOM % ${#features[@]}]}"; }
parameters() { echo /sys/module/pvx_host_"$1"/parameters/"$2"; } # FEATURE NAME

revoke() {
	local feature
	feature=$(any_feature)
	"$pvxctl" revoke --pid "$pid" "$feature" && pause &&
		"$pvxctl" grant --pid "$pid" "$feature" && did revoke and grant "$feature"
}
revoke_all() {
	"$pvxctl" revoke --pid "$pid" all && pause && "$pvxctl" grant --pid "$pid" all &&
		did revoke and grant all
}
# Text is patched for that, which the emulator does not always survive, so it is not for ever.
reload() {
	local feature
	[ "$reloads" -gt 0 ] || return 0
	reloads=$((reloads - 1))
	feature=$(any_feature)
	rmmod "pvx_host_$feature" && pause && insmod "$PVX_BUILD/host/pvx_host_$feature.ko" &&
		did reload "$feature"
}
# None, next to none, or all that can be asked for.
budget() {
	local parameter was
	for parameter in yield/calls_per_s ksm/pages_per_s fork/pages_per_s fork/helper_us_per_s \
		numa/uses_per_s; do
		[ $((RANDOM % 2)) -eq 0 ] || continue
		parameter=$(parameters "${parameter%/*}" "${parameter#*/}")
		was=$(cat "$parameter") || return
		case $((RANDOM % 3)) in
		0) echo 0 ;;
		1) echo 3 ;;
		2) echo 4294967295 ;;
		esac >"$parameter"
		pause
		echo "$was" >"$parameter" || return
	done
	did change budgets
}
group() {
	local name
	case $((RANDOM % 3)) in
	0) name= ;;
	1) name=one ;;
	2) name=two ;;
	esac
	"$pvxctl" group --pid "$pid" "$name" && did change group
}
shares() { grep -qE '^ksm_(shares|marked)=[1-9]' /sys/kernel/debug/pvx_host/*/features; }
# What the operator asks for meanwhile may fail, and is asked for again.
faults() {
	[ -e $fail_nth ] || { did find no fail_nth: not built with PVX_FAULTS=y; return 0; }
	echo $((1 + RANDOM % 20)) >$fail_nth || return
	pause
	"$pvxctl" revoke --pid "$pid" ksm || did fail to revoke
	echo 0 >$fail_nth
	"$pvxctl" revoke --pid "$pid" ksm || return
	! shares || { echo "it shares memory, which was revoked"; return 1; }
	echo $((1 + RANDOM % 20)) >$fail_nth
	"$pvxctl" grant --pid "$pid" ksm
	pause
	echo 0 >$fail_nth && "$pvxctl" grant --pid "$pid" ksm && "$pvxctl" group --pid "$pid" one &&
		did let allocations fail
}
look() {
	local n
	for n in 1 2 3; do cat /sys/kernel/debug/pvx_host/*/{core,features} || return; done
	"$pvxctl" list && "$pvxctl" show --pid "$pid" --json && "$pvxctl" ksm && "$pvxctl" numa &&
		did look
}

actions=(revoke revoke revoke_all reload budget budget group faults faults look look)
modprobe fuse
"$PVX_TOP/build/selftests/abi/minivm" --missing || exit
until [ -e "$guest/begun" ]; do sleep 0.2; done
pid=$(cat "$PVX_RUN/guest1.pid")
# So that there is something to take back.
"$pvxctl" grant --pid "$pid" all && "$pvxctl" group --pid "$pid" one || exit 1
touch "$PVX_OUT/begun"
until [ -e "$guest/fuzzed" ] && [ -e "$PVX_OUT/actions" ]; do
	action=${actions[RANDOM % ${#actions[@]}]}
	"$action" || { echo "$action failed"; exit 1; }
	pause
done
"$pvxctl" show --pid "$pid"
