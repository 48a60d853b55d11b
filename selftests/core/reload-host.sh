#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Loads and unloads the host's modules while guests call: see reload-guest.sh.
cycles=${RELOAD_CYCLES:-10}
# However it ends, the guest does not wait for it.
trap 'echo $? >"$PVX_OUT/through.new"; mv "$PVX_OUT/through.new" "$PVX_OUT/through"' EXIT
# The first calls find the host's modules.
until [ -s "$PVX_OUT/../guest1/flood" ]; do sleep 0.2; done
for i in $(seq "$cycles"); do
	rmmod pvx_host_yield && rmmod pvx_host &&
		insmod "$PVX_BUILD/host/pvx_host.ko" default_features=1 &&
		insmod "$PVX_BUILD/host/pvx_host_yield.ko" || exit 1
	sleep 0.05
	echo "$i cycles"
done
