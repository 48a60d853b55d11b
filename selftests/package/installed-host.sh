#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The Debian package, installed by dpkg on the laboratory's host, whose root is a copy of the
# machine's: does each tool run on this kernel, and does pvx-grants grant what the settings
# say? A host script for lab run --guests 0 --modules none.
. "$PVX_TOP/selftests/lib/tap.sh"
. "$PVX_TOP/selftests/tune/try.sh"
. "$PVX_TOP/selftests/package/install.sh"
. "$PVX_TOP/selftests/package/grants.sh"
tools="pvxctl pvx-grants pvx-numad pvx-ksmd pvx-numa-map pvxtop pvxtax pvxlock pvx-lock-latency \
	pvxtune pvx-policy pvx-fork-run"

# What dkms.sh has built, where that has run.
dkms=$PVX_TOP/build/dkms/$(uname -r)
dkms_loads() {
	modprobe -d "$dkms" -a pvx_host_{yield,ksm,fork,numa} &&
		pvxctl show | grep "^available .*yield" &&
		modprobe -d "$dkms" -r pvx_host_{numa,fork,ksm,yield} && ! grep '^pvx_host' /proc/modules
}

# A name as systemd gives it, with backslashes.
in_cgroup() {
	local scope='/sys/fs/cgroup/machine.slice/db\x2d1.scope'
	mountpoint -q /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup || return
	mkdir -p "$scope" && echo "$1" >"$scope/cgroup.procs"
}
grants() { pvx-grants && granted "$web" yield,ksm && granted "$db" yield && granted "$other" none; }
no_vcpu_runs() {
	local said
	said=$(pvxtax -d 1 2>&1)
	[ $? -eq 1 ] && [[ $said == *"no vCPU has run"* ]] || { echo "$said"; return 1; }
}
nothing_more() { local said; said=$(pvx-grants --dry-run) && [ -z "$said" ]; }
# With what kvm-pvx.service lets it have; and a VMM that is not root's.
boxed() {
	echo 'user=nobody yield' >$conf.nobody
	setpriv --bounding-set=-all,+sys_ptrace,+dac_read_search --no-new-privs \
		pvx-grants --config $conf.nobody && granted "$theirs" yield
	local status=$?
	rm $conf.nobody
	return $status
}
in_group() { [ "$(field group "$web" group)" = web ]; }

# --- tools ---------------------------------------------------------------------

# A recording of perf's, of our events and of the kernel's.
tells_latency() {
	perf record -q -e 'pvx_host:*' -e kvm:kvm_exit -a -o /tmp/perf.data -- pvxctl show --pid "$web" &&
		tells_nothing "no wait for a lock" pvx-lock-latency /tmp/perf.data
}
# The second one has nothing to set back.
ksmd_once() {
	local first status
	pvx-ksmd >/dev/null 2>&1 & first=$!
	soon eval '[ "$(cat /sys/kernel/mm/ksm/pages_to_scan)" = 2000 ]'
	tells_nothing "it runs already" pvx-ksmd --pages 3000
	status=$?
	kill $first
	wait $first
	[ $status -eq 0 ] && [ "$(cat /sys/kernel/mm/ksm/pages_to_scan)" = 100 ]
}
vm_id() { pvxctl list | awk -v pid="$web" '$1 == pid { print $4 }'; } # of the first VM
# A host has none of what a guest's module offers.
no_fork() { pvx-fork-run -- true; [ $? -eq 125 ]; }

# --- examples ------------------------------------------------------------------

examples=/usr/share/doc/kvm-pvx/examples
hooked() {
	pvxctl revoke --pid "$web" ksm && mkdir -p /run/libvirt/qemu &&
		echo "$web" >/run/libvirt/qemu/web.pid && $examples/libvirt-hook web started begin - &&
		soon granted "$web" yield,ksm
}
options_are_parameters() {
	local module option n=0
	while read -r _ module option; do
		modinfo -F parm "$PVX_BUILD"/*/"$module.ko" |
			grep -q "^${option%%=*}:" || { echo "$module has no ${option%%=*}"; return 1; }
		n=$((n + 1))
	done < <(sed -n 's/^#*options /options /p' $examples/modprobe.conf)
	[ $n -gt 0 ]
}
modules_are_ours() {
	local module n=0
	for module in $(sed -n 's/^#*\(pvx_[a-z_]*\)$/\1/p' $examples/modules-load-*.conf); do
		[ -e "$(echo "$PVX_BUILD"/*/"$module.ko")" ] || { echo "there is no $module"; return 1; }
		n=$((n + 1))
	done
	[ $n -gt 0 ]
}

