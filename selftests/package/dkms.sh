#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# DKMS, on the machine itself and in folders of its own: does it build each module from what
# the Debian package holds, and skip kernels that are not supported? dkms.sh KERNEL...
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. selftests/lib/tap.sh
command -v dkms >/dev/null || tap_skip_all "dkms is missing"
[ $# -gt 0 ] || set -- 6.1 6.12
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
tmp=$(mktemp -d "${TMPDIR:-/tmp}/pvx-dkmstest.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT

# Without a program to sign with: else it makes a key for that in /var/lib/dkms.
in_folders() {
	sign_file=$tmp/none dkms "$@" --dkmstree "$tmp/dkms" --sourcetree "$tmp/x/usr/src" --installtree "$tmp/modules"
}
ours=(-m kvm-pvx -v "$version")

release_of() { # KERNEL
	local build
	build=$(ls -d /lib/modules/"$1"/build /lib/modules/"$1".*/build 2>/dev/null |
		grep -v pvx-debug | sort -V | tail -n 1)
	basename "$(dirname "$build")"
}
# Where DKMS finds the headers of RELEASE: those of another one, in a pinch.
has_headers() { # RELEASE HEADERS
	mkdir -p "$tmp/modules/$1" && ln -s "$2" "$tmp/modules/$1/build"
}

# What Kbuild builds, by its own account.
modules() {
	sed -n 's/^obj-.*+= *//p' host/Kbuild guest/Kbuild | tr ' ' '\n' | sed 's/\.o$//' | sort
}
# What dkms.conf names.
listed() {
	(kernelver=$1 && . ./dkms.conf && printf '%s\n' "${BUILT_MODULE_NAME[@]}" | sort)
}
without_ksm() { modules | grep -v _ksm | diff - <(KSM=n listed any); }
names_all() { modules | diff - <(KSM=y listed any); }
matches() { # RELEASE
	(kernelver=$1 && . ./dkms.conf && [[ $1 =~ $BUILD_EXCLUSIVE_KERNEL ]])
}
no_match() { ! matches "$1"; }

builds() { # RELEASE
	local built=$tmp/dkms/kvm-pvx/$version/$1/x86_64 log
	log=$built/log/make.log
	in_folders build "${ours[@]}" -k "$1" ||
		{ tail -n 20 "$tmp"/dkms/kvm-pvx/"$version"/build/make.log "$log" 2>/dev/null; return 1; }
	[ -s "$log" ] && ! grep -E 'warning:|error:' "$log"
}
all_built() { # RELEASE
	ls "$tmp/dkms/kvm-pvx/$version/$1/x86_64/module" | sed 's/\.ko.*//' | sort |
		diff <(modules) -
}
# Nothing of the tests is in them.
for_release() { # RELEASE
	local module
	for module in "$tmp/dkms/kvm-pvx/$version/$1/x86_64/module"/*; do
		[[ $(modinfo -F vermagic "$module") == "$1 "* ]] || { echo "$module"; return 1; }
		! modinfo -F parm "$module" | grep fail_nth || return
	done
}

# Where Debian's depmod looks first. The machine's own list of modules is none of this test's.
place() { echo "$tmp/modules/$1/updates/dkms"; } # RELEASE
installs() { # RELEASE
	in_folders install "${ours[@]}" -k "$1" --no-depmod &&
		ls "$(place "$1")" | sed 's/\.ko.*//' | sort | diff <(modules) -
}
uninstalls() { # RELEASE
	in_folders uninstall "${ours[@]}" -k "$1" --no-depmod || return
	! ls "$(place "$1")" 2>/dev/null | grep .
}

# For installed-host.sh, where modprobe loads them: a folder of modules with these, and of the
# kernel's own those that they depend on.
keeps() { # RELEASE
	local modules=build/dkms/$1/lib/modules/$1
	rm -rf "build/dkms/$1"
	mkdir -p "$modules/kernel" "$modules/updates/dkms" &&
		cp "/lib/modules/$1"/kernel/{arch/x86/kvm/kvm,virt/lib/irqbypass}.ko* "$modules/kernel/" &&
		cp "$(place "$1")"/* "$modules/updates/dkms/" && depmod -b "build/dkms/$1" "$1" &&
		needs "$modules" pvx_host kvm && needs "$modules" pvx_host_yield pvx_host
}
needs() { grep -q "/$2\.ko[.xz]*:.*/$3\.ko" "$1/modules.dep"; } # FOLDER MODULE ANOTHER

skips() { # RELEASE
	local said
	said=$(in_folders build "${ours[@]}" -k "$1" 2>&1)
	case $? in 9|77) ;; *) echo "$said (status $?)"; return 1 ;; esac
	[[ $said == *BUILD_EXCLUSIVE* ]] || { echo "$said"; return 1; }
	[ ! -e "$tmp/dkms/kvm-pvx/$version/$1" ]
}
# As it happens when a kernel is installed. DKMS 3.0 takes what it skips for a failure, with
# status 11: its issue 302.
skips_all() {
	local said status
	said=$(in_folders autoinstall -k "$1" 2>&1)
	status=$?
	[ $status -eq 0 ] || { [ $status -eq 11 ] && [[ $said == *BUILD_EXCLUSIVE* ]]; } ||
		{ echo "$said (status $status)"; return 1; }
	[ ! -e "$tmp/dkms/kvm-pvx/$version/$1" ]
}

no_trace() {
	in_folders remove "${ours[@]}" --all && [ ! -e "$tmp/dkms/kvm-pvx/$version" ]
}

check "dkms.conf names all modules" names_all
check "with KSM=n all but those of KSM" without_ksm
for release in 6.1.0-56-amd64 6.1.192 6.12.1 6.12.117+deb12-amd64; do
	check "$release is supported" matches $release
done
for release in 5.10.0-28-amd64 6.0.19 6.6.30-generic 6.10.1 6.11.12 6.13.1 6.18.3-amd64 6.120.0 16.1.0 7.0.0; do
	check "$release is not" no_match $release
done

make -s deb >/dev/null && dpkg -x "build/deb/kvm-pvx_${version}_amd64.deb" "$tmp/x" || {
	tap_not_ok "the package can be built"
	tap_done
	exit 1
}
mkdir "$tmp/dkms"
check "DKMS takes the package's source" in_folders add "${ours[@]}"
for kernel; do
	release=$(release_of "$kernel")
	has_headers "$release" "$(readlink -f "/lib/modules/$release/build")"
	check "DKMS builds for $release, without a warning" builds "$release"
	check "it has built all modules for $release" all_built "$release"
	check "they are of that kernel: $release" for_release "$release"
	check "DKMS installs them for $release" installs "$release"
	check "depmod finds all that they need" keeps "$release"
	check "and takes them out again" uninstalls "$release"
done
for release in 6.0.19-test 6.13.1-test; do
	has_headers $release "$(readlink -f "/lib/modules/$(release_of "$1")/build")"
	check "DKMS skips $release" skips $release
	check "DKMS skips $release when it builds all there is" skips_all $release
done
check "removed, it leaves nothing" no_trace
tap_done
