# SPDX-License-Identifier: GPL-2.0
#
# Guest's part of the cases in which nothing is stolen: what was lost is sent again
# as early as with stock, bulk transfers with loss and requests without are as fast.
set -o pipefail
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

# So few segments are on their way that many a loss is found by a timer and not by later ones.
goodput() { bulk $host 4 1 12K; }

# both KEY COMMAND...: what it prints with 1 and with 5 % of loss
both() {
	local key=$1 percent value
	shift
	for percent in 1 5; do
		value=$(lossy $percent "$@") && [ -n "$value" ] || return
		echo "${key}_$percent=$value"
	done
}

first_retransmission() { "$echo" lost $host 5001 5 | median retransmitted_us; }

loss() { both goodput goodput; }
first() { both first_us first_retransmission; }
rr() { "$echo" rate $host 5001 $((MS / ROUNDS)); }

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
loss) keys="goodput_1 goodput_5"
	# One lost segment is one, and not all that the card would make of it.
	ip link set eth0 gso_max_segs 1 || fail "no segments of their own";;
first) keys="first_us_1 first_us_5";;
rr) keys=transactions_per_s;;
esac
[ "$CASE" = rr ] || modprobe sch_netem || fail "no sch_netem"
until timeout 5 "$echo" rate $host 5001 100 >/dev/null 2>&1; do sleep 0.5; done
alternate
