# SPDX-License-Identifier: GPL-2.0
#
# The host's part of TCP to the host: what it sends to guest 1 takes 40 ms, as on a way
# through a network. So most of the time something of each connection waits for its
# acknowledgement, and a burst meets that, though guest and path have much to spare.
delay() {
	until [ -e /sys/class/net/tap1 ]; do sleep 0.2; done
	modprobe sch_netem && tc qdisc add dev tap1 root netem delay 40ms limit 10000
}

(delay || { echo "cannot delay what is sent to guest 1"; kill $$; }) &
. "$PVX_TOP/selftests/timer/tcp-host.sh"
