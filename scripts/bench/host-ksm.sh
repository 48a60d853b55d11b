# SPDX-License-Identifier: GPL-2.0
#
# The KSM cases: how fast, and at what price, ksmd merges what guests of one image have
# in common. Both arms run on the same guests, one after the other: stock, where the VMM
# says that all of their memory may be merged, and kvm-pvx, where that is what the guests
# announce. In between KSM forgets everything.

# What the guests have in common, and what each has alone.
FILES_MIB=8 OWN_MIB=96
guests=$(seq -s ' ' "$GUESTS")
. "$PVX_TOP/scripts/bench/host-common.sh"
ksmd=$(pgrep -x ksmd)

# --- the VMM ---------------------------------------------------------------

set_merge() { # true|false: may all of the guests' memory be merged?
	local n
	for n in $guests; do
		qmp "$n" '{"execute":"qom-set","arguments":{"path":"/objects/ram","property":"merge","value":'"$1"'}}' >/dev/null ||
			fail "guest $n: cannot set merge=$1"
	done
}

vmas() { cat $(for n in $guests; do echo "/proc/$(pid "$n")/maps"; done) | wc -l; }

# --- ksmd ------------------------------------------------------------------

# Before 6.6 KSM does not count the pages that it looks at: they are pages_to_scan each time
# that ksmd wakes up, or fewer where it came to the end of them all.
looks() {
	if [ -e $ksm/pages_scanned ]; then
		cat $ksm/pages_scanned
	else
		awk '$1 == "voluntary_ctxt_switches:" { print $2 }' "/proc/$ksmd/status"
	fi
}
scanned() { # LOOKS before
	local n=$(($(looks) - $1))
	[ -e $ksm/pages_scanned ] || n=$((n * $(cat $ksm/pages_to_scan)))
	echo $n
}
ksmd_us() { awk '{ print int($1 / 1000) }' "/proc/$ksmd/schedstat"; }
sharing() { cat $ksm/pages_sharing; }

# --- the arms --------------------------------------------------------------

begin_stock() {
	set_merge true
	echo 1 >$ksm/run
}
end_stock() { set_merge false; }

begin_pvx() {
	"$PVX_TOP/scripts/tune/pvx-ksmd" --interval 1 & helper=$!
	ask 30 "on $PERMILLE" || fail "a guest does not load its module"
}
end_pvx() { # PAIR
	local n
	ask 30 flags || fail "a guest does not say what its pages are"
	"$PVX_TOP/build/selftests/ksm/oracle" $(for n in $guests; do
		echo "$(pid "$n"):$(hva "$n"):/run/pvx/out/guest$n/kpageflags"
	done) >"$PVX_OUT/oracle" || fail "no oracle"
	record_all "$1" pvx <"$PVX_OUT/oracle"
	record "$1" pvx vmas $(($(vmas) - vmas_before))
	kill $helper && wait $helper
	ask 30 off || fail "a guest does not unload its module"
	for n in $guests; do answer "$n" | record_all "$1" pvx; done
}

begin_off() { echo 1 >$ksm/run; }
end_off() { :; }

is_stopped() {
	local run
	read -r run <$ksm/run
	[ "$run" = 0 ]
}

# Each second, what has been saved so far, until ksmd has been stopped for a while.
watch() { # PAIR ARM BEGIN
	local begin=$3 now=0 merging=$3
	while [ $now -lt "$WINDOW" ]; do
		guests_run || fail "a guest has ended"
		record "$1" "$2" saved "$(sharing)	$now"
		[ "$(sharing)" -gt 0 ] && is_stopped || merging=$SECONDS
		[ $((SECONDS - merging)) -lt 30 ] || break
		sleep 1
		now=$((SECONDS - begin))
	done
}

measure() { # PAIR ARM
	local looked us begin
	echo 2 >$ksm/run
	looked=$(looks) us=$(ksmd_us) vmas_before=$(vmas) begin=$SECONDS
	"begin_$2"
	watch "$1" "$2" "$begin"
	record "$1" "$2" scanned "$(scanned "$looked")"
	record "$1" "$2" ksmd_us $(($(ksmd_us) - us))
	record "$1" "$2" sharing "$(sharing)"
	"end_$2" "$1"
}

# When nine tenths of what stock saves in the end were saved; never is late.
saving_seconds() { # PAIR
	awk -F'\t' -v OFS='\t' -v pair="$1" -v never=$((3 * WINDOW)) '
	$1 == pair && $3 == "saved" {
		n++; arm[n] = $2; saved[n] = $4; t[n] = $5
		if ($2 == "stock")
			final = $4
	}
	END {
		when["stock"] = when["pvx"] = never
		for (i = n; i; i--)
			if (saved[i] >= 0.9 * final && t[i] < when[arm[i]])
				when[arm[i]] = t[i] ? t[i] : 1
		for (a in when)
			print pair, a, "saving_seconds", when[a]
	}' "$raw" >"$raw.new" && cat "$raw.new" >>"$raw"
}

report() { # PAIR
	local key
	saving_seconds "$1"
	for key in saving_seconds sharing scanned ksmd_us; do
		printf '%s %s and %s, ' "$key" "$(recorded "$1" stock $key)" "$(recorded "$1" pvx $key)"
	done
	for key in equal merged calls announced vmas; do
		printf '%s %s%s' "$key" "$(recorded "$1" pvx $key)" "$([ $key = vmas ] || echo ', ')"
	done
	echo
}

make_disks $FILES_MIB || fail "no room for disks"
echo "$OWN_MIB" >"$PVX_OUT/own"
begin_guests scripts/bench/guest-ksm.sh || fail "the guests do not boot"
for n in $guests; do
	"$pvxctl" grant --pid "$(pid "$n")" ksm && "$pvxctl" group --pid "$(pid "$n")" bench ||
		fail "guest $n is not granted ksm"
done >/dev/null
touch /run/pvx/go
ask 300 begin || fail "the guests do not read their files"
[ "$(next_pair)" -gt 1 ] || measure 0 off
measure_pairs
ask 30 end
