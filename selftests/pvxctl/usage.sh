#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# pvxctl as far as it can be tested without the host's module: usage, the
# search for VMs, and its messages. VMs that never run stand in for a VMM's.
#
# PVXCTL names the command; the default is what scripts/pvxctl/Makefile makes.

here=$(cd "$(dirname "$0")" && pwd)
pvxctl=${PVXCTL:-$here/../../build/pvxctl/pvxctl}
device=/dev/kvm-pvx

# shellcheck source=/dev/null
. "$here/../lib/tap.sh"
[ -x "$pvxctl" ] || tap_skip_all "$pvxctl is not built"

tmp=$(mktemp -d) || exit 1
vmms=
cleanup() {
	# shellcheck disable=SC2086 # one word for each process
	[ -z "$vmms" ] || kill $vmms 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

# said: fail, and show what pvxctl printed
said() {
	cat "$tmp/out" "$tmp/err"
	return 1
}

# exits STATUS ARG...: does pvxctl with these arguments exit with STATUS?
exits() {
	want=$1
	shift
	"$pvxctl" "$@" >"$tmp/out" 2>"$tmp/err"
	got=$?
	[ $got -eq "$want" ] || { echo "exit status $got, not $want"; said; }
}

# fails_saying TEXT ARG...: status 1, no output, one line of error with TEXT
fails_saying() {
	text=$1
	shift
	exits 1 "$@" || return 1
	{ [ ! -s "$tmp/out" ] && [ "$(wc -l <"$tmp/err")" -eq 1 ] &&
		grep -q -F -- "pvxctl: $text" "$tmp/err"; } || said
}

# misused TEXT ARG...: status 2, no output, an error with TEXT
misused() {
	text=$1
	shift
	exits 2 "$@" || return 1
	{ [ ! -s "$tmp/out" ] && grep -q -F -- "$text" "$tmp/err"; } || said
}

# helps TEXT ARG...: status 0, no error, output with TEXT
helps() {
	text=$1
	shift
	exits 0 "$@" || return 1
	{ [ ! -s "$tmp/err" ] && grep -q -F -- "$text" "$tmp/out"; } || said
}

# start_vmm VMS: a process with VMS VMs, each twice open; sets $vmm and its
# descriptors $fds, those of the first VM before those of the second
start_vmm() {
	mkfifo "$tmp/fifo"
	python3 -c '
import fcntl, os, sys, time
KVM_CREATE_VM = 0xAE01
kvm = os.open("/dev/kvm", os.O_RDWR)
fds = []
for i in range(int(sys.argv[1])):
	fd = fcntl.ioctl(kvm, KVM_CREATE_VM, 0)
	fds += [fd, os.dup(fd)]
print(*fds, flush=True)
time.sleep(60)
' "$1" >"$tmp/fifo" 2>/dev/null &
	vmm=$!
	vmms="$vmms $vmm"
	fds=
	read -r fds <"$tmp/fifo"
	rm "$tmp/fifo"
	[ -n "$fds" ]
}

# lists VMM FD...: does list --json have exactly these VMs for process VMM?
lists() {
	"$pvxctl" list --json >"$tmp/out" 2>"$tmp/err"
	python3 -c '
import json, sys
vms = json.load(open(sys.argv[1]))["vms"]
fds = [vm["vm_fd"] for vm in vms if vm["pid"] == int(sys.argv[2])]
sys.exit(fds != [int(fd) for fd in sys.argv[3:]])
' "$tmp/out" "$@" || said
}

is_json() {
	python3 -m json.tool "$tmp/out" >/dev/null || said
}

test_help() {
	check "--help" helps EXAMPLES --help
	check "--version" helps "pvxctl " --version
	for command in list grant revoke group ksm numa show; do
		check "$command --help" \
			helps "Usage: pvxctl $command" $command --help
	done
}

test_usage() {
	check "no command" misused "command is missing"
	check "unknown command" misused "'frob'" frob
	check "unknown option" misused "--frob" list --frob
	check "list takes no argument" misused "'yield'" list yield
	check "show takes no argument" misused "'yield'" show yield
	check "grant has no --json" misused "--json" grant --json
	for command in grant revoke; do
		check "$command without --pid" \
			misused "--pid is missing" $command yield
		check "$command without FEATURES" \
			misused "FEATURES is missing" $command --pid $$
		check "$command with two FEATURES" \
			misused "'all'" $command --pid $$ yield all
		check "$command of an unknown feature" \
			misused "'frob'" $command --pid $$ yield,frob
		check "$command of an empty feature" \
			misused "''" $command --pid $$ yield,
	done
	check "group without --pid" misused "--pid is missing" group web
	check "group with two names" misused "'db'" group --pid $$ web db
	check "a group's name that is too long" misused "at most 31 characters" \
		group --pid $$ 12345678901234567890123456789012
	check "ksm takes no argument" misused "'web'" ksm web
	check "numa takes no argument" misused "'1'" numa 1
	for pid in 0 -1 +1 1x " 1" "" 4294967297 99999999999999999999; do
		check "process id '$pid'" misused "'$pid'" show --pid "$pid"
	done
	check "--vm-fd of a negative number" \
		misused "'-1'" show --pid $$ --vm-fd -1
	check "--vm-fd without --pid" misused "--vm-fd" show --vm-fd 3
}

test_processes() {
	# the kernel gives out process ids below this
	none=$(cat /proc/sys/kernel/pid_max)
	for command in "show" "grant all" "revoke all" "group" "group web"; do
		# shellcheck disable=SC2086 # the command and its argument
		check "$command: no such process" \
			fails_saying "no process $none" $command --pid "$none"
		# shellcheck disable=SC2086
		check "$command: process without a VM" \
			fails_saying "process $$ holds no KVM VM" \
			$command --pid $$
	done
	check "--vm-fd that is no VM" \
		fails_saying "file descriptor 0 of process $$ is no KVM VM" \
		show --pid $$ --vm-fd 0
	check "--vm-fd that is not open" \
		fails_saying "process $$ has no file descriptor 999999" \
		show --pid $$ --vm-fd 999999
}

# It may have more to say, and prints its heading all the same.
list_fails_saying() { # COMMAND TEXT
	exits 1 "$1" || return 1
	grep -q -F -- "pvxctl: $2" "$tmp/err" || said
}

test_no_device() {
	text="$device: No such file or directory (is pvx_host loaded?)"
	if [ -e $device ]; then
		tap_skip "show without the device" "$device exists"
		tap_skip "list without the device" "$device exists"
		tap_skip "ksm without the device" "$device exists"
		tap_skip "numa without the device" "$device exists"
		return
	fi
	check "show without the device" fails_saying "$text" show
	check "list without the device" list_fails_saying list "$text"
	check "ksm without the device" list_fails_saying ksm "$text"
	check "numa without the device" list_fails_saying numa "$text"
}

test_list_json() {
	if ! command -v python3 >/dev/null; then
		tap_skip "list --json is JSON" "no python3"
		return
	fi
	"$pvxctl" list --json >"$tmp/out" 2>"$tmp/err"
	check "list --json is JSON" is_json
}

test_vms() {
	reason=
	if [ "$(id -u)" -ne 0 ]; then
		reason="not root"
	elif ! start_vmm 1; then
		reason="no VM can be made"
	fi
	if [ -n "$reason" ]; then
		tap_skip "a VM is listed once" "$reason"
		tap_skip "several VMs are listed each" "$reason"
		tap_skip "several VMs are ambiguous" "$reason"
		tap_skip "a VM without the device" "$reason"
		return
	fi
	one=$vmm
	check "a VM is listed once" lists "$one" "${fds%% *}"

	start_vmm 2
	# shellcheck disable=SC2086 # four numbers
	set -- $fds
	check "several VMs are listed each" lists "$vmm" "$1" "$3"
	check "several VMs are ambiguous" \
		fails_saying "process $vmm holds 2 KVM VMs" show --pid "$vmm"

	if [ -e $device ]; then
		tap_skip "a VM without the device" "$device exists"
		return
	fi
	check "a VM without the device" fails_saying "$device: " \
		show --pid "$vmm" --vm-fd "$4"
}

test_help
test_usage
test_processes
test_no_device
test_list_json
test_vms
tap_done
