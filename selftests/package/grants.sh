# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced: VMs, the host's modules, and what is granted.
. /run/pvx/config	# IDLE_VM
conf=/etc/kvm-pvx.conf
features=(yield ksm)

# start NAME [COMMAND...]: a VM, run by COMMAND; sets $vm. A VMM without -name is called what its
# process is.
start() {
	cp "$IDLE_VM" "/tmp/$1"
	"${@:2}" "/tmp/$1" >/dev/null & vm=$!
	until pvxctl show --pid "$vm" >/dev/null 2>&1 || ! kill -0 $vm; do sleep 0.2; done
}
load() {
	local feature
	insmod "$PVX_BUILD/host/pvx_host.ko" || return
	for feature in "${features[@]}"; do
		insmod "$PVX_BUILD/host/pvx_host_$feature.ko" || return
	done
}
unload() { # until pvxctl lets go of the device
	local i
	for i in $(seq 50); do
		rmmod "${features[@]/#/pvx_host_}" 2>/dev/null
		rmmod pvx_host 2>/dev/null
		grep -q '^pvx_host' /proc/modules || return 0
		sleep 0.1
	done
	return 1
}

field() { pvxctl "$1" --pid "$2" | awk -v field="$3" '$1 == field { print $2 }'; }
granted() { # PID FEATURES
	[ "$(field show "$1" granted)" = "$2" ]
}
