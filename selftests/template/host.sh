#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The operator's part of guest.sh: does step by step what that asks for.
. /run/pvx/guests
pvxctl=$PVX_TOP/build/pvxctl/pvxctl
parameters=/sys/module/pvx_host_template/parameters
guest=$PVX_OUT/../guest1

pid() { cat "$PVX_RUN/guest1.pid"; }
load() { insmod "$PVX_BUILD/selftests/template/pvx_host_template.ko"; }
# All that is loaded, which is this one feature.
grant() { "$pvxctl" grant --pid "$(pid)" all; }
show() { grep -q '^template_sum=[1-9]' /sys/kernel/debug/pvx_host/*/features; }
refuse() { echo 0 >$parameters/calls_per_s; }
allow() { echo 1000 >$parameters/calls_per_s; }
revoke() { "$pvxctl" revoke --pid "$(pid)" all; }
# Not what others depend on, as long as they are there.
unload() { ! rmmod pvx_host && rmmod pvx_host_template; }

for step in load grant show refuse allow revoke grant-again unload load-again; do
	until [ -e "$guest/ask.$step" ]; do sleep 0.2; done
	${step%-again}
	echo $? >"$PVX_OUT/status.new" && mv "$PVX_OUT/status.new" "$PVX_OUT/did.$step"
done
