#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The guest's part of the session that Documentation/tuning.rst tells: its four vCPUs have two
# CPUs and wait for each other's locks, without pvx_guest_lock and then with it.
. "$PVX_TOP/selftests/lib/tap.sh"
pvxlock=$PVX_TOP/build/tune/pvxlock
host=$PVX_OUT/../host
work=/dev/shm/work
[ -x "$pvxlock" ] || tap_skip_all "pvxlock needs clang, bpftool and libbpf-dev"
command -v stress-ng >/dev/null || tap_skip_all "no stress-ng"

# Has the host look, and waits for that.
host_looks() { # WHEN
	touch "$PVX_OUT/$1"
	for _ in $(seq 300); do
		[ ! -e "$host/$1" ] || return 0
		sleep 0.2
	done
	return 1
}
# The first line after the heads is of the lock that was waited for longest.
waits_are_shorter() {
	awk '/BEFORE/ { heads++; next }
	     heads == 1 && $1 > 0 { before += $1; after += $2 }
	     END { exit !(before > 0 && after < 0.9 * before) }' "$PVX_OUT/after"
}

mkdir -p $work
stress-ng --dentry 4 --temp-path $work >/dev/null 2>&1 & load=$!
# It begins with files to make.
sleep 12
check "the host looks at it" host_looks before
check "which locks are waited for" "$pvxlock" -d 10 -n 4 -s "$PVX_OUT/before"
check "pvx_guest_lock is loaded" insmod "$PVX_BUILD/guest/pvx_guest_lock.ko"
sleep 5
check "the host looks again" host_looks after
"$pvxlock" -d 10 -n 4 -c "$PVX_OUT/before" >"$PVX_OUT/after"
tap_diag "$(cat "$PVX_OUT/after")"
check "what was waited for most is waited for less" waits_are_shorter
kill $load
tap_done
