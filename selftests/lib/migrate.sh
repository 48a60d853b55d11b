# SPDX-License-Identifier: GPL-2.0
#
# Guests that migrate to a second VM on the same host. They have no share with the host, which
# they could not take along, but all in their initrd. Sourced by host scripts behind
# ask-host.sh.
files=/run/migrate
mkdir -p $files/root/{bin,proc,sys,dev,modules}

# add_file FILE...: with the libraries that a program needs
add_file() {
	local file library
	for file in "$@"; do
		cp "$file" $files/root/bin/ || return
		for library in $(ldd "$file" 2>/dev/null | grep -o '/[^ ]*'); do
			mkdir -p "$files/root${library%/*}" && cp -L "$library" "$files/root$library" || return
		done
	done
}
# make_initrd INIT "KERNEL MODULE..." "OURS PARAMETER...": all of them are loaded, in that order
make_initrd() {
	local root=$files/root module
	cp "$1" $root/init && cp "$(command -v busybox)" $root/bin/ || return
	modprobe -S "$PVX_KERNEL" -D -a $2 |
	awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r module; do
		xz -dcf "$module" >"$root/modules/$(basename "${module%.xz}")"
		basename "${module%.xz}" >>$root/modules/order
	done
	for module in pvx_guest.ko "$3"; do
		cp "$PVX_BUILD/guest/${module%% *}" $root/modules/ || return
		echo "$module" >>$root/modules/order
	done
	(cd $root && find . | cpio -o -H newc --quiet | gzip -1) >$files/initrd
}
# start GUEST [QEMU OPTION...]
start() {
	local n=$1
	shift
	machine_start "$n" -initrd $files/initrd -append "$boot_options" $(unmergeable "$n") "$@"
}
# Where it goes, on port 4450, without a connection, of which there is to be one only.
start_target() { # GUEST [QEMU OPTION...]
	start "$@" -incoming tcp:127.0.0.1:4450
}
listens() { grep -q '^ *[0-9]*: 0100007F:1162 [0-9A-F:]* 0A ' /proc/net/tcp; }
# An emulated guest writes faster than it is copied by what QEMU takes for a short while.
may_stand_still() { # GUEST
	qmp "$1" '{"execute":"migrate-set-parameters","arguments":{"downtime-limit":10000}}'
}
# Where it comes from and where it goes: its memory may come when it is there already.
allow_postcopy() {
	qmp "$1" '{"execute":"migrate-set-capabilities","arguments":{"capabilities":[
		{"capability":"postcopy-ram","state":true}]}}'
}
begin_migration() { # GUEST
	qmp "$1" '{"execute":"migrate","arguments":{"uri":"tcp:127.0.0.1:4450"}}'
}
# QEMU may close its monitor before it has answered.
ask_to_end() { qmp "$1" '{"execute":"quit"}' >/dev/null 2>&1; } # GUEST
has_ended() { ! kill -0 "$(pid "$1")" 2>/dev/null; } # GUEST
migrated() { # GUEST
	local progress
	progress=$(qmp "$1" '{"execute":"query-migrate"}')
	[[ $progress =~ \"status\":\ *\"completed\" ]]
}
