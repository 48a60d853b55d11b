# SPDX-License-Identifier: GPL-2.0
#
# Guest's part of the fork case with Redis: what clients wait for while it saves.
. "$PVX_TOP/scripts/bench/guest-common.sh"
arm_module=$PVX_BUILD/guest/pvx_guest_fork.ko
counters=/sys/kernel/debug/pvx_guest/fork
dir=/run/redis
KEYS=260000 BYTES=1000 REQUESTS=20000 CLIENTS=8 DELAY=-8

mkdir -p $dir || fail "no room for Redis"
ip link set lo up
# Debian has the server under this name, too, in a package that starts no service.
ln -sf "$(command -v redis-check-rdb)" $dir/redis-server
cli() { redis-cli -p 7000 "$@"; }
info() { cli info "$1" | tr -d '\r' | awk -F: -v key="$2" '$1 == key { print $2 }'; }

# The keys that redis-benchmark writes to, so that it writes to what there is.
populate() {
	awk -v n=$KEYS -v bytes=$BYTES 'BEGIN {
		for (value = "x"; length(value) < bytes; value = value value)
			;
		value = substr(value, 1, bytes)
		for (i = 0; i < n; i++)
			printf "*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$%d\r\n%s\r\n", i, bytes, value
	}' | cli --pipe >/dev/null
}

begin() { # ARM
	local run=()
	[ "$1" = stock ] || run=("$PVX_TOP/build/fork/pvx-fork-run" --threshold 1M --)
	"${run[@]}" $dir/redis-server --port 7000 --save '' --dir $dir --rdbcompression no \
		--enable-debug-command yes >$dir/log 2>&1 & server=$!
	until [ "$(cli ping 2>/dev/null)" = PONG ]; do
		kill -0 $server 2>/dev/null || fail "Redis does not start"
		sleep 0.2
	done
	populate && [ "$(cli dbsize)" -eq $KEYS ] || fail "Redis does not take its keys"
}
end() {
	cli shutdown nosave >/dev/null 2>&1
	wait $server
}

load() { # until it is killed
	exec redis-benchmark -p 7000 -t set -n 100000000 -r $KEYS -d $BYTES -c 8 >/dev/null 2>&1
}
saves() { [ "$(info persistence rdb_bgsave_in_progress)" = 1 ]; }
wait_saved() {
	local i
	for i in $(seq 1200); do
		saves || break
		sleep 0.2
	done
	[ "$(info persistence rdb_last_bgsave_status)" = ok ] || fail "BGSAVE fails"
}

# As if to a disk that writes some 9 MB in a second: else it is over before anything can be
# told, and its CPU is the clients' as much as the faults'.
slowly() { cli config set rdb-key-save-delay "$1" >/dev/null || fail "the save's pace cannot be set"; }

benchmark() { # REQUESTS
	redis-benchmark -p 7000 -t set -n "$1" -r $KEYS -d $BYTES -c $CLIENTS --precision 3 2>/dev/null |
		tr '\r' '\n'
}

# While it saves: the distribution of the times that requests took, as redis-benchmark says
# it, and how many there were in a second.
requests_while_saving() {
	local reply
	slowly $DELAY
	# All programs are loaded then.
	benchmark 1000 >/dev/null
	reply=$(cli bgsave)
	[[ $reply == *started* ]] || fail "BGSAVE: $reply"
	benchmark $REQUESTS >$dir/benchmark
	saves || fail "the save ended first: $(info persistence rdb_last_bgsave_status), $(info persistence rdb_last_bgsave_time_sec) s"
	slowly 0
	awk '$1 ~ /%$/ && $2 == "<=" {
			for (p in at)
				if ($1 + 0 >= at[p] && !(p in found)) { found[p] = 1; print p "=" $3 * 1000 }
		}
		BEGIN { at["p50"] = 50; at["p99"] = 99; at["p999"] = 99.9 }
		$1 == "throughput" { print "throughput=" $3 }' $dir/benchmark
	wait_saved
	echo "fork_us=$(info stats latest_fork_usec)"
	echo "save_s=$(info persistence rdb_last_bgsave_time_sec)"
}

# What the RDB has is what the server had when it forked: both commands come in one go, so
# that nothing comes in between.
check_rdb() {
	local digest loader second
	load & loader=$!
	digest=$(printf 'DEBUG DIGEST\r\nBGSAVE\r\n' | timeout 300 socat -t 60 - tcp:127.0.0.1:7000 |
		tr -d '\r' | sed -n '1s/^+//p')
	sleep 1
	wait_saved
	kill $loader
	$dir/redis-server --port 7001 --save '' --dir $dir --enable-debug-command yes >/dev/null 2>&1 & second=$!
	until [ "$(redis-cli -p 7001 ping 2>/dev/null)" = PONG ]; do
		kill -0 $second 2>/dev/null || fail "the RDB does not load"
		sleep 0.2
	done
	[ "$(redis-cli -p 7001 debug digest)" = "$digest" ] && [ -n "$digest" ] ||
		fail "the RDB has another digest"
	redis-cli -p 7001 shutdown nosave >/dev/null 2>&1
	wait $second
}

measure() { # PAIR ARM
	begin "$2"
	requests_while_saving >$dir/got || fail "no requests"
	record "$1" "$2" <$dir/got
	record_counters "$1" "$2"
	[ "$2" = stock ] || [ "$(recorded "$1" pvx privatised)" -ge $((KEYS * BYTES / 4096)) ] ||
		fail "it was hardly privatised"
	check_rdb
	end
}

report() {
	local key
	for key in p50 p99 p999 throughput fork_us save_s; do
		printf '%s %s and %s, ' $key "$(recorded "$1" stock $key)" "$(recorded "$1" pvx $key)"
	done
	printf 'privatised %s of %s forks\n' "$(recorded "$1" pvx privatised)" "$(recorded "$1" pvx forks)"
}

for program in redis-check-rdb redis-benchmark redis-cli socat; do
	command -v $program >/dev/null || fail "$program is missing (run scripts/setup)"
done
use_all_memory_once
alternate
