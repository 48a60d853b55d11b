#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What any feature has to do, by the modules to begin with: the guest calls and the host
# answers, refuses, takes the feature back; and either half goes while it is in use. For
# lab run --guest-cpus 1 --modules pvx_host,pvx_guest --host-script selftests/template/host.sh
. "$PVX_TOP/selftests/lib/tap.sh"
file=/sys/kernel/debug/pvx_guest/template
number=/sys/module/pvx_guest_template/parameters/number
host=$PVX_OUT/../host

host_does() { # STEP
	touch "$PVX_OUT/ask.$1"
	until [ -e "$host/did.$1" ]; do sleep 0.2; done
	[ "$(cat "$host/did.$1")" = 0 ]
}
soon() { # COMMAND...
	local i
	for i in $(seq 200); do
		"$@" && return
		sleep 0.1
	done
	return 1
}
field() { sed -n "s/^$1=//p" $file; }
answers() { [ "$(field answer)" = "$1" ]; }
served() { [ "$(field answer)" -ge 0 ]; }
adds() { # N: to the host's sum
	local before
	before=$(field answer) && answers $((before + $1))
}
adds_alone() {
	local before
	before=$(field alone) && [ "$(field alone)" = $((before + 1)) ]
}
refused() { # NUMBER ERROR
	echo "$1" >$number && answers "$2" && echo 1 >$number
}
largest() { echo 1000 >$number && adds 1000 && echo 1 >$number; }
reads() { while cat $file; do :; done >/dev/null 2>&1; }

check "the guest's half is loaded" insmod "$PVX_BUILD/selftests/template/pvx_guest_template.ko"
check "without the host it does what it can" adds_alone
check "the host's half is loaded" host_does load
sleep 3	# the guest has asked again by then
check "which grants nothing, not even by default_features" answers -1000
check "the VM is granted it" host_does grant
check "and the guest finds it" soon served
check "the host adds up" adds 1
check "it shows what it has" host_does show
check "an argument out of range is refused" refused 1001 -2000
check "the largest one is not" largest
check "the budget is used up" host_does refuse
check "which the guest is told" answers -2012
check "and then does without" adds_alone
check "there is more of it" host_does allow
check "and the host goes on" adds 1
check "it is revoked" host_does revoke
check "at the next call" answers -1000
check "it is granted again" host_does grant-again
check "and the guest finds it" soon served

reads & reader=$!
check "the host's half goes while it is called" host_does unload
check "the guest does without" answers -1000
check "the host's half comes" host_does load-again
check "and the guest finds it" soon served
check "the guest's core stays, since its half needs it" eval '! rmmod pvx_guest'
check "its half goes between two calls" soon rmmod pvx_guest_template
wait $reader
check "and then the core" rmmod pvx_guest
tap_done
