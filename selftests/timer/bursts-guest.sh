# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# A guest asks its host for bursts, see bursts.sh. To be sourced.

# Turns are counted in the file, since some are asked for by subshells.
asked_turn() { cut -d ' ' -f 1 "$PVX_OUT/bursts.want" 2>/dev/null || echo 0; }

# ask_bursts COUNT LEAST_MS MOST_MS [SEED [SENT_MIB]]: the host begins with them, or
# when this guest has sent so much from now on.
ask_bursts() {
	burst_turn=$(($(asked_turn) + 1))
	echo "$burst_turn $1 $2 $3 ${4:-1} ${5:-0}" >"$PVX_OUT/bursts.new"
	mv "$PVX_OUT/bursts.new" "$PVX_OUT/bursts.want"
}

bursts_done() {
	[ "$(cat "$PVX_OUT/../host/bursts.done.$PVX_GUEST" 2>/dev/null)" = "$burst_turn" ]
}

wait_bursts() { until bursts_done; do sleep 0.1; done; }

bursts() { ask_bursts "$@" && wait_bursts; }
