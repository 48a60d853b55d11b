#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A guest in which processes fork, and the host copies, migrates to a second VM on the same
# host: what the host writes counts as written. Then to a third one, by postcopy. A host
# script for lab run --guests 0 --guest-cpus 2 with the modules pvx_host, pvx_host_fork and
# pvx_guest.
. "$PVX_TOP/selftests/lib/tap.sh"
guests=1
. "$PVX_TOP/selftests/ksm/ask-host.sh"
. "$PVX_TOP/selftests/lib/migrate.sh"

# What a guest says: round NUMBER by_host PAGES by_guest PAGES right|wrong...
said() { cat "/run/pvx/out/guest$1/console"; } # GUEST
rounds() { # GUEST: that it was right in, and the host copied
	said "$1" | awk '$1 == "round" && $4 > 0 && $7 ~ /^right/ { n++ } END { print n + 0 }'
}
has_rounds() { [ "$(rounds "$1")" -ge "$2" ]; } # GUEST ROUNDS
is_right() { ! said "$1" | grep '^round .* wrong'; } # GUEST
by_host() { said "$1" | awk '$1 == "round" { n = $4 } END { print n + 0 }'; } # GUEST: pages, at its last round
by_guest() { said "$1" | awk '$1 == "round" { n = $6 } END { print n + 0 }'; }
copied() { # GUEST: pages, by the host's own count
	sed -n 's/^fork_copied=//p' "/sys/kernel/debug/pvx_host/$(id "$1")/features"
}
is_more() { [ "$("$1" "$2")" -gt "$3" ]; } # COUNT GUEST THAN
grant() { "$pvxctl" grant --pid "$(pid "$1")" fork; } # GUEST
# So slowly that the host copies for it in the meantime.
send_slowly() { # GUEST BYTES-PER-SECOND
	qmp "$1" '{"execute":"migrate-set-parameters","arguments":{"max-bandwidth":'"$2"',
		"max-postcopy-bandwidth":'"$2"',"downtime-limit":8000}}'
}
# A VM that waits for one; then the guest is on its way.
send() { # FROM TO BYTES-PER-SECOND all|postcopy
	local n
	start_target "$2"
	check "so is VM $2, that it goes to" within 20 grant "$2"
	check "which waits for it" within 20 listens
	[ "$4" != postcopy ] || for n in $1 $2; do check "$n: memory may come later" allow_postcopy "$n"; done
	check "$3 bytes of it are sent in a second" send_slowly "$1" "$3"
	check "it begins to migrate" begin_migration "$1"
}
goes_on() { # FROM TO
	local before
	before=$(by_host "$1")
	check "it was right to the end" is_right "$1"
	guests=$2
	ask_to_end "$1"
	check "where it comes from ends" within 10 has_ended "$1"
	check "it goes on there, and is right" within 60 has_rounds "$2" 3
	check "in each round" is_right "$2"
	check "and the host copies" within 60 is_more by_host "$2" "$before"
}
# Pages that were asked for since the guest is on the other side.
asked_for() { qmp "$1" '{"execute":"query-migrate"}' | sed -n 's/.*"postcopy-requests": *\([0-9]*\).*/\1/p'; } # GUEST

add_file "$PVX_TOP/build/selftests/fork/integrity" &&
	make_initrd "$PVX_TOP/selftests/fork/migrate-init" virtio_pci pvx_guest_fork.ko || exit
start 1
check "the guest is granted fork" within 20 grant 1
check "memory is what was written" within 180 has_rounds 1 2
send 1 2 16000000 all
before=$(copied 1)
check "and has come to an end with it" within 180 migrated 1
echo "# the host copied $before pages before, and $(copied 1) in all"
check "meanwhile the host has copied for it" is_more copied 1 $((before + 1000))
goes_on 1 2

# The guest goes on there at once, and what it touches comes then, by userfaultfd: no call
# may wait for that.
send 2 3 4000000 postcopy
check "it goes on there at once" qmp 2 '{"execute":"migrate-start-postcopy"}'
before=$(by_guest 2)
check "it has all its memory" within 180 migrated 2
check "of which it asked for some" is_more asked_for 2 0
goes_on 2 3
echo "# $before pages were copied by the guest before, and $(by_guest 3) in all"
check "where memory had not come the guest copied" is_more by_guest 3 "$before"
kill "$(pid 3)"
tap_done