reread() { # CONF
	echo "$1" >$conf
	kill -HUP "$watch"
}
after_reload() { unload && load && soon granted "$web" yield,ksm; }
other_granted() { reread "name=other yield" && soon granted "$other" yield; }
# Longer than from one look to the next.
stays_revoked() { pvxctl revoke --pid "$late" ksm && sleep 4 && granted "$late" yield; }
granted_anew() { kill -HUP "$watch" && soon granted "$late" yield,ksm; }
goes_on() { reread "no line" && sleep 3 && kill -0 "$watch" && granted "$other" yield; }

removed() {
	local file status=0
	dpkg -L kvm-pvx >/tmp/files && dpkg --no-triggers -P kvm-pvx || return
	while read -r file; do
		[ -d "$file" ] && ! grep -q kvm-pvx <<<"$file" && continue
		[ ! -e "$file" ] || { echo "$file is left"; status=1; }
	done </tmp/files
	return $status
}

check "the package is installed" installed
for tool in $tools; do
	check "$tool runs" eval "$tool --help"
done
check "without modules, pvxctl says so" eval '! pvxctl show'
if [ -d "$dkms" ]; then
	check "modprobe loads what DKMS has built, and takes it out" dkms_loads
else
	tap_skip "modprobe loads what DKMS has built, and takes it out" "selftests/package/dkms.sh has not run"
fi
load || exit
check "pvxctl shows the host" pvxctl show
start web-1
web=$vm
start db-1
db=$vm
start other
other=$vm
check "a VMM is in a cgroup" in_cgroup "$db"
cat >$conf <<'END_OF_CONF'
name=web-*,user=root                  yield,ksm  web
cgroup=/machine.slice/db\x2d1.scope   yield
name=*                                -
END_OF_CONF
check "pvx-grants grants what the settings say" grants
check "and has nothing to grant then" nothing_more
check "the group is set" in_group
chmod 666 /dev/kvm
start nobodys-1 setpriv --reuid 65534 --regid 65534 --clear-groups
theirs=$vm
check "as the service it may see whose a VM is, and grant" boxed
kill "$theirs"
check "pvxtop looks once" pvxtop -1
check "pvxtax looks for a second, at vCPUs that never run" no_vcpu_runs
check "pvxlock looks for a second" pvxlock -1 -d 1
check "pvx-lock-latency reads what perf has recorded" tells_latency
check "pvxtune says what it may tune" until_told "boost_us_per_s is" pvxtune --dry-run
check "pvx-policy attaches its example" until_told "attached to raw_tp.w/pvx_choose_target" pvx-policy
check "pvx-ksmd finds nothing to do" pvx-ksmd --once
check "and is not there twice" ksmd_once
check "pvx-numad misses pvx_host_numa" tells_nothing pvx_host_numa pvx-numad --once
check "so does pvx-numa-map" tells_nothing "has not said what its vCPUs use" pvx-numa-map "$(vm_id)"
check "pvx-fork-run misses the guest's module" no_fork

check "libvirt's hook grants what the settings say" hooked
check "the options of the examples are parameters" options_are_parameters
check "what they load are modules of ours" modules_are_ours

pvx-grants --watch 1 & watch=$!
start web-2
late=$vm
check "a VM that starts later is granted the same" soon granted "$late" yield,ksm
check "what is revoked from it stays so" stays_revoked
check "until settings are read again" granted_anew
check "all are when the host's module was loaded again" after_reload
check "settings are read again on SIGHUP" other_granted
check "those that cannot be understood change nothing" goes_on
kill "$watch"
wait "$watch" 2>/dev/null
kill "$web" "$db" "$other" "$late"
check "the package is removed, and nothing is left" removed
tap_done
