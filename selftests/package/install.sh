# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced behind tap.sh and try.sh: the Debian package is installed, and what its tools say.
deb=$(echo "$PVX_TOP"/build/deb/kvm-pvx_*.deb)

installed() {
	# An emulated CPU would build modules for half an hour; dkms.sh has them built. And it
	# would go through all of the manual.
	printf '#!/bin/sh\n' >/usr/lib/dkms/common.postinst && dpkg --no-triggers -i "$deb"
}
said_or_gone() { grep -qF "$1" /tmp/said || ! kill -0 "$2" 2>/dev/null; } # TEXT PID
# until_told TEXT COMMAND...: it says that, goes on until it is told to end, and ends well
until_told() {
	local text=$1 tool
	shift
	"$@" >/tmp/said 2>&1 & tool=$!
	soon said_or_gone "$text" "$tool" && grep -qF "$text" /tmp/said && kill "$tool" &&
		wait "$tool" && return
	kill -9 "$tool" 2>/dev/null
	cat /tmp/said
	return 1
}
# tells_nothing TEXT COMMAND...: since there is nothing to tell of
tells_nothing() {
	local text=$1 said
	shift
	said=$("$@" 2>&1)
	[ $? -eq 1 ] && [[ $said == *"$text"* ]] || { echo "$said"; return 1; }
}
