# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# A host script's companion to guest.sh, which calls when it is asked to. Sourced.
. "$PVX_TOP/selftests/tune/try.sh"
. "$PVX_TOP/selftests/lib/yields.sh"
. /run/pvx/guests
tune=$PVX_TOP/build/tune
guest=$PVX_OUT/../guest1
# However it ends, the guest does not wait for it.
trap 'touch "$PVX_OUT/through"' EXIT
trap 'exit 143' TERM

# Tests ask in subshells, too.
asked() { find "$PVX_OUT" -name 'ask.*' | wc -l; }
# ask [N]: the guest is to call for N times three seconds
ask() {
	local n
	for n in $(seq "${1:-1}"); do touch "$PVX_OUT/ask.$(($(asked) + 1))"; done
}
answered() { soon test -s "$guest/flood.$(asked)"; }
