# SPDX-License-Identifier: GPL-2.0
#
# Guest's part of the case of the search's price: reads of cached files, and compilations,
# while pvx_guest_ksm looks for candidates, and while it does not.
. "$PVX_TOP/scripts/bench/guest-common.sh"
permille=/sys/module/pvx_guest_ksm/parameters/permille
files=/run/files

# The machine's pace changes every few seconds, so the arms take turns as fast as that. A
# search that is off looks once a second whether it still is.
arm_stock() { echo 0 >$permille && sleep 1.2; }
arm_pvx() { echo "$PERMILLE" >$permille && sleep 1.2; }
searched() { awk '{ print int($1 / 1000) }' "/proc/$thread/schedstat"; }

# per_second NAME AMOUNT COMMAND...: how much of it, when the command does so much
# (AMOUNT times 3600: an hour's)
per_second() {
	local name=$1 amount=$2 begin=${EPOCHREALTIME/./}
	shift 2
	"$@" || fail "$name fails"
	awk -v name="$name" -v amount="$amount" -v us=$((${EPOCHREALTIME/./} - begin)) \
		'BEGIN { printf "%s=%.4f\n", name, amount * 1e6 / us }'
}

read_files() {
	local i
	for i in 1 2 3 4; do cat /dev/loop0 >/dev/null || return; done
}
compile() { gcc -O1 -c -o $files/out.o $files/program.c; }

measure() { # PAIR ARM ROUND
	local before
	before=$(searched)
	{
		per_second reads 256 read_files
		# They take long; a few will do.
		[ "$3" -gt 3 ] || per_second compiles 3600 compile
		echo "search_us=$(($(searched) - before))"
	} | record "$1" "$2"
}

report() {
	local key
	for key in reads compiles; do
		echo "$key $(quotient "$(recorded "$1" pvx $key)" "$(recorded "$1" stock $key)")"
	done | tr '\n' ' '
	echo "us of the search $(recorded "$1" stock search_us) and $(recorded "$1" pvx search_us)"
}

mkdir -p $files && mount -t tmpfs files $files || exit
head -c 64M /dev/urandom >$files/image
modprobe loop && losetup -r /dev/loop0 $files/image || exit
{
	echo '#include <stdio.h>'
	for i in $(seq 100); do
		echo "int f$i(int a, int b) { for (int i = 0; i < b; i++) a += printf(\"%d\", a ^ i); return a; }"
	done
} >$files/program.c
read_files && compile || exit
insmod "$PVX_BUILD/guest/pvx_guest_ksm.ko" permille=0 && thread=$(pgrep -x pvx_ksm) || exit
alternate
