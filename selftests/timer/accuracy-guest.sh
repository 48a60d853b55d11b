#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The guest's part of accuracy-host.sh: one vCPU that is kept busy.
. "$PVX_TOP/selftests/timer/bursts-guest.sh"
host=$PVX_OUT/../host
coproc CLOCK { exec "$PVX_TOP/build/selftests/timer/readings" 0; }

# readings NAME: of the clock whenever the host asks, until it has one of use. The
# hogs rest meanwhile.
readings() {
	local n=0
	until [ -e "$host/$1.taken" ]; do
		[ -e "$host/$1.ask.$n" ] || continue
		echo >&"${CLOCK[1]}"
		read -r reading <&"${CLOCK[0]}"
		echo "$reading" >"$PVX_OUT/$1.$n"
		n=$((n + 1))
	done
}

# Who answers goes before the load.
chrt -f -p 1 "$CLOCK_PID"
chrt -f -p 1 $$
chrt -o 0 bash -c 'while :; do :; done' &
sleep 1
readings begin
bursts "${BURSTS:-24}" 50 800
sleep 1
readings end
until [ -e "$host/verdict" ]; do sleep 0.1; done
exit "$(cat "$host/verdict")"
