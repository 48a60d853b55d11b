# SPDX-License-Identifier: GPL-2.0
#
# Guest's part of the cases of pvxtune: loads with all parameters at their defaults, and with
# pvxtune, which knows nothing of them.
. "$PVX_TOP/scripts/bench/guest-common.sh"
counters=/sys/kernel/debug/pvx_guest/ksm
disk=/run/disk
tuner=

arm_stock() {
	[ -z "$tuner" ] || { kill "$tuner" && wait "$tuner"; } || fail "pvxtune has ended by itself"
	tuner=
}
arm_pvx() {
	arm_stock
	"$PVX_TOP/build/tune/pvxtune" >>"$PVX_OUT/decisions" 2>&1 & tuner=$!
}

# A hot spinlock of the kernel.
locks() { "$PVX_TOP/build/selftests/tune/work" 4 "$MS"; }

announced() { sed -n 's/^announced=//p' $counters; }
# A disk is read whose content is new; its pages can be found, and nothing else is done.
pages() {
	local before
	head -c 64M /dev/urandom >$disk/image && echo 1 >/proc/sys/vm/drop_caches &&
		cat /dev/loop0 >/dev/null || fail "the disk cannot be read"
	before=$(announced)
	sleep "$((MS / 1000))"
	echo "found=$(($(announced) - before))"
}

measure() { # PAIR ARM
	local got
	got=$(locks && { [ "$CASE" != tune-phases ] || pages; }) || fail "the load did not run"
	record "$1" "$2" <<<"$got"
}

report() {
	local key
	for key in ops found; do
		[ "$CASE $key" != "tune-steady found" ] || continue
		echo "$key $(quotient "$(recorded "$1" pvx $key)" "$(recorded "$1" stock $key)")"
	done | paste -sd' '
}

mkdir -p $disk && mount -t tmpfs disk $disk && head -c 64M /dev/zero >$disk/image || exit
# What was read of it is kept as long as somebody has it open.
modprobe loop && losetup -r /dev/loop0 $disk/image && exec 9</dev/loop0 || exit
[ -x "$PVX_TOP/build/tune/pvxtune" ] || fail "pvxtune was not built: it needs clang, bpftool and libbpf-dev"
alternate
arm_stock
