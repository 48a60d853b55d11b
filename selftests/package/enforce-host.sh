#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A kernel that loads signed modules only: a host script for lab run --guests 0 --modules none.
#
# Booted with module.sig_enforce=1, it knows the distribution's key and no other. Else, this
# first has it trust a key of ours, as Secure Boot does with one that the owner has enrolled,
# and then enforces signatures, from which there is no way back.
. "$PVX_TOP/selftests/lib/tap.sh"
enforce=/sys/module/module/parameters/sig_enforce
tmp=$(mktemp -d) || exit

sign() { "$PVX_TOP/scripts/package/sign" --headers "/lib/modules/$PVX_KERNEL/build" "$@"; }

# modules_of WHO: pvx_host and pvx_host_yield, signed with WHO's key, which is made
modules_of() {
	copies "$1" && sign --key "$tmp/$1.key" --cert "$tmp/$1.der" --new-key "$tmp/$1"/*.ko
}
copies() { # FOLDER
	mkdir "$tmp/$1" && cp "$PVX_BUILD"/host/pvx_host{,_yield}.ko "$tmp/$1/" &&
		sign --remove "$tmp/$1"/*.ko
}

# refused MODULE [MESSAGE]: not loaded for its signature, and the kernel says why
refused() {
	local before said
	before=$(dmesg | wc -l)
	! said=$(insmod "$1" 2>&1) || { rmmod pvx_host; return 1; }
	[[ $said == *"Key was rejected"* ]] || { echo "$said"; return 1; }
	[ -z "$2" ] || dmesg | tail -n +$((before + 1)) | grep "$2" || { dmesg | tail; return 1; }
}

trust() { # CERTIFICATE
	local ring
	ring=$(awk '$9 == ".secondary_trusted_keys:" { print "0x" $1 }' /proc/keys)
	[ -n "$ring" ] || { cat /proc/keys; return 1; }
	insmod "$PVX_BUILD/selftests/package/pvx_keytest.ko" "keyring=$ring" "cert=$1" &&
		rmmod pvx_keytest
}

changed() { # a module that was changed after it was signed
	sed 's/The kvm-pvx authors/The kvm-pvx AUTHORS/' "$tmp/ours/pvx_host.ko" >"$tmp/changed.ko"
	! cmp -s "$tmp/ours/pvx_host.ko" "$tmp/changed.ko" && refused "$tmp/changed.ko"
}
loads() { insmod "$tmp/ours/$1.ko" && grep -q "^$1 " /proc/modules; } # MODULE
enforcing() { [ "$(cat $enforce)" = Y ]; }

check "modules that are not signed" copies nobody
check "modules that a key of somebody's has signed" modules_of somebody
if enforcing; then
	check "the distribution's modules are loaded" grep -q '^kvm ' /proc/modules
else
	check "modules that a key of ours has signed" modules_of ours
	check "the kernel trusts our key" trust "$tmp/ours.der"
	echo 1 >$enforce
	check "the kernel enforces signatures" enforcing
	check "one that was changed after it was signed is refused" changed
	check "the core, signed with our key, is loaded" loads pvx_host
	check "so is a feature" loads pvx_host_yield
	check "and they can be unloaded" rmmod pvx_host_yield pvx_host
fi
check "one that is not signed is refused" \
	refused "$tmp/nobody/pvx_host.ko" "Loading of unsigned module is rejected"
check "so is one that is signed with a key that the kernel does not know" \
	refused "$tmp/somebody/pvx_host.ko" "Loading of module with unavailable key is rejected"
tap_done
