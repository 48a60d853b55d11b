#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The guest's part of the session that Documentation/tuning.rst tells: its four vCPUs have two
# CPUs and wait for each other's locks, without pvx_guest_lock and then with it.
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/tune/try.sh"
pvxlock=$PVX_TOP/build/tune/pvxlock
host=$PVX_OUT/../host
work=/dev/shm/work
[ -x "$pvxlock" ] || tap_skip_all "pvxlock needs clang, bpftool and libbpf-dev"
command -v stress-ng >/dev/null || tap_skip_all "no stress-ng"

# Has the host look, and waits for that.
host_looks() { # WHEN
	touch "$PVX_OUT/$1"
	soon [ -e "$host/$1" ]
}
# Of all locks, in us each second.
waited() { # TABLE
	awk '/ waits, / { print int(1000 * $5 / $1); exit }' "$PVX_OUT/$1"
}
locks() { # TABLE OPTION...
	local table=$1
	shift
	"$pvxlock" -d 10 -n 4 "$@" >"$PVX_OUT/$table"
}

cd /run && mkdir -p $work || exit
stress-ng --dentry 4 --temp-path $work >/dev/null 2>&1 & load=$!
# It begins with files to make.
sleep 12
check "the host looks at it" host_looks before
check "which locks are waited for" locks stock -s before
tap_diag "$(cat "$PVX_OUT/stock")"
check "pvx_guest_lock is loaded" insmod "$PVX_BUILD/guest/pvx_guest_lock.ko"
sleep 5
check "the host looks again" host_looks after
check "that is compared" locks pvx -c before
tap_diag "$(cat "$PVX_OUT/pvx")"
check "less is waited, $(waited pvx) and not $(waited stock) us in a second" \
	[ "$(waited pvx)" -lt $(($(waited stock) * 9 / 10)) ]
kill $load
tap_done
