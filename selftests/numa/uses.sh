# SPDX-License-Identifier: GPL-2.0
#
# PVX_HC_NUMA with any entries. Sourced by guest scripts.
. "$PVX_TOP/selftests/lib/call.sh"
numa=0x50565840 group=0xffffffff heaviest=65535

list() { # VCPU BLOCK WEIGHT RESERVED...: puts that into the buffer, into page $at
	local words=()
	while [ $# -gt 0 ]; do
		words+=($(($2 << 32 | $1)) $(($4 << 32 | $3)))
		shift 4
	done
	u64s "${words[@]}" | dd of=$buffer bs=4096 seek="${at:-0}" conv=notrunc status=none
}

# Blocks of 16 MiB that are mostly memory of one of these groups of begin.sh, and of which.
find_blocks() { # GROUP...
	local g
	for g in "$@"; do
		od -A n -v -t u8 -w8 "$PVX_OUT/gfns.$g" |
			awk -v g="$g" '{ n[int($1 / 4096)]++ } END { for (b in n) if (n[b] > 2048) print b, g }'
	done | sort -n >/run/blocks
}
# claim GROUP...: puts into the buffer that vCPU 0, 1 and so on use these groups' memory and
# none of the others', true or not. Sets claimed, how many entries that takes.
claim() {
	local vcpu=0 g block whose entries=()
	for g in "$@"; do
		while read -r block whose; do
			entries+=("$vcpu" "$block" $((whose == g ? heaviest : 0)) 0)
		done </run/blocks
		vcpu=$((vcpu + 1))
	done
	list "${entries[@]}"
	claimed=$((${#entries[@]} / 4))
}
