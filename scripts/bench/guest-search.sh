# SPDX-License-Identifier: GPL-2.0
#
# Guest's part of the case of the search's price: reads of cached files, and compilations,
# while pvx_guest_ksm looks for candidates, and while it does not.
. "$PVX_TOP/scripts/bench/guest-common.sh"
permille=/sys/module/pvx_guest_ksm/parameters/permille
files=/run/files

# The machine's pace changes every few seconds, so the arms take turns faster than that.
arm_stock() { echo 0 >$permille; }
arm_pvx() { echo "$PERMILLE" >$permille; }
# Sets searched_us.
look_at_search() {
	local ns rest
	read -r ns rest <"/proc/$thread/schedstat" && searched_us=$((ns / 1000))
}

# per_second NAME AMOUNT COMMAND...: how much of it, when the command does so much
# (AMOUNT times 3600: an hour's)
per_second() {
	local name=$1 amount=$2 begin=${EPOCHREALTIME/./}
	shift 2
	"$@" || fail "$name fails"
	awk -v name="$name" -v amount="$amount" -v us=$((${EPOCHREALTIME/./} - begin)) \
		'BEGIN { printf "%s=%.4f\n", name, amount * 1e6 / us }'
}

read_files() { cat /dev/loop0 >/dev/null; }
compile() { gcc -O1 -c -o $files/out.o $files/program.c; }

# with_search NAME AMOUNT COMMAND...: per_second, and what the search took meanwhile.
with_search() {
	local before
	look_at_search
	before=$searched_us
	per_second "$@"
	look_at_search
	echo "search_us_$1=$((searched_us - before))"
}

measure() { # PAIR ARM ROUND
	{
		with_search reads 64 read_files
		# They take longer; fewer will do.
		(($3 % 4)) || with_search compiles 3600 compile
	} | record "$1" "$2"
}

report() {
	local key
	for key in reads compiles; do
		echo "$key $(quotient "$(recorded "$1" pvx $key)" "$(recorded "$1" stock $key)")," \
			"$(recorded "$1" pvx "search_us_$key") us of them the search's"
	done | paste -sd' '
}

mkdir -p $files && mount -t tmpfs files $files || exit
head -c 64M /dev/urandom >$files/image
modprobe loop && losetup -r /dev/loop0 $files/image || exit
{
	echo '#include <stdio.h>'
	for i in $(seq 25); do
		echo "int f$i(int a, int b) { for (int i = 0; i < b; i++) a += printf(\"%d\", a ^ i); return a; }"
	done
} >$files/program.c
read_files && compile || exit
insmod "$PVX_BUILD/guest/pvx_guest_ksm.ko" permille=0 && thread=$(pgrep -x pvx_ksm) || exit
alternate
