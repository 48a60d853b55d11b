#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# pvx-grants as far as it can be tested on any machine: with processes that stand in for
# VMMs, and a pvxctl that lists these and only writes down what it is asked for.

here=$(cd "$(dirname "$0")" && pwd)
grants=${PVX_GRANTS:-$here/../../scripts/pvxctl/pvx-grants}

# shellcheck source=/dev/null
. "$here/../lib/tap.sh"

tmp=$(mktemp -d) || exit 1
vmms=()
cleanup() {
	[ ${#vmms[@]} -eq 0 ] || kill "${vmms[@]}" 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

mkdir "$tmp/bin"
export PATH=$tmp/bin:$PATH PVX_TMP=$tmp
cat >"$tmp/bin/pvxctl" <<'END_OF_PVXCTL'
#!/bin/sh
case $1 in
list)	cat "$PVX_TMP/vms" ;;
*)	echo "$*" >>"$PVX_TMP/asked"
	[ ! -e "$PVX_TMP/refuse" ] || { echo "pvxctl: refused" >&2; exit 1; }
	echo "granted                   yield" ;;
esac
END_OF_PVXCTL
chmod +x "$tmp/bin/pvxctl"
mkfifo "$tmp/fifo"
exec 9<>"$tmp/fifo"

# start_vmm WORD...: a process whose command line ends in these; sets $vmm
start_vmm() {
	bash -c 'read -r' vmm "$@" <&9 9<&- &
	vmm=$!
	vmms+=("$vmm")
	until tr '\0' ' ' <"/proc/$vmm/cmdline" | grep -q "read -r vmm"; do sleep 0.02; done
}

# vm PID COMMAND GRANTED: a line of the list
vm() { printf '%7d %-15s %5d %5d %-12s %-12s %s\n' "$1" "$2" 13 1 "$3" none 0; }
list() {
	echo "    PID COMMAND         VM-FD    ID GRANTED      NEGOTIATED   CALLS"
	vm "$web" qemu-system-x86 none
	vm "$db" "CPU 0/KVM 7 yie" none
	vm "$other" vmm yield
}

# run ARG...: pvx-grants with the lines of $conf
run() {
	printf '%s\n' "$conf" >"$tmp/conf"
	: >"$tmp/asked"
	"$grants" --config "$tmp/conf" "$@" >"$tmp/out" 2>"$tmp/err"
}
show() {
	echo "asked:"; cat "$tmp/asked"; echo "said:"; cat "$tmp/out" "$tmp/err"
	return 1
}

# asks CONF LINE...: pvxctl is asked for just these
asks() {
	conf=$1
	shift
	run || { echo "exit status $?"; show; return; }
	printf '%s\n' "$@" | grep . | diff - "$tmp/asked" || show
}
# exits STATUS CONF ARG...
exits() {
	local want=$1 got
	conf=$2
	shift 2
	run "$@"
	got=$?
	[ $got -eq "$want" ] || { echo "exit status $got, not $want"; show; }
}
misread() { exits 2 "$1" && [ ! -s "$tmp/asked" ] && grep -q ":1: " "$tmp/err"; } # LINE

grant() { echo "grant --pid $1 --vm-fd 13 $2"; } # PID FEATURES
group() { echo "group --pid $1 --vm-fd 13 $2"; } # PID NAME

test_names() {
	check "a name" asks "name=web-1 yield" "$(grant "$web" yield)"
	check "a pattern of names" asks "name=web-* yield,ksm" "$(grant "$web" yield,ksm)"
	check "a name that QEMU was given without settings" \
		asks "name=db yield" "$(grant "$db" yield)"
	check "the process's name, where nothing else is known" \
		asks "name=bash yield,numa" "$(grant "$other" numa)"
	check "a name is not one that only begins so" asks "name=web yield"
	check "commands with blanks do not shift the list" \
		asks "name=db numa" "$(grant "$db" numa)"
}

test_conditions() {
	local me cgroup
	me=$(id -nu)
	check "a user" asks "name=web-*,user=$me yield" "$(grant "$web" yield)"
	check "all conditions have to hold" asks "name=web-*,user=no-$me yield"
	cgroup=$(sed -n 's/^0:://p' /proc/self/cgroup)
	if [ -z "$cgroup" ] || [[ $cgroup == *[\ ,#]* ]]; then
		tap_skip "a cgroup" "none of version 2 here"
	else
		check "a cgroup" asks "cgroup=$cgroup,name=web-1 yield" "$(grant "$web" yield)"
		check "another cgroup" asks "cgroup=$cgroup/no,name=web-1 yield"
	fi
}

# Those of pvxctl.
features=$(sed -n 's/.*{ PVX_F_[A-Z]*, "\([a-z]*\)" },.*/\1/p' "$here/../../scripts/pvxctl/print.c" | paste -sd,)
test_lines() {
	check "the first line that fits counts" \
		asks $'name=web-1 -\nname=* yield' "$(grant "$db" yield)"
	check "only what is missing is granted" \
		asks "name=bash yield,ksm" "$(grant "$other" ksm)"
	check "all that there are: $features" asks "name=db $features" "$(grant "$db" "$features")"
	check "nothing where nothing is missing" asks "name=bash yield"
	check "the group comes first" \
		asks "name=web-1 ksm web" "$(group "$web" web)" "$(grant "$web" ksm)"
	check "comments and blank lines" asks \
		$'# one\n\n  name=web-1\tyield # of several words\nname=db yield #\n' \
		"$(grant "$web" yield)" "$(grant "$db" yield)"
	check "an empty file grants nothing" asks ""
	for line in "name=web-1" "web-1 yield" "name= yield" "name=web-1 Yield" "name=web-1 all" \
		"name=web-1 yield,,ksm" "name=web-1 yield web more" "name=web-1,pid=1 yield" \
		"name=web-1 yield,ksn" "name=web-1 yield-" \
		"name=web-1 ksm a-group-with-a-name-that-is-too-long"; do
		check "not understood: $line" misread "$line"
	done
}

dry() {
	exits 0 "name=web-1 ksm web" --dry-run && [ ! -s "$tmp/asked" ] &&
		[ "$(grep -c "^pvxctl g.* --pid $web " "$tmp/out")" = 2 ] || show
}
one() { exits 0 "name=* ksm" --pid "$db" && [ "$(cat "$tmp/asked")" = "$(grant "$db" ksm)" ]; }
refused() {
	touch "$tmp/refuse"
	exits 1 "name=web-1 yield" && grep -q "pvxctl: refused" "$tmp/err" || show
}

# Where PATH has no folder with them, as a service's.
beside() {
	mkdir "$tmp/sbin" && cp "$grants" "$tmp/bin/pvxctl" "$tmp/sbin/" || return
	echo "name=web-1 yield" >"$tmp/conf"
	: >"$tmp/asked"
	env -i PATH=/usr/bin:/bin PVX_TMP="$tmp" "$tmp/sbin/pvx-grants" --config "$tmp/conf" &&
		[ "$(cat "$tmp/asked")" = "$(grant "$web" yield)" ]
}

test_options() {
	check "--dry-run asks for nothing" dry
	check "--pid" one
	check "pvxctl is found beside it" beside
	check "what is refused is told" refused
	rm -f "$tmp/refuse"
	check "--help" exits 0 "" --help
	for wrong in --frob "--pid x" "--watch 0" "--config" "--pid 1 --watch 1" \
		"--config $tmp/none" "--config $tmp"; do
		# shellcheck disable=SC2086 # words
		check "wrong usage: ${wrong//$tmp/TMP}" exits 2 "" $wrong
	done
}

start_vmm -name guest=web-1,debug-threads=on
web=$vmm
start_vmm --name db -m 512
db=$vmm
start_vmm -m 512
other=$vmm
list >"$tmp/vms"
test_names
test_conditions
test_lines
test_options
tap_done
