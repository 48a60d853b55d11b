#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Does the laboratory fail when it should? On the machine itself: lab.sh KERNEL
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. selftests/lib/tap.sh
kernel=${1:-6.12}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/pvx-labtest.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT

# ends STATUS SCRIPT [OPTION...]: a host alone that runs it
ends() {
	local want=$1
	printf '%s\n' "$2" >"$tmp/script"
	shift 2
	out=$(scripts/lab/lab run --kernel "$kernel" --guests 0 --modules none \
		--host-script "$tmp/script" --out "$tmp/out" "$@" 2>&1)
	got=$?
	echo "$out (status $got)"
	[ $got -eq "$want" ]
}

# Two at once, in folders of their own, each with its own result.
two_at_once() {
	local i pids=()
	for i in 1 2; do
		echo "echo $i >\$PVX_OUT/mine; sleep 2" >"$tmp/script$i"
		scripts/lab/lab run --kernel "$kernel" --guests 0 --modules none \
			--host-script "$tmp/script$i" --out "$tmp/out$i" & pids+=($!)
	done
	wait "${pids[0]}" && wait "${pids[1]}" &&
		[ "$(cat "$tmp/out1/host/mine")$(cat "$tmp/out2/host/mine")" = 12 ]
}

killed() {
	local pid qemu i
	echo "sleep 100" >"$tmp/script"
	TMPDIR=$tmp scripts/lab/lab run --kernel "$kernel" --guests 0 --modules none \
		--host-script "$tmp/script" --out "$tmp/killed" & pid=$!
	for i in $(seq 100); do
		qemu=$(pgrep -f "qemu-system.*$tmp/pvx-lab") && break
		sleep 0.1
	done
	[ -n "$qemu" ] || { echo "no QEMU"; return 1; }
	kill -KILL $pid
	for i in $(seq 50); do
		pgrep -f "qemu-system.*$tmp/pvx-lab" >/dev/null || return 0
		sleep 0.1
	done
	pkill -f "qemu-system.*$tmp/pvx-lab"
	echo "QEMU goes on"
	return 1
}

check "a script that succeeds, and two NUMA nodes" \
	ends 0 '[ -d /sys/devices/system/node/node1 ]' --host-nodes 2
says_why() { ends 3 "echo why it failed; exit 3" && [[ $out == *"why it failed"* ]]; }
check "one that fails gives its status, and prints what it says" says_why
check "trouble in the log is 70" ends 70 "echo 'WARNING: for the test' >/dev/kmsg"
check "but not if it was announced" ends 0 \
	'echo "for the test" >$PVX_OUT/expected; echo "WARNING: for the test" >/dev/kmsg'
check "an announcement that is no regular expression hides nothing" ends 70 \
	'echo "(" >$PVX_OUT/expected; echo "WARNING: for the test" >/dev/kmsg'
check "no success mark is 71" ends 71 "echo b >/proc/sysrq-trigger; sleep 60"
check "a timeout is 124" ends 124 "sleep 100" --timeout 8
# What CPUs that were stuck in one have left in consoles.
stuck="watchdog: BUG: soft lockup - CPU#0 stuck for 52s! [locktorture/3:163]"
stale_nop="$stuck
RIP: 0010:kvm_emulate_hypercall+0x0/0x500 [kvm]
Code: 8b 3c 24 eb c3 66 66 2e 0f 1f 84 00 00 00 00 00 66 90 <0f> 1f 44 00 00 55"
stale_next="$stuck
RIP: 0010:__pv_queued_spin_lock_slowpath+0x1/0x370
Code: 0f b1 0b 0f 84 93 fe ff ff 66 66 2e 0f 1f 84 00 00 00 00 00 0f <1f> 44 00 00 41 57"
stale_jump="$stuck
RIP: 0010:finish_task_switch.isra.0+0x9f/0x2d0
Code: fb 0f 1f 44 00 00 65 48 8b 04 25 80 fb 01 00 <eb> 42 4d 85 f6"
stale_call="$stuck
RIP: 0010:kvm_emulate_hypercall+0x0/0x500 [kvm]
Code: 00 00 00 00 66 90 <e8> 1b c7 ee ff 55"
in_trap="$stuck
RIP: 0010:asm_exc_int3+0x0/0x40
Code: 0f 1f 44 00 00 <0f> 01 ca fc 6a ff f6"
spinning="$stuck
RIP: 0010:native_queued_spin_lock_slowpath+0x6a/0x2e0
Code: 85 c0 74 0c f3 90 <eb> f6 66 90"
looping="$stuck
RIP: 0010:locktorture_wait+0x40/0x80
Code: 84 c0 <e9> d7 fe ff ff 90"
calling="$stuck
RIP: 0010:locktorture_wait+0x48/0x80
Code: 84 c0 <e8> 1b c7 ee ff eb f9"
twice() { printf '%s\n' "$1" "$1"; }
is_stale() { echo "$1" | awk -f scripts/lab/stale-int3.awk; }
for console in stale_nop stale_next in_trap; do
	check "a stale int3 in a console: $console" is_stale "${!console}"
done
for console in stale_jump stale_call; do
	check "a stale int3 in a console: $console, twice" is_stale "$(twice "${!console}")"
	check "none: $console, once" eval '! is_stale "${!console}"'
done
for console in spinning looping calling; do
	check "none: $console, twice" eval '! is_stale "$(twice "${!console}")"'
done
check "none: a trap, and nobody is stuck" eval '! is_stale "${in_trap#*]}"'
# What QEMU's monitor said of a host that one had frozen.
in_gate="RIP=ffffffff8e244ffe RFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0
RIP=ffffffff8e400ba0 RFL=00000046 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=0
fffffe0000000030: 0x8e40ee0000100ba0 0x00000000ffffffff"
is_frozen() { echo "$1" | awk -f scripts/lab/frozen-int3.awk; }
check "a stale int3 in the registers of a frozen host" is_frozen "$in_gate"
check "none: a frozen host that is elsewhere" eval '! is_frozen "${in_gate/400ba0/400ba2}"'
check "none: a frozen host of which the gate is not known" eval '! is_frozen "${in_gate%fffffe*}"'
# played TEST...: once more if a defect of the emulator came before the one that is played, or
# after it.
played() { "$@" || { [ $got -eq 70 ] && [[ $out == *RETRY:* ]] && "$@"; }; }
retried() { ends 70 "$1" && [[ $out == *"RETRY: a stale int3"* ]]; }
check "a stale int3 ends the run, which is tried once more" played retried \
	"while read -r line; do echo \"\$line\" >/dev/kmsg; done <<'END'
$stale_nop
END
sleep 100"
check "and finds what it was to keep" played ends 0 \
	'[ ! -e "$PVX_OUT/tries" ] || exit 0
	echo 1 >"$PVX_OUT/tries"; echo "int3: 0000 [#1]" >/dev/kmsg; exit 1' --keep tries
check "what is kept is a file there" ends 2 true --keep ../tries
check "an unknown option is 2" ends 2 true --no-such-option
check "two at once do not collide" two_at_once
check "QEMU ends with the laboratory" killed
tap_done
