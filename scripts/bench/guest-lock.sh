# SPDX-License-Identifier: GPL-2.0
#
# Guest's part of the lock cases: one hot spinlock, a thread on each vCPU.
. "$PVX_TOP/scripts/bench/guest-common.sh"

bench=/sys/kernel/debug/pvx_locktest/bench
threads=/sys/module/pvx_locktest/parameters/threads

# What comes from the machine's root comes by way of the VMM, and that takes
# host CPU time from the guest. So what runs between measures is in memory.
mem=/dev/shm
cp "$(command -v busybox)" "$arm_module" $mem || fail "busybox is missing (run scripts/setup)"
for applet in awk cat insmod rmmod sleep; do
	ln -s busybox $mem/$applet
done
PATH=$mem:$PATH
arm_module=$mem/pvx_guest_lock.ko

hooks_out() { [[ ! -e $counters || $(<$counters) == *engaged=0* ]]; }

# Loading puts the hooks in; they go when nothing was stolen for a second. That changes
# text, as rmmod does for the other arm, and both begin half a second after.
calm() {
	local i
	for ((i = 0; i < 150; i++)); do
		! hooks_out || break
		sleep 0.1
	done
	sleep 0.5
}

# The stretch is measured against the same guest without overcommit.
set_threads() { # ARM
	local n=4
	[ "$CASE $1" != "stretch stock" ] || n=2
	echo $n >$threads
}

measure() {
	local got
	[ "$CALM" = no ] || calm
	set_threads "$2"
	got=$(cat $bench) || fail "the lock load did not run"
	record "$1" "$2" <<<"$got"
	record_counters "$1" "$2"
}

report() {
	local stock pvx
	stock=$(recorded "$1" stock ops) pvx=$(recorded "$1" pvx ops)
	echo "stock $stock pvx $pvx ratio $(quotient "$pvx" "$stock")"
}

insmod "$PVX_BUILD/selftests/lock/pvx_locktest.ko" ms=$((MS / ROUNDS)) hold=400 gap=400 ||
	fail "cannot load pvx_locktest"
alternate
