#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A guest that lies makes KSM look at its pages and nothing else, and one that says too
# much is not listened to. A host script as host.sh.
. "$PVX_TOP/selftests/lib/tap.sh"
guests=1
. "$PVX_TOP/selftests/ksm/ask-host.sh"
budget=/sys/module/pvx_host_ksm/parameters/pages_per_s

ksm_went_round() { [ "$(cat $ksm/full_scans)" -ge $((before + 4)) ]; }
answered() { ask 120 "$1" && case $(answer 1) in *"$2"*) ;; *) answer 1; return 1 ;; esac; }
refused() { [[ $(answer 1) == *ret=-2012* ]]; }
no_more_than() { # PAGES: were announced since
	echo "# $(($(count 1 announced) - announced)) of at most $1"
	[ $(($(count 1 announced) - announced)) -le "$1" ]
}

begin_guests selftests/ksm/lies-guest.sh || exit
check "the guest is granted ksm" "$pvxctl" grant --pid "$(pid 1)" ksm
check "and is in a group" "$pvxctl" group --pid "$(pid 1)" test
touch /run/pvx/go
echo 2000 >$ksm/pages_to_scan && echo 20 >$ksm/sleep_millisecs && echo 1 >$ksm/run
check "eight pages are announced as one, and are not" answered lie ret=0
check "they are marked" within 20 at_least 1 marked 8
before=$(cat $ksm/full_scans)
check "KSM goes round" within 60 ksm_went_round
check "and merges none of them" at_most 1 merged 0
check "they are what they were" answered intact intact
check "they can be written to" answered write written
check "and are what was written" answered intact intact

echo 4 >$budget
sleep 1
announced=$(count 1 announced) begin=$SECONDS
check "the guest announces 800 pages as fast as it can" ask 200 flood
echo "# its calls: $(answer 1)"
check "what is over the budget is refused" refused
check "and no more is taken" no_more_than $((4 * (SECONDS - begin + 4)))
echo 1 >$budget
check "the guest withdraws all as fast as it can" ask 200 withdraw
echo "# its calls: $(answer 1)"
check "that has a budget, too" refused
echo 0 >$budget
announced=$(count 1 announced)
check "without a budget" ask 200 flood
check "nothing is taken" no_more_than 0
check "the host's module goes" rmmod pvx_host_ksm
check "nothing is mergeable" unmerged 1
check "the guest ends" answered end ended
tap_done
