#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The guest's part of accuracy-host.sh: one vCPU that is kept busy.
host=$PVX_OUT/../host

wait_for() { until [ -e "$host/$1" ]; do sleep 0.2; done; }

while :; do :; done &
touch "$PVX_OUT/busy"
wait_for begin
"$PVX_TOP/build/selftests/timer/example" 0 >"$PVX_OUT/clock.begin"
touch "$PVX_OUT/begun"
wait_for end
"$PVX_TOP/build/selftests/timer/example" 0 >"$PVX_OUT/clock.end"
touch "$PVX_OUT/ended"
wait_for judged
"$PVX_TOP/build/selftests/timer/clock" || exit 1
"$PVX_TOP/build/selftests/timer/example" 0 100
