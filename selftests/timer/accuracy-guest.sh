#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The guest's part of accuracy-host.sh: one vCPU that is kept busy.
. "$PVX_TOP/selftests/timer/bursts-guest.sh"
example=$PVX_TOP/build/selftests/timer/example
host=$PVX_OUT/../host

# The hogs rest while both sides take their readings: then the clocks go alike,
# and it does not matter that one reads a little later.
reading() {
	"$example" 0 >"$PVX_OUT/clock.$1"
	touch "$PVX_OUT/$1"
	until [ -e "$host/$1" ]; do sleep 0.1; done
}

while :; do :; done &
sleep 1
reading first	# not counted: later ones take equally long
reading begin
bursts "${BURSTS:-24}" 50 800
sleep 1
reading end
until [ -e "$host/verdict" ]; do sleep 0.1; done
exit "$(cat "$host/verdict")"
