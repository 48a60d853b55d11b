# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Steal, made for real: a hog of a real-time class takes the host CPU that a
# vCPU runs on, in bursts. For host scripts, to be sourced.
guest_pid() { cat "/run/guests/guest${1:-1}.pid"; }

# vcpu_thread VCPU: the thread that runs it; pinned threads are named by QEMU.
vcpu_thread() {
	local task
	for task in /proc/"$(guest_pid)"/task/*; do
		[ "$(cat "$task/comm")" != "CPU $1/KVM" ] || { echo "${task##*/}"; return; }
	done
	return 1
}

# pin_vcpu VCPU CPU OTHERS: the vCPU alone on a host CPU, all else of the VMM
# on another.
pin_vcpu() {
	taskset -apc "$3" "$(guest_pid)" >/dev/null
	taskset -pc "$2" "$(vcpu_thread "$1")" >/dev/null
}

# burst CPU MILLISECONDS: nobody below a real-time class runs there.
burst() {
	taskset -c "$1" chrt -f 60 timeout "$(printf '%d.%03d' $(($2 / 1000)) $(($2 % 1000)))" \
		chrt -f 50 sh -c 'while :; do :; done'
	:
}

# Hogs may take all of a CPU.
echo -1 >/proc/sys/kernel/sched_rt_runtime_us
