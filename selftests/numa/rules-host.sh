#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Keeps a guest's two vCPUs on the nodes of the host that rules.sh asks for.
guests=1
. "$PVX_TOP/selftests/ksm/ask-host.sh"
. "$PVX_TOP/selftests/numa/vcpus.sh"

for nodes in "0 0" "0 1"; do
	until grep -qsx "$nodes" /run/pvx/out/guest1/nodes; do sleep 0.2; done
	allow 1 0 "$(node_cpus "${nodes% *}")" && allow 1 1 "$(node_cpus "${nodes#* }")" || exit
	echo "$nodes" >"$PVX_OUT/nodes.new" && mv "$PVX_OUT/nodes.new" "$PVX_OUT/nodes"
done
