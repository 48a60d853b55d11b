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
check "one that fails gives its status" ends 3 "exit 3"
check "trouble in the log is 70" ends 70 "echo 'WARNING: for the test' >/dev/kmsg"
check "but not if it was announced" ends 0 \
	'echo "for the test" >$PVX_OUT/expected; echo "WARNING: for the test" >/dev/kmsg'
check "an announcement that is no regular expression hides nothing" ends 70 \
	'echo "(" >$PVX_OUT/expected; echo "WARNING: for the test" >/dev/kmsg'
check "no success mark is 71" ends 71 "echo b >/proc/sysrq-trigger; sleep 60"
check "a timeout is 124" ends 124 "sleep 100" --timeout 8
# What a CPU that was stuck in one has left in a console.
stale_int3() {
	cat <<'END'
watchdog: BUG: soft lockup - CPU#0 stuck for 52s! [locktorture/3:163]
RIP: 0010:kvm_emulate_hypercall+0x0/0x500 [kvm]
Code: e8 f3 12 11 00 48 8b 3c 24 eb c3 66 66 2e 0f 1f 84 00 00 00 00 00 66 90 <0f> 1f 44 00 00 55
END
}
retried() { ends 70 "$1" && [[ $out == *"RETRY: a stale int3"* ]]; }
check "a stale int3 ends the run, which is tried once more" retried \
	"while read -r line; do echo \"\$line\" >/dev/kmsg; done <<'END'
$(stale_int3)
END
sleep 100"
check "an unknown option is 2" ends 2 true --no-such-option
check "two at once do not collide" two_at_once
check "QEMU ends with the laboratory" killed
tap_done
