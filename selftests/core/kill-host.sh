#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# VMMs killed at random moments of their guests' lives leave no context. A host
# script for lab run --guests 0.
. "$PVX_TOP/selftests/lib/tap.sh"
. /run/pvx/guests
kills=${KILLS:-6}
RANDOM=${SEED:-1}

contexts() { # as the host counts them
	"$PVX_TOP/build/pvxctl/pvxctl" show --json | grep -o '"vms": *[0-9]*' | grep -o '[0-9]*$'
}
gone() { # waits for the last context to be freed
	local i
	for i in $(seq 50); do
		[ "$(contexts)" = 0 ] && [ -z "$(ls -d /sys/kernel/debug/pvx_host/[0-9]* 2>/dev/null)" ] && return
		sleep 0.1
	done
	return 1
}

insmod "$PVX_BUILD/host/pvx_host_fork.ko" || exit
cp "$PVX_TOP/selftests/core/kill-guest.sh" /run/pvx/guest-script
touch /run/pvx/go
seen=0 copied=0
for i in $(seq "$kills"); do
	rm -f /run/pvx/out/guest1/{ready,calling}
	guest_start 1
	# The first kills come while the guest calls (if the emulator lets it
	# boot), the others anywhere.
	if [ $i -le $((kills / 3)) ]; then
		for wait in $(seq 1800); do
			[ ! -e /run/pvx/out/guest1/calling ] || break
			sleep 0.1
		done
	fi
	sleep $((RANDOM % 7)).$((RANDOM % 10))
	[ "$(contexts)" = 0 ] || seen=$((seen + 1))
	! grep -q '^fork_copied=[1-9]' /sys/kernel/debug/pvx_host/[0-9]*/features 2>/dev/null || copied=$((copied + 1))
	kill -9 "$(cat "$PVX_RUN/guest1.pid")"
	wait "$(cat "$PVX_RUN/guest1.pid")" 2>/dev/null
	gone || break
	echo "# kill $i"
done
check "no context left after $i kills" gone
check "$seen of them had one when they were killed" [ $seen -ge $((kills / 3)) ]
check "for $copied of them the host had copied" [ $copied -gt 0 ]
tap_done
