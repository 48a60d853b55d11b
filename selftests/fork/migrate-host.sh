#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A guest in which processes fork, and the host copies, migrates to a second VM on the same
# host: what the host writes counts as written. A host script for lab run --guests 0
# --guest-cpus 2 with the modules pvx_host, pvx_host_fork and pvx_guest.
. "$PVX_TOP/selftests/lib/tap.sh"
guests=1
. "$PVX_TOP/selftests/ksm/ask-host.sh"
. "$PVX_TOP/selftests/lib/migrate.sh"

rounds() { # GUEST: that it was right in, and the host copied
	awk '$1 == "round" && $4 > 0 && $5 ~ /^right/ { n++ } END { print n + 0 }' "/run/pvx/out/guest$1/console"
}
has_rounds() { [ "$(rounds "$1")" -ge "$2" ]; } # GUEST ROUNDS
wrong() { grep '^round .* wrong' "/run/pvx/out/guest$1/console"; } # GUEST
is_right() { ! wrong "$1"; }
by_host() { # GUEST: pages, at its last round
	awk '$1 == "round" { n = $4 } END { print n + 0 }' "/run/pvx/out/guest$1/console"
}
copies_more() { [ "$(by_host "$1")" -gt "$2" ]; } # GUEST THAN
copied() { # GUEST: pages, by the host's own count
	sed -n 's/^fork_copied=//p' "/sys/kernel/debug/pvx_host/$(id "$1")/features"
}
has_copied_more() { [ "$(copied 1)" -gt $((copied_before + 1000)) ]; }
grant() { "$pvxctl" grant --pid "$(pid "$1")" fork; } # GUEST

add_file "$PVX_TOP/build/selftests/fork/integrity" &&
	make_initrd "$PVX_TOP/selftests/fork/migrate-init" virtio_pci pvx_guest_fork.ko || exit
start 1
check "the guest is granted fork" within 20 grant 1
check "memory is what was written" within 180 has_rounds 1 2
start_target 2
check "so is the VM that it goes to" within 20 grant 2
check "which waits for it" within 20 listens
# So slowly that the host copies for it while it writes down what was written to.
check "16 MB of it are sent in a second" qmp 1 '{"execute":"migrate-set-parameters",
	"arguments":{"max-bandwidth":16000000,"downtime-limit":8000}}'
copied_before=$(copied 1)
check "it begins to migrate" begin_migration 1
check "and has come to an end with it" within 180 migrated 1
echo "# the host copied $copied_before pages before, and $(copied 1) in all"
check "meanwhile the host has copied for it" has_copied_more
check "it was right to the end" is_right 1
before=$(by_host 1)
check "where it comes from ends" ends 1
guests=2
check "it goes on there, and is right" within 60 has_rounds 2 3
check "in each round" is_right 2
check "and the host copies" copies_more 2 "$before"
kill "$(pid 2)"
tap_done
