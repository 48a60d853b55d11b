#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The package's service, run by systemd with all that it is denied there: does it grant what the
# settings say, to a VM in a scope of systemd's, too? Does it go on when it was killed, and when
# the settings or the package change? A host script for lab run --guests 0 --modules none
# --host-append pvx.init=systemd.
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/tune/try.sh"
. "$PVX_TOP/selftests/package/install.sh"
. "$PVX_TOP/selftests/package/grants.sh"
service=kvm-pvx.service
# An image for containers may have packages start nothing.
rm -f /usr/sbin/policy-rc.d
# What comes before any service is not what this is about: devices would take their time, and /tmp,
# where the project may be, would be emptied.
for unit in {/lib,/etc}/systemd/system/{sysinit,basic,sockets,timers,paths,local-fs}.target.wants/*; do
	[[ $unit == *journald* ]] || ln -sf /dev/null "/run/systemd/system/${unit##*/}"
done
systemctl daemon-reload

property() { systemctl show --property="$1" --value $service; }
state_is() { [ "$(systemctl is-active $service)" = "$1" ]; }
goes_by_itself() { granted "$web" yield,ksm && state_is active; }
# Where the VMs of a virtualisation manager are.
scope=/sys/fs/cgroup/machine.slice/db-1.scope
in_scope() {
	cp "$IDLE_VM" /tmp/db-1
	systemd-run --quiet --scope --slice=machine.slice --unit=db-1 /tmp/db-1 >/dev/null 2>&1 &
	# On 6.1 a thread of KVM's is there as well.
	soon grep -q . $scope/cgroup.procs && soon granted "$(head -n 1 $scope/cgroup.procs)" yield
}
reloaded() { echo 'name=other ksm' >>$conf && systemctl reload $service && soon granted "$other" ksm; }
# What it knew of VMs is lost with it.
back_again() {
	local before
	before=$(property MainPID)
	pvxctl revoke --pid "$web" ksm && pvxctl revoke --pid "$other" all || return
	systemctl kill --signal=KILL $service && soon eval "[ \"\$(property NRestarts)\" = 1 ]" &&
		soon state_is active && [ "$(property MainPID)" != "$before" ]
}
grants_anew() { soon granted "$web" yield,ksm && soon granted "$other" ksm; }
upgraded() {
	local before
	before=$(property MainPID)
	installed && soon state_is active && [ "$(property MainPID)" != "$before" ]
}
refused() {
	echo 'no line' >$conf
	systemctl restart $service
	soon state_is failed && [ "$(property ExecMainStatus)" = 2 ] && sleep 2 && state_is failed
}
not_wanted() {
	rm $conf
	systemctl reset-failed $service
	systemctl start $service && state_is inactive && [ "$(property ConditionResult)" = no ]
}
wanted() { systemctl enable --now $service && [ "$(systemctl is-enabled $service)" = enabled ]; }
# What it is denied, as the kernel has it for the process.
boxed() {
	local status
	status=$(cat "/proc/$(property MainPID)/status") && echo "$status" | grep -E '^(CapBnd|NoNewPrivs|Seccomp):'
	# CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE
	grep -qx $'CapBnd:\t0000000000080004' <<<"$status" && grep -qx $'NoNewPrivs:\t1' <<<"$status" &&
		grep -qx $'Seccomp:\t2' <<<"$status"
}
removed() { dpkg --no-triggers -P kvm-pvx && ! state_is active && ! systemctl cat $service 2>/dev/null; }

check "the package is installed, and systemd told" installed
check "it does not run unless it is wanted" state_is inactive
load || exit
start web-1
web=$vm
start other
other=$vm
cat >$conf <<'END_OF_CONF'
cgroup=/machine.slice/db-1.scope   yield
name=web-*,user=root               yield,ksm
END_OF_CONF
check "it starts, now and at each boot" wanted
check "it grants what the settings say" soon goes_by_itself
check "with no more rights than it needs" boxed
check "to a VM in a scope, too" in_scope
check "settings are read again by systemctl reload" reloaded
check "killed, it is started again" back_again
check "and grants again" grants_anew
check "an upgrade starts it anew" upgraded
check "settings that cannot be understood end it, once" refused
check "without any it is not started" not_wanted
echo 'name=* yield' >$conf
check "it starts again" systemctl start $service
check "the package is removed, and the service with it" removed
systemctl stop db-1.scope
kill "$web" "$other"
tap_done
