#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Signatures of modules, on the machine itself: sign.sh KERNEL. Whether a kernel takes them is
# enforce-host.sh's to say.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. selftests/lib/tap.sh
kernel=${1:-6.12}
headers=$(ls -d /lib/modules/"$kernel"/build /lib/modules/"$kernel".*/build 2>/dev/null |
	grep -v pvx-debug | sort -V | tail -n 1)
build=build/$(basename "$(dirname "$headers")")
[ -x "$headers/scripts/sign-file" ] || tap_skip_all "these headers have no sign-file"
[ -e "$build/host/pvx_host.ko" ] || tap_skip_all "nothing is built: make KVER=$kernel"
tmp=$(mktemp -d "${TMPDIR:-/tmp}/pvx-signtest.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT

sign() { scripts/package/sign --headers "$headers" "$@"; }
with_key() { sign --key "$tmp/$1.key" --cert "$tmp/$1.der" "${@:2}"; } # NAME ARG...

mark="~Module signature appended~"
is_signed() { [ "$(tail -c 28 "$1" | tr -d '\0')" = "$mark" ]; } # MODULE
by() { # SIGNER MODULE: as modinfo sees it
	[ "$(modinfo -F sig_id "$2")" = "PKCS#7" ] && [ "$(modinfo -F signer "$2")" = "$1" ]
}

new_key() {
	with_key mine --new-key && [ "$(stat -c %a "$tmp/mine.key")" = 600 ] &&
		openssl x509 -inform DER -in "$tmp/mine.der" -noout -text |
		grep -q 1.3.6.1.4.1.2312.16.1.2
}
# Of the user's own making, and with a certificate in PEM.
other_key() {
	openssl req -new -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=somebody else" \
		-keyout "$tmp/other.key" -out "$tmp/other.der" 2>/dev/null
}
signs() { with_key "$1" "$tmp/pvx_host.ko" && is_signed "$tmp/pvx_host.ko"; } # NAME
once() {
	cp "$tmp/pvx_host.ko" "$tmp/once.ko"
	signs mine && cmp "$tmp/once.ko" "$tmp/pvx_host.ko"
}
replaced() { signs other && by "somebody else" "$tmp/pvx_host.ko"; }
taken_off() { sign --remove "$tmp/pvx_host.ko" && cmp "$tmp/unsigned.ko" "$tmp/pvx_host.ko"; }
nothing_done() { ! sign "$@" && cmp "$tmp/unsigned.ko" "$tmp/pvx_host.ko"; }

# All modules, then all as they were. What make check has built is good then, and stays what its
# other tests want.
with_faults() {
	! modinfo -F parm "$build/host/pvx_host.ko" | grep -q '^fail_nth:' || echo PVX_FAULTS=y
}
made() {
	local module status=0
	make -s KVER="$kernel" W=1 $(with_faults) sign \
		SIGN_KEY="$tmp/mine.key" SIGN_CERT="$tmp/mine.der" || status=1
	for module in "$build"/host/*.ko "$build"/guest/*.ko; do
		is_signed "$module" || { echo "$module is not signed"; status=1; }
	done
	installs || status=1
	sign --remove "$build"/host/*.ko "$build"/guest/*.ko && return $status
}
# Those and no others, and they are signed.
installs() {
	local module status=0
	make -s KVER="$kernel" W=1 $(with_faults) modules_install INSTALL_MOD_PATH="$tmp/root" || return
	# As the kernel is configured.
	find "$tmp/root" -name '*.ko.xz' -exec xz -d {} + || return
	diff <(names "$build/host" "$build/guest") <(names "$tmp/root") || return
	while read -r module; do
		is_signed "$module" || { echo "$module is not signed"; status=1; }
	done < <(find "$tmp/root" -name '*.ko')
	return $status
}
names() { find "$@" -name '*.ko' -printf '%f\n' | sort; } # FOLDER...

cp "$build/host/pvx_host.ko" "$tmp/"
sign --remove "$tmp/pvx_host.ko"
cp "$tmp/pvx_host.ko" "$tmp/unsigned.ko"
check "a key is made, for modules only" new_key
check "not a second time" eval '! new_key'
check "a module is signed" signs mine
check "modinfo shows by whom" by "kvm-pvx modules" "$tmp/pvx_host.ko"
check "signed again, it has one signature" once
check "a key of the user's own" other_key
check "its signature replaces the other" replaced
check "signatures can be taken off" taken_off
check "taken off where there is none, nothing changes" taken_off
check "no such key: nothing is done" \
	nothing_done --key "$tmp/none" --cert "$tmp/mine.der" "$tmp/pvx_host.ko"
check "a key without a certificate: nothing is done" \
	nothing_done --key "$tmp/mine.key" "$tmp/pvx_host.ko"
check "one module is missing: nothing is done" nothing_done --key "$tmp/mine.key" \
	--cert "$tmp/mine.der" "$tmp/pvx_host.ko" "$tmp/none.ko"
check "make sign signs all modules, and make modules_install installs them" made
tap_done
