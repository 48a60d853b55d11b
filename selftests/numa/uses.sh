# SPDX-License-Identifier: GPL-2.0
#
# PVX_HC_NUMA with any entries. Sourced by guest scripts.
. "$PVX_TOP/selftests/lib/call.sh"
numa=0x50565840 group=0xffffffff

list() { # VCPU BLOCK WEIGHT RESERVED...: puts that into the buffer
	local words=()
	while [ $# -gt 0 ]; do
		words+=($(($2 << 32 | $1)) $(($4 << 32 | $3)))
		shift 4
	done
	u64s "${words[@]}" | dd of=$buffer conv=notrunc status=none
}
