# SPDX-License-Identifier: GPL-2.0
#
# Host's part of the hypercall case: unloads and loads our modules as the guest
# asks, until the laboratory ends it. Both levels see the folder of turns.
set -u
turns=/run/pvx/out/turns
turn=0

answer() {
	echo "$1" >"$turns/done.new"
	mv "$turns/done.new" "$turns/done"
}

unload() {
	[ ! -d /sys/module/pvx_host ] || rmmod pvx_host_yield pvx_host
}

load_from() { # FOLDER
	unload && insmod "$1/host/pvx_host.ko" default_features=0x7fffffffffffffff &&
		insmod "$1/host/pvx_host_yield.ko"
}
load() { load_from "$PVX_BUILD"; }
load_untraced() { load_from "$PVX_BUILD-untraced"; }

while :; do
	wanted=$turn state=
	read -r wanted state 2>/dev/null <"$turns/want"
	if [ "${wanted:-$turn}" -gt "$turn" ]; then
		"$state" || { answer "failed cannot $state the host modules"; exit 1; }
		turn=$wanted
		answer "$turn"
	fi
	sleep 0.5
done
