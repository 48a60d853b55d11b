# SPDX-License-Identifier: GPL-2.0
#
# Guest's part of the loss and rr cases, in which nothing is stolen: what was
# lost is sent again as early as with stock, and requests are answered as fast.
. "$PVX_TOP/scripts/bench/guest-timer.sh"
echo=$PVX_TOP/build/selftests/timer/echo
host=10.9.0.254

# The median of the numbers of a key.
median() { # KEY
	sed -n "s/^$1=//p" | sort -n | awk '{ x[NR] = $1 } END { print x[int((NR + 1) / 2)] }'
}

# lossy PERCENT COMMAND...: on a card that loses so much of what is sent.
lossy() {
	local percent=$1 status
	shift
	tc qdisc add dev eth0 root netem loss "$percent%" || return
	"$@"
	status=$?
	tc qdisc del dev eth0 root
	return $status
}

goodput() { iperf3 -f k -c $host -t "$((MS / 1000))" | awk '/receiver/ { print $7 }'; }

loss() {
	local percent
	for percent in 1 5; do
		echo "goodput_$percent=$(lossy $percent goodput)"
		echo "first_us_$percent=$(lossy $percent "$echo" lost $host 5001 $((percent == 1 ? 3 : 7)) |
			median retransmitted_us)"
	done
}

rr() { "$echo" rate $host 5001 "$MS"; }

measure() {
	local got
	got=$($CASE) || fail "no measure of $CASE"
	record "$1" "$2" <<<"$got"
	record_counters "$1" "$2"
}

report() {
	local key
	for key in $keys; do
		printf '%s %s ' "$key" "$(quotient "$(recorded "$1" pvx "$key")" "$(recorded "$1" stock "$key")")"
	done
}

case $CASE in
loss) keys="goodput_1 first_us_1 goodput_5 first_us_5"
	modprobe sch_netem || fail "no sch_netem";;
rr) keys=transactions_per_s;;
esac
until timeout 5 "$echo" rate $host 5001 100 >/dev/null 2>&1; do sleep 0.5; done
alternate
