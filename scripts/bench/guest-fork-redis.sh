# SPDX-License-Identifier: GPL-2.0
#
# Guest's part of the fork case with Redis: what clients wait for while it saves.
. "$PVX_TOP/scripts/bench/guest-fork-common.sh"
dir=/run/redis
# Clients are as many as redis-benchmark's manual has it, and pipeline as it proposes, through a
# socket of the file system: the rest would be TCP's time, which is long where it is emulated.
KEYS=260000 BYTES=1000 REQUESTS=100000 CLIENTS=50 PIPELINE=16
# Of so many saves under requests the median counts: a machine that others use, too, makes one
# alone wait for anything.
SAVES=3
# The server has a CPU for itself, as its manual proposes it; what saves and what asks share the other.
# Clients are elsewhere otherwise, so they do not wait for a CPU that who saves has.
SERVER_CPU=0 OTHER_CPU=1 SAVER_NICE=19
# Where it saves to; a file system on a disk that writes so many MB in a second.
disk=/sys/kernel/config/nullb/nullb0 MBPS=16

make_disk() {
	modprobe null_blk nr_devices=0 && modprobe ext4 || return
	mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config || return
	# A request of more than what it does in 10 ms would never be done.
	mkdir $disk && echo 320 >$disk/size && echo 1 >$disk/memory_backed && echo $MBPS >$disk/mbps &&
		echo 128 >$disk/max_sectors && echo 1 >$disk/power || return
	mkfs.ext4 -q -O ^has_journal /dev/nullb0 && mount -t ext4 /dev/nullb0 $dir/disk
}
mkdir -p $dir/disk && make_disk || fail "no disk"
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
	"${run[@]}" $dir/redis-server --port 7000 --unixsocket $dir/socket --save '' \
		--dir $dir/disk --rdbcompression no --server_cpulist $SERVER_CPU --bgsave_cpulist $OTHER_CPU \
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

save() {
	local reply
	reply=$(cli bgsave) && [[ $reply == *started* ]] || fail "BGSAVE: $reply"
	renice -n $SAVER_NICE -p "$(pgrep -P $server)" >/dev/null || fail "who saves cannot be niced"
}
saves() { [ "$(info persistence rdb_bgsave_in_progress)" = 1 ]; }
wait_saved() {
	local i
	for i in $(seq 1200); do
		saves || break
		sleep 0.2
	done
	! saves && [ "$(info persistence rdb_last_bgsave_status)" = ok ] || fail "BGSAVE fails"
}

# With what it tells of its progress, before carriage returns.
benchmark() { # REQUESTS
	taskset -c $OTHER_CPU redis-benchmark -s $dir/socket -t set -n "$1" -r $KEYS -d $BYTES \
		-c $CLIENTS -P $PIPELINE --precision 3 2>/dev/null
}

# While it saves: the distribution of the times that requests took, as redis-benchmark says
# it, and how many there were in a second.
requests_while_saving() {
	benchmark $REQUESTS >$dir/benchmark
	saves || fail "the save ended first: $(info persistence rdb_last_bgsave_status), $(info persistence rdb_last_bgsave_time_sec) s"
	tr '\r' '\n' <$dir/benchmark | awk '$1 ~ /%$/ && $2 == "<=" {
			for (p in at)
				if ($1 + 0 >= at[p] && !(p in found)) { found[p] = 1; print p "=" $3 * 1000 }
		}
		BEGIN { at["p50"] = 50; at["p99"] = 99; at["p999"] = 99.9 }
		$1 == "throughput" { print "throughput=" $3 }'
}

# The RDB has what the server had when it forked.
check_rdb() { # DIGEST
	local second
	$dir/redis-server --port 7001 --save '' --dir $dir/disk --enable-debug-command yes >/dev/null 2>&1 & second=$!
	until [ "$(redis-cli -p 7001 ping 2>/dev/null)" = PONG ]; do
		kill -0 $second 2>/dev/null || fail "the RDB does not load"
		sleep 0.2
	done
	[ "$(redis-cli -p 7001 debug digest)" = "$1" ] && [ -n "$1" ] || fail "the RDB has another digest"
	redis-cli -p 7001 shutdown nosave >/dev/null 2>&1
	wait $second
	rm $dir/disk/dump.rdb
}

# key=value lines: of each key the median.
medians() {
	sort -t= -k1,1 -k2,2n | awk -F= '
		$1 != key { tell(); key = $1; n = 0 }
		{ values[++n] = $2 }
		END { tell() }
		function tell() { if (n) print key "=" values[int((n + 1) / 2)] }'
}

save_under_requests() {
	save
	requests_while_saving || fail "no requests"
	echo "fork_us=$(info stats latest_fork_usec)"
}

# The first ones are ended when they have been measured, the last one writes all that there is.
saves_under_requests() {
	local i
	for i in $(seq $((SAVES - 1))); do
		save_under_requests
		# By this signal a save is ended, and has not failed.
		pkill -USR1 -P $server
		wait_saved
	done
	# Nobody writes in between.
	digest=$(cli debug digest)
	save_under_requests
	wait_saved
	echo "save_s=$(info persistence rdb_last_bgsave_time_sec)"
}

measure() { # PAIR ARM
	local digest
	begin "$2"
	# All programs are loaded then.
	benchmark 1000 >/dev/null
	saves_under_requests >$dir/got
	medians <$dir/got | record "$1" "$2"
	record_counters "$1" "$2"
	[ "$2" = stock ] || { copied_by_host &&
		[ "$(recorded "$1" pvx privatised)" -ge $((SAVES * KEYS * BYTES / 4096)) ]; } ||
		fail "it was hardly privatised by the host"
	check_rdb "$digest"
	end
}

report() {
	local key
	for key in p50 p99 p999 throughput fork_us save_s; do
		printf '%s %s and %s, ' $key "$(recorded "$1" stock $key)" "$(recorded "$1" pvx $key)"
	done
	printf 'privatised %s of %s forks\n' "$(recorded "$1" pvx privatised)" "$(recorded "$1" pvx forks)"
}

for program in redis-check-rdb redis-benchmark redis-cli mkfs.ext4 taskset renice pgrep pkill; do
	command -v $program >/dev/null || fail "$program is missing (run scripts/setup)"
done
use_all_memory_once
alternate
