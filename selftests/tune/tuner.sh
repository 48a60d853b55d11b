# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Runs pvxtune, which is $tune and tunes $parameter. Sourced.
. "$PVX_TOP/selftests/tune/try.sh"
said=$PVX_OUT/pvxtune
default=$(cat "$parameter") || exit

value_is() { [ "$(cat "$parameter")" = "$1" ]; }
value_is_not() { ! value_is "$1"; }
says() { grep -q "$1" "$said"; } # PATTERN
begin() { # OPTION...
	: >"$said"
	"$tune" "$@" >"$said" 2>&1 & tuner=$!
	soon says "^${parameter##*/} is "
}
# Sets status.
end() { # SIGNAL
	kill "-$1" $tuner
	wait $tuner
	status=$?
}
