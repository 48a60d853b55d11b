# SPDX-License-Identifier: GPL-2.0
#
# The host's part of tests with several guests that have memory in common. Sourced by
# host scripts of lab run --guests 0. $guests: their numbers.
. /run/pvx/guests
pvxctl=$PVX_TOP/build/pvxctl/pvxctl
ksm=/sys/kernel/mm/ksm

pid() { echo "$(<"$PVX_RUN/guest$1.pid")"; }
id() { "$pvxctl" show --pid "$(pid "$1")" --json | sed 's/.*"id":\([0-9]*\).*/\1/'; }
guests_run() {
	local n
	for n in $guests; do kill -0 "$(pid "$n")" 2>/dev/null || return; done
}
within() { # SECONDS COMMAND...: it succeeds by then, and before a guest ends
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] && guests_run || return 1
		sleep 0.5
	done
}

# QEMU's answer to the next command, which is no event.
qmp_answer() {
	local line
	while read -r line; do
		case $line in
		*'"error"'*) echo "$line" >&2; return 1 ;;
		*'"return"'*) echo "$line"; return ;;
		esac
	done
	return 1
}
qmp() { # GUEST COMMAND: what that returns
	local status
	exec 3<>"/dev/tcp/127.0.0.1/444$1" || return
	echo '{"execute":"qmp_capabilities"}' >&3 && qmp_answer <&3 >/dev/null &&
		echo "$2" >&3 && qmp_answer <&3
	status=$?
	exec 3>&-
	return $status
}
hva() { # GUEST: of its memory
	qmp "$1" '{"execute":"human-monitor-command","arguments":{"command-line":"gpa2hva 0"}}' |
		sed -n 's/.* is 0x\([0-9a-f]*\).*/\1/p'
}

count() { # GUEST KEY
	awk -F= -v key="ksm_$2" '$1 == key { n = $2 } END { print n + 0 }' \
		"/sys/kernel/debug/pvx_host/$(id "$1")/features"
}
at_least() { [ "$(count "$1" "$2")" -ge "$3" ]; }
at_most() { [ "$(count "$1" "$2")" -le "$3" ]; }
# Guests have more in common than the files that a test gives them, of $pages pages. How
# much that is they tell by dropping these, first of all: drop_files, note_besides.
declare -A besides merged_besides
drop_files() {
	local n
	declare -A before
	for n in $guests; do before[$n]=$(count "$n" matched); done
	all_answer drop dropped || return
	for n in $guests; do
		within 240 at_most "$n" matched $((before[$n] - pages * 9 / 10)) || return
	done
}
note_besides() {
	local n try was= is
	# Once that has settled.
	for try in 1 2 3 4 5 6; do
		sleep 5
		is=$(for n in $guests; do count "$n" matched && count "$n" merged; done)
		[ "$is" != "$was" ] || break
		was=$is
	done
	for n in $guests; do
		besides[$n]=$(count "$n" matched) merged_besides[$n]=$(count "$n" merged)
	done
	echo "# matched besides their files: ${besides[*]}"
}
# Of zeros not all need be merged: since 6.12 the host gives those of a huge page that it
# splits the page that all zeros share, which KSM does not count.
shares() { # GUEST: its files, and they are merged
	at_least "$1" matched $((besides[$1] + pages * 9 / 10)) &&
		at_least "$1" merged $((merged_besides[$1] + pages * 8 / 10))
}
mergeable() { # GUEST: how many of its VMAs are
	grep -c '^VmFlags:.* mg' "/proc/$(pid "$1")/smaps"
}
unmerged() { [ "$(mergeable "$1")" = 0 ]; }

disk() { # N: of make_disks, as QEMU's options
	[ ! -e "/run/disks/$1" ] || echo "-drive file=/run/disks/$1,if=virtio,format=raw"
}
# unmergeable N: QEMU's options that make it so, and for its monitor.
unmergeable() {
	echo "-qmp tcp:127.0.0.1:444$1,server=on,wait=off -machine memory-backend=ram,mem-merge=off"
	echo "-object memory-backend-ram,id=ram,size=${GUEST_MEM}M,merge=off"
}

# make_disks MIB: one for each guest, all the same.
make_disks() {
	local n
	mkdir -p /run/disks && head -c "$1M" /dev/urandom >/run/disks/all || return
	for n in $guests; do cp /run/disks/all "/run/disks/$n" || return; done
	rm /run/disks/all
}

# begin_guests SCRIPT [QEMU OPTION...]: all of them, with that script, up to where they
# wait. Nothing of their memory may be merged.
begin_guests() {
	local n
	cp "$PVX_TOP/$1" /run/pvx/guest-script
	shift
	for n in $guests; do guest_start "$n" $(unmergeable "$n") $(disk "$n") "$@"; done
	for n in $guests; do guest_ready "$n" || return; done
}

# How many questions there were; tests ask in subshells, too.
asked() { find "$PVX_OUT" -name 'ask.[0-9]*' | wc -l; }
# ask SECONDS QUESTION: all guests; whether all have answered by then
ask() {
	local n asked=$(($(asked) + 1))
	echo "$2" >"$PVX_OUT/ask.new" && mv "$PVX_OUT/ask.new" "$PVX_OUT/ask.$asked"
	# Each for itself: asked to end, others may have done so already.
	for n in $guests; do
		guests=$n within "$1" [ -e "/run/pvx/out/guest$n/answer.$asked" ] || return
	done
}
answer() { cat "/run/pvx/out/guest$1/answer.$(asked)"; } # GUEST
all_answer() { # QUESTION ANSWER
	local n
	ask 200 "$1" || return
	for n in $guests; do [ "$(answer "$n")" = "$2" ] || return; done
}
