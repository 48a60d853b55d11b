#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The Debian package: built, looked over by lintian, installed and removed. On the machine
# itself, but in a root of its own that has a shell and nothing else, with a DKMS that only
# writes down what it is asked for: dkms.sh has the real one.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. selftests/lib/tap.sh
command -v dpkg-shlibdeps >/dev/null || tap_skip_all "dpkg-dev is missing"
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
deb=build/deb/kvm-pvx_${version}_amd64.deb
tmp=$(mktemp -d "${TMPDIR:-/tmp}/pvx-debtest.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT

builds() { rm -f "$deb" && make -s deb && [ -e "$deb" ]; }

# Is each of these in the package?
has() {
	local file status=0
	for file; do
		grep -qxF "./$file" "$tmp/files" || { echo "$file is missing"; status=1; }
	done
	return $status
}

# Sources in the project, against those in the package.
same_source() {
	find host guest uapi Kbuild Makefile dkms.conf scripts/package/btf -type f \
		'(' -name '*.[ch]' -o -name Kbuild -o -name Makefile -o -name dkms.conf -o -name btf ')' |
		sort >"$tmp/ours"
	sed -n "s|^\./usr/src/kvm-pvx-$version/\(.*[^/]\)$|\1|p" "$tmp/files" | sort |
		diff "$tmp/ours" -
}

# Of each program in the package, is there a page of the manual?
documented() {
	local program status=0
	for program in $(sed -n 's|^\./usr/s\?bin/\([^/]*[^/]\)$|\1|p' "$tmp/files"); do
		grep -q "^\./usr/share/man/man[18]/$program\.[18]\.gz$" "$tmp/files" ||
			{ echo "$program has none"; status=1; }
	done
	return $status
}

unit_is_right() {
	dpkg -x "$deb" "$tmp/x" &&
		grep -qx 'ExecStart=/usr/sbin/pvx-grants .*' "$tmp/x/usr/lib/systemd/system/kvm-pvx.service"
}

# What it would do without a package, into /usr/local.
installs() {
	make -s install DESTDIR="$tmp/local" || return
	grep -qx 'ExecStart=/usr/local/sbin/pvx-grants .*' \
		"$tmp/local/usr/local/lib/systemd/system/kvm-pvx.service" &&
		grep -q '^/usr/local/sbin/' \
			"$tmp/local/usr/local/share/doc/kvm-pvx/examples/libvirt-hook" &&
		[ -x "$tmp/local/usr/local/sbin/pvxctl" ] &&
		[ -e "$tmp/local/usr/local/share/man/man8/pvx-grants.8" ] &&
		[ -e "$tmp/local/etc/kvm-pvx.conf" ]
}
keeps_settings() {
	echo '# mine' >"$tmp/local/etc/kvm-pvx.conf"
	make -s install DESTDIR="$tmp/local" && [ "$(cat "$tmp/local/etc/kvm-pvx.conf")" = '# mine' ]
}

# --- a clean root -----------------------------------------------------------

root=$tmp/root
make_root() {
	mkdir -p "$root"/{bin,dev,etc,tmp,usr/lib/dkms,usr/sbin,var/lib/dpkg/{info,updates,triggers}} &&
		cp "$(command -v busybox)" "$root/bin/busybox" && ln -s busybox "$root/bin/sh" &&
		touch "$root/var/lib/dpkg/status" "$root/dev/null" "$root/etc/hostname" || return
	cat >"$root/usr/lib/dkms/common.postinst" <<'END_OF_POSTINST'
#!/bin/sh
echo "postinst $1 $2" >>/tmp/asked
echo "$1/$2: added" >/tmp/state
END_OF_POSTINST
	cat >"$root/usr/sbin/dkms" <<'END_OF_DKMS'
#!/bin/sh
case $1 in
status)	read -r state </tmp/state && echo "$state" ;;
remove)	echo "$*" >>/tmp/asked; : >/tmp/state ;;
esac
END_OF_DKMS
	chmod 755 "$root/usr/lib/dkms/common.postinst" "$root/usr/sbin/dkms"
	: >"$root/tmp/state"
}

# Scripts run in the root; what the package depends on is not there.
in_root() {
	: >"$root/tmp/asked"
	PATH=/usr/sbin:/usr/bin:/sbin:/bin dpkg --root="$root" --log="$tmp/log" \
		--force-depends "$@"
}
snapshot() {
	(cd "$root" && find . -path ./var/lib/dpkg -prune -o -path './tmp/*' -prune -o \
		-printf '%y %m %p\n' | sort)
}
asked() { printf '%s\n' "$@" | grep . | diff - "$root/tmp/asked"; } # LINE...

postinst="postinst kvm-pvx $version"
remove="remove -m kvm-pvx -v $version --all"

installed() {
	in_root -i "$deb" && asked "$postinst" && [ -x "$root/usr/sbin/pvxctl" ] &&
		[ -e "$root/usr/src/kvm-pvx-$version/dkms.conf" ]
}
installed_over() { in_root -i "$deb" && asked "$remove" "$postinst"; }
removed() { in_root -r kvm-pvx && asked "$remove"; }
kept() { [ ! -e "$root/usr/sbin/pvxctl" ] && [ -e "$root/etc/kvm-pvx.conf" ]; }
purged() { in_root -P kvm-pvx && asked; }
nothing_left() {
	snapshot | diff "$tmp/before" - || return
	case $(dpkg-query --admindir="$root/var/lib/dpkg" -W -f '${db:Status-Status}' kvm-pvx \
		2>/dev/null) in "" | not-installed) ;; *) return 1 ;; esac
}

clean_root_tests() {
	if [ "$(id -u)" -ne 0 ] || ! command -v busybox >/dev/null; then
		tap_skip "installed in a clean root" "not root, or no busybox"
		return
	fi
	check "a clean root" make_root
	snapshot >"$tmp/before"
	check "installed there: DKMS is told" installed
	check "installed over itself: DKMS takes the old one out first" installed_over
	check "removed: DKMS has taken it out" removed
	check "then only the settings are left" kept
	check "purged" purged
	check "then nothing is left" nothing_left
}

# --- all of it --------------------------------------------------------------

check "it can be built" builds
[ -e "$deb" ] || { tap_done; exit 1; }
dpkg-deb -c "$deb" | sed 's/^.* \.\//.\//' >"$tmp/files"
if command -v lintian >/dev/null; then
	check "lintian finds no error" lintian --fail-on error "$deb"
else
	tap_skip "lintian finds no error" "lintian is missing"
fi
check "it has all tools" has usr/sbin/{pvxctl,pvx-grants,pvx-numad,pvx-ksmd,pvx-numa-map} \
	usr/sbin/{pvxtop,pvxtax,pvxlock,pvx-lock-latency,pvxtune,pvx-policy} usr/bin/pvx-fork-run
check "each tool has a page of the manual" documented
check "it has service, settings and examples" has etc/kvm-pvx.conf \
	usr/lib/systemd/system/kvm-pvx.service usr/share/man/man5/kvm-pvx.conf.5.gz \
	usr/share/doc/kvm-pvx/examples/{libvirt-hook,modprobe.conf} \
	usr/share/doc/kvm-pvx/examples/modules-load-{host,guest}.conf
check "it has all that DKMS builds from, and no more" same_source
check "its service runs its own program" unit_is_right
clean_root_tests
check "make install goes to /usr/local without a prefix" installs
check "make install leaves settings alone" keeps_settings
tap_done
