# SPDX-License-Identifier: GPL-2.0
#
# Hypercalls from a shell, with any arguments and any memory. Sourced by guest scripts.
params=/sys/module/pvx_abitest/parameters
buffer=/sys/kernel/debug/pvx_buffer/buffer
negotiate=0x50565800
insmod "$PVX_BUILD/selftests/abi/pvx_abitest.ko" || exit
insmod "$PVX_BUILD/selftests/lib/pvx_buffer.ko" || exit
gpa=$(cat /sys/kernel/debug/pvx_buffer/gpa)
# All below the hole for devices; at its end are some tables of the firmware's.
memory=$(awk -F '[- :]+' '/System RAM/ { end = $2 } END { print end }' /proc/iomem)
memory=$(((0x$memory / 0x100000 + 1) * 0x100000 / 4096))

# answers RET NR [A0..A3]
answers() {
	local want=$1 got i
	shift
	echo "$1" >$params/nr
	for i in 0 1 2 3; do echo "${@:$((i + 2)):1}" >$params/a$i 2>/dev/null || echo 0 >$params/a$i; done
	got=$(cat /sys/kernel/debug/pvx_abitest/call)
	echo "$got"
	[ "$got" = "ret=$want" ]
}

# u64s VALUE...: as they stand in memory
u64s() {
	local value i byte
	for value in "$@"; do
		for i in 0 8 16 24 32 40 48 56; do
			printf -v byte '\\x%02x' $(((value >> i) & 255))
			printf "$byte"
		done
	done
}
