# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What pvxtop --json writes to $json. Sourced, behind ask.sh.
begin_looks() { # OPTION...
	: >"$json"
	"$tune/pvxtop" --json "$@" >"$json" 2>"$PVX_OUT/pvxtop.err" & looking=$!
}
end_looks() {
	kill $looking
	wait $looking
}
looks() { wc -l <"$json"; }
looked() { [ "$(looks)" -ge "$1" ]; } # TIMES
sum() { grep -oiE "\"$1\":[0-9]+" | awk -F: '{ n += $2 } END { printf "%.0f\n", n }'; } # KEY
of_vms() { sed 's/"vcpus":\[[^]]*\]//g' "$json"; }
of_vcpus() { grep -oE '"vcpus":\[[^]]*\]' "$json"; }
