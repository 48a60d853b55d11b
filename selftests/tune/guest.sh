#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Makes calls whenever the host's script asks for them. A guest script for lab run --modules
# pvx_host,pvx_host_yield: with --guest-cpus 1 and nothing of ours in the guest, there are no
# other calls.
params=/sys/module/pvx_abitest/parameters
debugfs=/sys/kernel/debug/pvx_abitest
host=$PVX_OUT/../host

insmod "$PVX_BUILD/selftests/abi/pvx_abitest.ko" || exit
# Negotiate, with version 1, directed yield.
echo 0x50565800 >$params/nr && echo 1 >$params/a0 && echo 1 >$params/a1 || exit
[ "$(cat $debugfs/call)" = ret=1 ] || exit
# To nobody, if not said otherwise.
echo "${TARGET:-200}" >$params/target && echo 3000 >$params/flood_ms || exit

# To wait without a process, which would be most of what an idle guest does.
exec {never}<> <(:)
n=1
touch "$PVX_OUT/begun"
until [ -e "$host/through" ]; do
	if [ -e "$host/ask.$n" ]; then
		taskset -c 0 cat $debugfs/flood >"$PVX_OUT/flood.new" || exit
		mv "$PVX_OUT/flood.new" "$PVX_OUT/flood.$n"
		n=$((n + 1))
	fi
	read -rt 0.5 -u $never
done
exit 0
