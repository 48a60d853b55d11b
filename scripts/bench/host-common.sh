# SPDX-License-Identifier: GPL-2.0
#
# What the hosts' parts of the benchmarks share. Sourced; $guests: their numbers.
#
# raw.tsv gets one line per value: pair, arm, key, value, and for some the second.
set -u
raw=$PVX_OUT/raw.tsv
. "$PVX_TOP/selftests/ksm/ask-host.sh"
. "$PVX_TOP/scripts/bench/pairs.sh"

fail() { echo "error: $1"; exit 1; }
now_us() { echo "${EPOCHREALTIME/./}"; }

record() { # PAIR ARM KEY VALUE
	printf '%s\t%s\t%s\t%s\n' "$@" >>"$raw"
}
record_all() { # PAIR ARM: files the key=value lines of its input
	local key value
	while IFS='=' read -r key value; do
		[ -z "$value" ] || record "$1" "$2" "$key" "$value"
	done
}
recorded() { # PAIR ARM KEY: the sum
	awk -F'\t' -v p="$1" -v a="$2" -v k="$3" '$1 == p && $2 == a && $3 == k { n += $4 } END { print n + 0 }' "$raw"
}

# The arms of a pair; the order is another one each time.
arms_of() { # PAIR
	if (($1 % 2)); then echo stock pvx; else echo pvx stock; fi
}
# Measures all pairs that are left: measure PAIR ARM, and report PAIR.
measure_pairs() {
	local pair arm said
	for ((pair = $(next_pair); pair <= PAIRS; pair++)); do
		for arm in $(arms_of "$pair"); do measure "$pair" "$arm"; done
		said=$(report "$pair")
		end_pair "$pair"
		echo "pair $pair/$PAIRS: $said"
	done
}
