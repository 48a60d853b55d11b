# SPDX-License-Identifier: GPL-2.0
#
# Guest's part of the TCP cases: guest 1 sends in bulk to the host, or to guest 2,
# while the host takes their CPUs away in bursts. Pairs take turns over IPv4 and
# IPv6. Eight connections: the timer of one that the CPU just works for when it is
# taken has to wait for that in stock, too. In every second round without loss probes:
# where they are, the timer that expires first is theirs, and timeouts are seldom.
. "$PVX_TOP/scripts/bench/guest-timer.sh"
. "$PVX_TOP/selftests/timer/bursts-guest.sh"
bursts=3
# A block is due every 90 ms, and the end 63 ms after one. It is less than a window has room
# for from the beginning on.
mbit=1 block=11K
probing=/proc/sys/net/ipv4/tcp_early_retrans
usual_probes=$(cat $probing)

# What TCP of this guest has counted since it booted. Asked for once, and told apart by one
# process, since a new one takes its time where CPUs are stolen.
count() { nstat -asz >"$PVX_OUT/counted.$1"; }

counted() {
	awk -v OFS== 'BEGIN {
			key["TcpExtTCPTimeouts"] = "timeouts"
			key["TcpExtTCPSpuriousRTOs"] = "found_spurious"
			key["TcpExtTCPLossProbes"] = "probes"
			key["TcpRetransSegs"] = "retransmitted"
		}
		NR == FNR { before[$1] = $2; next }
		$1 in key { print key[$1], $2 - before[$1] }' "$PVX_OUT/counted.before" "$PVX_OUT/counted.after"
}

# transfer ADDRESS SEED: the host sees when it has begun, and bursts are over before it ends.
# They are not asked for from within, since a guest that sends has little time for files.
transfer() {
	local sender
	count before
	ask_bursts $bursts 300 800 "$2" 1
	bulk "$1" 7 $mbit $block >"$PVX_OUT/goodput" & sender=$!
	wait_bursts
	wait $sender || return
	count after
	echo "goodput=$(cat "$PVX_OUT/goodput")"
	counted
}

measure() {
	local to=$v4 got
	(($1 % 2)) || to=$v6
	(($3 % 2)) && echo "$usual_probes" >$probing || echo 0 >$probing
	# The same bursts for both arms of a round.
	got=$(transfer $to $(($1 * ROUNDS + $3))) ||
		fail "no transfer to $to: $(grep '"error"' "$PVX_OUT/iperf3")"
	echo "$1 $2 $3 $(asked_turn) $(sed -n 's/^timeouts=//p' <<<"$got")" >>"$PVX_OUT/turns"
	record "$1" "$2" <<<"$got"
	record_counters "$1" "$2"
}

report() {
	echo "timeouts stock $(recorded "$1" stock timeouts) pvx $(recorded "$1" pvx timeouts)," \
		"goodput ratio $(quotient "$(recorded "$1" pvx goodput)" "$(recorded "$1" stock goodput)")," \
		"over before the bursts $(cat "$PVX_OUT/../host/bursts.outlasted.$PVX_GUEST" 2>/dev/null | wc -l) of $(asked_turn)"
}

if [ "$PEER" = guest ]; then
	v4=10.9.0.2 v6=fd09::2
	[ "$PVX_GUEST" = 1 ] || be_peer
else
	v4=10.9.0.254 v6=fd09::fe
fi
# The peer may still be on its way.
until iperf3 -c $v4 -t 1 >/dev/null 2>&1; do sleep 0.5; done
alternate
touch "$PVX_OUT/over"
