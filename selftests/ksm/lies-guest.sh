#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A guest that lies about its pages, and says more than it may, as lies-host.sh asks.
. "$PVX_TOP/selftests/ksm/asked-guest.sh"
. "$PVX_TOP/selftests/ksm/hints.sh"
gfn=$((gpa / 4096)) pages=8

same_hashes() { for _ in $(seq "$1"); do echo 42; done; }
sum() { sha256sum <$buffer; }

as_fast_as_it_can() { # TIMES ADDRESS WORDS: what was answered, and how often
	for _ in $(seq "$1"); do answers 0 $ksm "$2" "$3"; done | sort | uniq -c |
		awk '{ printf "%s %s ", $2, $1 }'
}

act() {
	case $1 in
	# Each of the buffer's pages is another, and all are announced as one.
	lie) hints 0 $gfn "$(run $pages $text)" $(same_hashes $pages) && sum >/run/sum ;;
	intact) [ "$(sum)" = "$(cat /run/sum)" ] && echo intact ;;
	write) head -c 100 /dev/urandom >$buffer && sum >/run/sum && echo written ;;
	flood)
		u64s $gfn "$(run $pages $text)" $(same_hashes $pages) >$buffer
		as_fast_as_it_can 100 "$gpa" $((2 + pages)) ;;
	withdraw) as_fast_as_it_can 30 0 0 ;;
	end) echo ended ;;
	esac
}

answers 0 $negotiate 1 0 >/dev/null && answers 2 $negotiate 1 2 >/dev/null &&
	answers 0 $ksm 0 0 >/dev/null || exit
head -c $((pages * 4096)) /dev/urandom >$buffer
do_what_is_asked act
