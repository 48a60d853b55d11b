# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Steal, made for real: a hog of a real-time class takes the host CPUs that vCPUs
# run on, in bursts. To be sourced by host scripts; guests ask for bursts by
# what is in bursts-guest.sh.
#
# vCPU 0 of guest N runs on host CPU N, which the bursts take. vCPU 1, if there is
# one, runs on the first that they do not take, and all else of the VMMs on CPU 0.

. /run/pvx/config	# GUESTS, GUEST_CPUS

guest_pid() { cat "/run/guests/guest$1.pid"; }

# vcpu_thread GUEST VCPU: the thread that runs it; QEMU names its threads.
vcpu_thread() {
	local task
	for task in /proc/"$(guest_pid "$1")"/task/*; do
		[ "$(cat "$task/comm")" != "CPU $2/KVM" ] || { echo "${task##*/}"; return; }
	done
	return 1
}

pin_vcpu() { taskset -pc "$3" "$(vcpu_thread "$1" "$2")" >/dev/null; } # GUEST VCPU CPU

pin_guests() {
	local n
	for n in $(seq "$GUESTS"); do
		taskset -apc 0 "$(guest_pid "$n")" >/dev/null && pin_vcpu "$n" 0 "$n" || return
		[ "$GUEST_CPUS" -eq 1 ] || pin_vcpu "$n" 1 $((GUESTS + 1)) || return
	done
}

# The caller steals nothing itself: it goes to a CPU without vCPUs, if there is one.
stand_aside() {
	local cpu=$((GUESTS + (GUEST_CPUS > 1) + 1))
	[ -d "/sys/devices/system/cpu/cpu$cpu" ] || cpu=0
	taskset -pc $cpu $BASHPID >/dev/null
}

# Real-time tasks may take all of a CPU.
allow_hogs() {
	local server
	echo -1 >/proc/sys/kernel/sched_rt_runtime_us
	for server in /sys/kernel/debug/sched/fair_server/cpu*/runtime; do
		# It refuses what it has.
		[ ! -e "$server" ] || [ "$(cat "$server")" = 0 ] || echo 0 >"$server"
	done
}

sent() { echo "$(</sys/class/net/tap"$1"/statistics/rx_bytes)"; }

# wait_sent GUEST MIB: until the guest has sent so much, but not for ever.
wait_sent() {
	local until=$(($(sent "$1") + ($2 << 20))) tries
	for ((tries = 0; tries < 600; tries++)); do
		[ "$(sent "$1")" -lt $until ] || return 0
		sleep 0.05
	done
}

still_sends() { # GUEST
	local before
	before=$(sent "$1")
	sleep 0.2
	[ "$(sent "$1")" -gt $((before + (64 << 10))) ]
}

# bursts TURN COUNT LEAST MOST SEED: takes the vCPUs' CPUs, and notes when each burst began
# and ended, in seconds.
bursts() {
	"$PVX_TOP/build/selftests/timer/hog" "$2" "$3" "$4" "$5" $(seq "$GUESTS") |
		sed -u "s/^/$1 /" >>"$PVX_OUT/bursts"
}

# serve_bursts: does what guests ask for, until the run ends. Notes which turns took
# longer than what was to be sent under them.
serve_bursts() {
	local asked answered= n
	while sleep 0.05; do
		for n in $(seq "$GUESTS"); do
			read -r -a asked 2>/dev/null <"$PVX_OUT/../guest$n/bursts.want" || continue
			[ "$n ${asked[0]}" != "$answered" ] || continue
			answered="$n ${asked[0]}"
			[ "${asked[5]}" = 0 ] || wait_sent "$n" "${asked[5]}"
			bursts "${asked[@]}"
			[ "${asked[5]}" = 0 ] || still_sends "$n" || echo "${asked[0]}" >>"$PVX_OUT/bursts.outlasted.$n"
			echo "${asked[0]}" >"$PVX_OUT/bursts.done.$n"
		done
	done
}

# What a host script that only makes bursts does.
bursts_main() {
	local n
	for n in $(seq "$GUESTS"); do
		until [ -e "$PVX_OUT/../guest$n/ready" ]; do sleep 0.2; done
	done
	allow_hogs
	pin_guests || { echo "cannot pin the guests"; exit 1; }
	stand_aside
	serve_bursts
}
