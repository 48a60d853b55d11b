#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The host's part of dma-guest.sh: has a DMA engine, and does with it what the guest's file
# "fault" says. What the engine copied goes into a file.
guest=$PVX_OUT/../guest1
fault=/sys/module/pvx_dmatest/parameters/fault

by_dma() { sed -n 's/^fork_by_dma=//p' /sys/kernel/debug/pvx_host/*/features 2>/dev/null; }
load() { # WITH
	insmod "$PVX_BUILD/host/pvx_host_fork.ko" copy_with="$1"
}

rmmod pvx_host_fork && insmod "$PVX_BUILD/selftests/fork/pvx_dmatest.ko" && load dma || exit
# The engine's channel is in use.
! rmmod pvx_dmatest 2>/dev/null || exit
while [ ! -e "$guest/end" ]; do
	by_dma >"$PVX_OUT/by_dma.new"
	mv "$PVX_OUT/by_dma.new" "$PVX_OUT/by_dma"
	if [ -e "$guest/fault" ]; then
		mv "$guest/fault" "$PVX_OUT/fault"
		cat "$PVX_OUT/fault" >$fault
		mv "$PVX_OUT/fault" "$PVX_OUT/done"
	fi
	sleep 0.2
done
rmmod pvx_host_fork && rmmod pvx_dmatest && load "" &&
	cat /sys/module/pvx_host_fork/parameters/copy_with >"$PVX_OUT/ended"
