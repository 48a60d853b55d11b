# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced.

soon() { # COMMAND...: tries for three minutes
	local i
	for i in $(seq 900); do
		"$@" && return
		sleep 0.2
	done
	return 1
}

fails() { # STATUS COMMAND...
	local status=$1
	shift
	"$@"
	[ $? -eq "$status" ]
}
