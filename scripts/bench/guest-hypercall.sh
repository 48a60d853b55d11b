# SPDX-License-Identifier: GPL-2.0
#
# Guest's part of the cases hypercall and tune-off: how long a call takes, ours and a stock
# one, while the host unloads and loads its modules, or those that were built without
# tracepoints (host-hypercall.sh).
. "$PVX_TOP/scripts/bench/guest-common.sh"
set -o pipefail

module=$PVX_BUILD/selftests/abi/pvx_abitest.ko
turns=/run/pvx/out/turns
turn=0
# 0, and -KVM_ENOSYS.
declare -A nop_answer=([pvx]=0 [stock]=-1000)
without=unload
[ "$CASE" != tune-off ] || without=load_untraced nop_answer[stock]=0

# host_turn STATE: the host does so, then answers with the number of the turn.
host_turn() {
	local i answer
	turn=$((turn + 1))
	echo "$turn $1" >"$turns/want.new"
	mv "$turns/want.new" "$turns/want"
	for ((i = 0; i < 300; i++)); do
		answer=
		read -r answer 2>/dev/null <"$turns/done"
		case $answer in
		"$turn") sleep 1; return;;
		failed*) fail "on the host: ${answer#failed }";;
		esac
		sleep 0.2
	done
	fail "the host did not answer"
}

arm_stock() { host_turn $without; }
arm_pvx() { host_turn load; }

# The least of ten medians: the laboratory's pace changes every few seconds by half,
# and what a call costs is what it costs at full pace. All looks must be answered alike.
least() {
	local look
	for look in $(seq 10); do
		cat /sys/kernel/debug/pvx_abitest/bench || return
		sleep 0.3
	done | awk -F= -v OFS== '
		/_ret=/ && $1 in least && $2 != least[$1] { exit failed = 1 }
		!($1 in least) || $2 < least[$1] { least[$1] = $2 }
		END {
			if (failed)
				exit failed
			for (key in least)
				print key, least[key]
		}'
}

measure() {
	local got
	got=$(least) || fail "the hypercall measure did not run, or its answers changed"
	record "$1" "$2" <<<"$got"
	# Else it is not the no-op that was timed, or not stock KVM.
	[ "$(recorded "$1" "$2" nop_ret)" = "${nop_answer[$2]}" ] ||
		fail "the $2 arm's no-op answered $(recorded "$1" "$2" nop_ret), not ${nop_answer[$2]}"
}

report() {
	local stock pvx nop
	if [ "$CASE" = tune-off ]; then
		stock=$(recorded "$1" stock nop_ns) pvx=$(recorded "$1" pvx nop_ns)
		echo "no-op ${stock} ns without tracepoints, ${pvx} ns with ratio $(quotient "$pvx" "$stock")"
		return
	fi
	stock=$(recorded "$1" stock vapic_ns) pvx=$(recorded "$1" pvx vapic_ns) nop=$(recorded "$1" pvx nop_ns)
	echo "stock call ${stock} ns, with hook ${pvx} ns ratio $(quotient "$pvx" "$stock"), no-op ${nop} ns ratio $(quotient "$nop" "$pvx")"
}

[ -e "$module" ] || fail "no $module"
mkdir -p "$turns" || fail "cannot write $turns"
insmod "$module" || fail "cannot load pvx_abitest"
alternate
