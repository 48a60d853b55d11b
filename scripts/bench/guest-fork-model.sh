# SPDX-License-Identifier: GPL-2.0
#
# Guest's part of the fork model: what pvx-fork-run predicts, and what is measured.
. "$PVX_TOP/scripts/bench/guest-fork-common.sh"
TRIES=3

value() { awk -F= -v key="$1" '$1 == key { print $2 }' <<<"$2"; }

# How many times less it costs: forks and writes, less what writes cost that are no faults.
# Who goes first is another one each time.
measured() { # MIB TRY
	local mode stock eager
	for mode in $( (($2 % 2)) && echo off eager || echo eager off); do
		case $mode in
		off) stock=$("$writes" "$1" off child alone) || return ;;
		eager) eager=$("$writes" "$1" eager child alone) || return ;;
		esac
	done
	awk -v pages=$(($1 * 256)) \
		-v sw="$(value parent_us "$stock")" -v sa="$(value again_us "$stock")" -v sf="$(value fork_us "$stock")" \
		-v ew="$(value parent_us "$eager")" -v ea="$(value again_us "$eager")" -v ef="$(value fork_us "$eager")" \
		'BEGIN {
			stock = (sw - sa) / pages
			eager = (ef - sf + ew - ea) / pages
			printf "%.4f (%.1f by %.1f us a page)\n", stock / eager, stock, eager
		}'
}

use_all_memory_once
for ((pair = $(next_pair); pair <= PAIRS; pair++)); do
	explained=$("$PVX_TOP/build/fork/pvx-fork-run" --explain --json) || fail "no explanation"
	echo "$explained"
	said=
	for mib in 16 64 256; do
		for ((i = 0; i < TRIES; i++)); do
			measured $mib $((pair + i)) || fail "$mib MiB: the memory is not what it should be"
		done >"$PVX_OUT/measured"
		got=$(sort -g "$PVX_OUT/measured" | sed -n "$(((TRIES + 1) / 2))p")
		predicted=$(sed "s/.*\"speedup_${mib}_mib\":\([0-9.]*\).*/\1/" <<<"$explained")
		echo "speedup_$mib=$predicted" | record $pair stock
		echo "speedup_$mib=${got%% *}" | record $pair pvx
		said+=", with $mib MiB predicted $predicted, measured $got"
	done
	copied_by_host || fail "the host did not copy"
	end_pair $pair
	echo "pair $pair/$PAIRS$said"
done
