#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# TCP's retransmission timer under bursts, with real loss, and while the module
# comes and goes. A guest script, for lab run --guest-cpus 1 --net bridge
# --host-script selftests/timer/tcp-host.sh
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/lib/events.sh"
. "$PVX_TOP/selftests/timer/bursts-guest.sh"
echo=$PVX_TOP/build/selftests/timer/echo
parameter=/sys/module/pvx_guest_timer/parameters/tcp
hosts="10.9.0.254 fd09::fe"
bursts=${BURSTS:-4}

stat() { sed -n "s/^$1=//p" /sys/kernel/debug/pvx_guest/timer; }
mib() { nstat -asz "$1" | awk -v name="$1" '$1 == name { print $2 }'; }

# transfer ADDRESS: in bulk, under bursts; sets timeouts and deferred. Eight connections: the
# timer of the one that the CPU just works for when it is taken waits for that in stock, too.
transfer() {
	local before_timeouts before_deferred
	timeouts= deferred=
	before_timeouts=$(mib TcpExtTCPTimeouts) before_deferred=$(stat tcp_deferred)
	ask_bursts "$bursts" 300 800 7 1
	iperf3 -c "$1" -P 8 -t $((bursts * 11 / 10 + 1)) >"$PVX_OUT/iperf3" || return
	wait_bursts
	timeouts=$(($(mib TcpExtTCPTimeouts) - before_timeouts))
	deferred=$(($(stat tcp_deferred) - before_deferred))
	echo "# to $1, tcp=$(cat $parameter): timeouts $timeouts, deferred $deferred, $(awk '/SUM.*receiver/ { print $6, $7 }' "$PVX_OUT/iperf3")"
}

# A timer has to expire in a burst, for which some bursts may be too short.
defers() { # ADDRESS
	local try
	for try in 1 2 3; do
		transfer "$1" || return
		[ "$deferred" -eq 0 ] || return 0
	done
	return 1
}

until timeout 5 "$echo" rate 10.9.0.254 5001 1 >/dev/null 2>&1; do sleep 0.5; done
for host in $hosts; do
	echo N >$parameter
	transfer "$host"; status=$?
	check "to $host: a bulk transfer with stock's timers" [ $status -eq 0 ]
	stock=$timeouts
	check "and nothing is deferred" [ "$deferred" -eq 0 ]
	echo Y >$parameter
	defers "$host"; status=$?
	check "to $host: timers are deferred" [ $status -eq 0 ]
	check "and no more time out than with stock" [ "$timeouts" -le "$stock" ]
done

# The limit holds, and each decision can be traced.
limit=/sys/module/pvx_guest_timer/parameters/tcp_max_defer_ms
usual=$(cat $limit)
tracing=/sys/kernel/tracing
echo 1 >$tracing/events/pvx_guest/tcp_expired/enable
echo 1 >$limit
limited=$(stat tcp_limited)
for try in 1 2 3; do
	transfer 10.9.0.254
	[ "$(stat tcp_limited)" = "$limited" ] || break
done
echo "$usual" >$limit
echo 0 >$tracing/events/pvx_guest/tcp_expired/enable
check "more was stolen than a limit of 1 ms allows for" [ "$(stat tcp_limited)" -gt "$limited" ]
check "which is traced" grep -Eq 'tcp_expired: .* pending=[0-9]+ age_ms=[0-9]+ stolen_ms=[0-9]+ defer_ms=[0-9]+$' $tracing/trace

# More timers at once than there is place to note them, or rather two for one place.
crowd() {
	local before
	before=$(stat tcp_crowded)
	ip neigh replace 10.9.0.77 lladdr 02:00:00:00:00:77 dev eth0 || return
	"$PVX_TOP/build/selftests/timer/crowd" 10.9.0.77 2000 9000 & crowd=$!
	bursts 6 300 800
	wait $crowd || return
	echo "$(($(stat tcp_crowded) - before)) without a place"
	[ "$(stat tcp_crowded)" -gt "$before" ]
}
check "crowds are traced" events_begin pvx_guest:tcp_crowded
check "of too many at once some are left to stock" crowd
check "each of which is an event" event_seen tcp_crowded 'sk=[0-9a-fx]+'
events_end
check "and connections work as before" "$echo" rate 10.9.0.254 5001 500

# What is lost has to be sent again, and stays as early as it was.
modprobe sch_netem	# the kernel's own search is for modules in its initrd
check "the path loses" tc qdisc add dev eth0 root netem loss 20%
for host in $hosts; do
	check "what was lost is sent again to $host" "$echo" lost "$host" 5001 5
done
tc qdisc del dev eth0 root

iperf3 -c 10.9.0.254 -t 10 >/dev/null & traffic=$!
ask_bursts 5 300 800
failed=0
for i in $(seq 6); do
	rmmod pvx_guest_timer && insmod "$PVX_BUILD/guest/pvx_guest_timer.ko" ||
		failed=$((failed + 1))
	sleep 0.5
done
check "the module comes and goes 6 times under traffic" [ $failed -eq 0 ]
wait_bursts
wait $traffic
status=$?
check "which goes on" [ $status -eq 0 ]
tap_done
