# SPDX-License-Identifier: GPL-2.0
#
# Calling PVX_HC_KSM from a shell, with any words. Sourced by guest scripts.
params=/sys/module/pvx_abitest/parameters
ksm=0x50565820 negotiate=0x50565800 withdrawn=0 text=1 constant=3
insmod "$PVX_BUILD/selftests/abi/pvx_abitest.ko" || exit
insmod "$PVX_BUILD/selftests/ksm/pvx_ksmtest.ko" || exit
gpa=$(cat /sys/kernel/debug/pvx_ksmtest/gpa)

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
	local value i
	for value in "$@"; do
		for i in 0 8 16 24 32 40 48 56; do
			printf "\\x$(printf %02x $(((value >> i) & 255)))"
		done
	done
}

# hints RET WORD...: the call with these words
hints() {
	local want=$1
	shift
	u64s "$@" >/sys/kernel/debug/pvx_ksmtest/buffer
	answers "$want" $ksm "$gpa" $#
}
run() { # PAGES WHAT: the run's second word
	echo $(($1 | $2 << 32))
}
