#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# pvx-lock-latency on recordings as perf script prints them, of which the right answers were
# worked out by hand. Needs neither perf nor the laboratory.

here=$(cd "$(dirname "$0")" && pwd)
latency=$here/../../scripts/tune/pvx-lock-latency

# shellcheck source=/dev/null
. "$here/../lib/tap.sh"

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

# tells RECORDING ANSWER: spaces do not count, and it needs no file of perf's
tells() {
	"$latency" - <"$tmp/$1" | tr -s ' ' >"$tmp/said"
	diff -u "$tmp/$2" "$tmp/said"
}

# exits STATUS TEXT ARG...: with a message that has TEXT
exits() {
	want=$1 text=$2
	shift 2
	"$latency" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	got=$?
	[ $got -eq "$want" ] && grep -q -F -- "$text" "$tmp/out" "$tmp/err" && return
	echo "exit status $got"
	cat "$tmp/out" "$tmp/err"
	return 1
}

# Waits of 2, 4, 5, 100 and 500 us. That of 5 is an interrupt's, in that of 100. In that of 100
# a yield comes 52 us before the end, in that of 500 the first of two 400 us before it. A mutex,
# a wait without an end, an end without a wait and a yield without a wait are none.
cat >"$tmp/guest" <<'END'
      locktest/0   201 [000]   100.000001000:    lock:contention_begin: 0xffff888000000010 (flags=SPIN)
      locktest/1   202 [001]   100.000002000:    lock:contention_begin: 0xffff888000000010 (flags=SPIN)
      locktest/0   201 [000]   100.000003000:      lock:contention_end: 0xffff888000000010 (ret=0)
      locktest/1   202 [001]   100.000010000:    lock:contention_begin: 0xffff888000000020 (flags=SPIN)
      locktest/1   202 [001]   100.000015000:      lock:contention_end: 0xffff888000000020 (ret=0)
      locktest/1   202 [001]   100.000050000:     pvx_guest:lock_yield: lock=0xffff888000000010 target=0 status=0
      locktest/1   202 [001]   100.000102000:      lock:contention_end: 0xffff888000000010 (ret=0)
            bash   203 [000]   100.000110000:    lock:contention_begin: 0xffff888000000030 (flags=SPIN|MUTEX)
            bash   203 [000]   100.000120000:      lock:contention_end: 0xffff888000000030 (ret=0)
    a [7] b: c:    204 [000]   100.000200000:    lock:contention_begin: 0xffff888000000020 (flags=SPIN|READ)
    a [7] b: c:    204 [000]   100.000204000:      lock:contention_end: 0xffff888000000020 (ret=0)
            bash   203 [003]   100.000300000:    lock:contention_begin: 0xffff888000000040 (flags=SPIN)
            bash   203 [002]   100.000400000:      lock:contention_end: 0xffff888000000040 (ret=0)
            bash   203 [002]   100.000500000:     pvx_guest:lock_yield: lock=0xffff888000000010 target=0 status=-1000
      locktest/0   201 [000]   100.001000000:    lock:contention_begin: 0xffff888000000010 (flags=SPIN)
      locktest/0   201 [000]   100.001099000: pvx_guest:hypercall_done: nr=0x50565810 a0=0x1 ret=1
      locktest/0   201 [000]   100.001100000:     pvx_guest:lock_yield: lock=0xffff888000000010 target=1 status=1
      locktest/0   201 [000]   100.001300000:     pvx_guest:lock_yield: lock=0xffff888000000010 target=1 status=7
      locktest/0   201 [000]   100.001500000:      lock:contention_end: 0xffff888000000010 (ret=0)
END
cat >"$tmp/guest.told" <<'END'
 count p50 us p90 us p99 us p99.9 us max us
lock wait 5 5.000 500.000 500.000 500.000 500.000
yield to lock 2 52.000 400.000 400.000 400.000 400.000
yields answered: boosted 1 running 1 boosted_far 1 -1000 1
END

# Yields of 60 and 10 us, and one of which the exit is missing. Another call is none. Times are
# in microseconds here, and perf has lost something.
cat >"$tmp/host" <<'END'
       CPU 0/KVM   301 [000]   200.000000:             kvm:kvm_exit: vcpu 0 reason vmmcall rip 0xffffffff81000000 info1 0x0
       CPU 1/KVM   302 [001]   200.000010:             kvm:kvm_exit: vcpu 1 reason vmmcall rip 0xffffffff81000000 info1 0x0
       CPU 1/KVM   302 [001]   200.000020:  pvx_host:hypercall_done: vm=1 vcpu=1 nr=0x50565800 a0=0x1 ret=1
       CPU 0/KVM   301 [001]   200.000060:  pvx_host:hypercall_done: vm=1 vcpu=0 nr=0x50565810 a0=0x1 ret=0
            perf   400 [000]   200.000070: PERF_RECORD_LOST lost 12
       CPU 1/KVM   302 [001]   200.000100:             kvm:kvm_exit: vcpu 1 reason vmmcall rip 0xffffffff81000000 info1 0x0
       CPU 1/KVM   302 [001]   200.000110:  pvx_host:hypercall_done: vm=1 vcpu=1 nr=0x50565810 a0=0x0 ret=1
            perf   400 [000]   200.000120: PERF_RECORD_LOST lost 3
       CPU 2/KVM   303 [000]   200.000130:  pvx_host:hypercall_done: vm=1 vcpu=2 nr=0x50565810 a0=0x0 ret=4
END
cat >"$tmp/host.told" <<'END'
 count p50 us p90 us p99 us p99.9 us max us
yield 2 10.000 60.000 60.000 60.000 60.000
yields answered: boosted 1 running 1 budget 1
perf lost 15 events; what they belong to is missing or wrong
END

# 1000 waits of 1 to 1000 us: each percentile is its own number.
awk 'BEGIN {
	for (i = 1; i <= 1000; i++) {
		printf "x 1 [000] %d.000000000: lock:contention_begin: 0x10 (flags=SPIN)\n", i
		printf "x 1 [000] %d.%06d000: lock:contention_end: 0x10 (ret=0)\n", i, i
	}
}' >"$tmp/many"
cat >"$tmp/many.told" <<'END'
 count p50 us p90 us p99 us p99.9 us max us
lock wait 1000 500.000 900.000 990.000 999.000 1000.000
END

check "a guest's recording" tells guest guest.told
check "a host's recording" tells host host.told
check "percentiles" tells many many.told
check "help" exits 0 "Usage:" --help
check "nothing in it" exits 1 "no wait for a lock and no yield in it" -
check "no such file" exits 1 "cannot be read" "$tmp/none"
check "a bad option" exits 2 "unknown option" --no-such-option
check "one file only" exits 2 "unexpected argument" "$tmp/guest" "$tmp/host"
tap_done
