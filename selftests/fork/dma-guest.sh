#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Memory of processes that fork is what they wrote, where a DMA engine copies it, fails to,
# or does not answer. A guest script; dma-host.sh is the host's.
. "$PVX_TOP/selftests/lib/tap.sh"
tests=$PVX_TOP/build/selftests/fork
counters=/sys/kernel/debug/pvx_guest/fork
host=$PVX_OUT/../host
seed=${SEED:-$RANDOM}

within() { # SECONDS COMMAND...
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}
by_host() { sed -n 's/^by_host=//p' $counters; }
by_dma() { cat "$host/by_dma"; }
is_more() { [ "$("$1")" -gt "$2" ]; } # COUNT THAN
fault() { # WHICH
	rm -f "$host/done"
	echo "$1" >"$PVX_OUT/fault.new" && mv "$PVX_OUT/fault.new" "$PVX_OUT/fault"
	within 20 test -e "$host/done"
}
is_right() { # the memory of all, and the host copied
	local said status before
	before=$(by_host)
	seed=$((seed + 1))
	said=$("$tests/integrity" 8 $seed)
	status=$?
	echo "seed $seed: status $status, $(($(by_host) - before)) pages by the host; $said"
	[ "$status$said" = 0 ] && is_more by_host $((before + 1000))
}
stays() { # what the engine copied, for a while
	local before
	sleep 1
	before=$(by_dma)
	"$tests/writes" 32 eager >/dev/null && sleep 1 && [ "$(by_dma)" = "$before" ]
}

echo "# seed $seed"
check "the host has an engine" within 60 test -e "$host/by_dma"
check "it copies" within 30 eval '"$tests/writes" 32 eager >/dev/null; is_more by_host 0'
check "by the engine" within 5 is_more by_dma 4096
check "all is right" is_right
check "from now on each of its copies fails" fault error
check "all is right" is_right
check "it is not used" stays
check "it copies again" fault none
check "all is right" is_right
before=$(by_dma)
"$tests/writes" 32 eager >/dev/null
check "by the engine" within 5 is_more by_dma "$before"
check "now it hangs" fault hang
check "all is right" is_right
check "it is not used" stays
check "when it could copy again" fault none
check "it is not asked again" stays
touch "$PVX_OUT/end"
check "it can be taken out, and is not needed" within 20 grep -qE 'safe|string|words' "$host/ended"
tap_done
