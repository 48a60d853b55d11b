#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The host's part of session-guest.sh.
. "$PVX_TOP/selftests/lib/tap.sh"
guest=$PVX_OUT/../guest1
tune=$PVX_TOP/build/tune
pid=$(cat "$PVX_RUN/guest1.pid")
[ -x "$tune/pvxtop" ] || tap_skip_all "pvxtop needs clang, bpftool and libbpf-dev"

# When the guest asks for it, whose end is ours, too.
look() { # WHEN
	until [ -e "$guest/$1" ]; do sleep 0.2; done
	"$tune/pvxtop" -1 -i 5 >"$PVX_OUT/top" && "$tune/pvxtax" -p "$pid" -d 10 >"$PVX_OUT/tax" &&
		"$PVX_TOP/build/pvxctl/pvxctl" show --pid "$pid" >"$PVX_OUT/show" || return
	touch "$PVX_OUT/$1"
}
seen() { tap_diag "$(cat "$PVX_OUT/top" "$PVX_OUT/tax" "$PVX_OUT/show")"; }
of_vm() { # HEAD: its column of the line that is the VM's
	awk -v pid="$pid" -v head="$1" '
		/ PID / { for (i = 1; i <= NF; i++) if ($i == head) column = i }
		$1 == pid { print int($column) }' "$PVX_OUT/top"
}

check "the host looks" look before
seen
check "two of its four vCPUs wait for a CPU" [ "$(of_vm STEAL%)" -gt 30 ]
check "none asks for another one" [ "$(of_vm YIELD/S)" = 0 ]
check "it looks again" look after
seen
check "they ask now" [ "$(of_vm YIELD/S)" -gt 0 ]
check "and mostly whom they asked for is run" [ "$(of_vm RUN%)" -gt 60 ]
tap_done
