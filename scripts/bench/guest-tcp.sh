# SPDX-License-Identifier: GPL-2.0
#
# Guest's part of the TCP cases: guest 1 sends in bulk to the host, or to guest 2,
# while the host takes their CPUs away in bursts. Pairs take turns over IPv4 and
# IPv6. Eight connections: the timer of one that the CPU just works for when it is
# taken has to wait for that in stock, too. In every second round without loss probes:
# where they are, the timer that expires first is theirs, and timeouts are seldom.
# Each connection is offered less than it could carry: what a CPU that is busy carries tells
# of the emulator's pace, which changes by half from one transfer to the next.
. "$PVX_TOP/scripts/bench/guest-timer.sh"
. "$PVX_TOP/selftests/timer/bursts-guest.sh"
bursts=3
probing=/proc/sys/net/ipv4/tcp_early_retrans
usual_probes=$(cat $probing)

# What TCP of this guest has counted since it booted. Asked for once, since a new
# process takes its time where CPUs are stolen.
count() { nstat -asz >"$PVX_OUT/counted.$1"; }

since() { # KEY NAME
	awk -v key="$1" -v name="$2" '$1 == name { n = $2 - n } END { print key "=" n }' \
		"$PVX_OUT/counted.before" "$PVX_OUT/counted.after"
}

# transfer ADDRESS SEED: the host sees when it has begun, and bursts are over before it ends.
# They are not asked for from within, since a guest that sends has little time for files.
transfer() {
	local sender
	count before
	ask_bursts $bursts 300 800 "$2" "$each"
	iperf3 -f k -c "$1" -t 7 -P 8 -b "${each}M" -l "$block" >"$PVX_OUT/iperf3" & sender=$!
	wait_bursts
	wait $sender || return
	count after
	echo "early=$(cat "$PVX_OUT/../host/bursts.outlasted.$PVX_GUEST" 2>/dev/null | grep -cx "$burst_turn")"
	awk '/SUM.*receiver/ { print "goodput=" $6 }' "$PVX_OUT/iperf3"
	since timeouts TcpExtTCPTimeouts
	since found_spurious TcpExtTCPSpuriousRTOs
	since retransmitted TcpRetransSegs
	since probes TcpExtTCPLossProbes
}

measure() {
	local to=$v4 got
	(($1 % 2)) || to=$v6
	(($3 % 2)) && echo "$usual_probes" >$probing || echo 0 >$probing
	# The same bursts for both arms of a round.
	got=$(transfer $to $(($1 * ROUNDS + $3))) ||
		fail "no transfer to $to: $(tail -n 1 "$PVX_OUT/iperf3")"
	echo "$1 $2 $3 $(asked_turn) $(sed -n 's/^timeouts=//p' <<<"$got")" >>"$PVX_OUT/turns"
	record "$1" "$2" <<<"$got"
	(($3 % 2)) || sed -n 's/^timeouts=/timeouts_unprobed=/p' <<<"$got" | record "$1" "$2"
	record_counters "$1" "$2"
}

report() {
	echo "timeouts stock $(recorded "$1" stock timeouts) pvx $(recorded "$1" pvx timeouts)" \
		"(without probes $(recorded "$1" stock timeouts_unprobed) and $(recorded "$1" pvx timeouts_unprobed))," \
		"loss probes stock $(recorded "$1" stock probes) pvx $(recorded "$1" pvx probes)," \
		"deferred $(recorded "$1" pvx tcp_deferred)," \
		"goodput ratio $(quotient "$(recorded "$1" pvx goodput)" "$(recorded "$1" stock goodput)")," \
		"over before the bursts stock $(recorded "$1" stock early) pvx $(recorded "$1" pvx early)"
}

if [ "$PEER" = guest ]; then
	# iperf3 sends whole blocks, and of 128 KiB so slow a connection would send twenty.
	v4=10.9.0.2 v6=fd09::2 each=3 block=12K
	[ "$PVX_GUEST" = 1 ] || be_peer
else
	v4=10.9.0.254 v6=fd09::fe each=30 block=128K
fi
# The peer may still be on its way.
until iperf3 -c $v4 -t 1 >/dev/null 2>&1; do sleep 0.5; done
alternate
touch "$PVX_OUT/over"
