# SPDX-License-Identifier: GPL-2.0
#
# Which tracepoints are hit, and with what. Sourced.
events=/sys/kernel/tracing/instances/pvx_test

events_begin() { # SYSTEM:EVENT...
	local event
	mkdir -p $events || return
	for event; do echo 1 >"$events/events/${event/://}/enable" || return; done
}
# Once is enough, but it must have had all fields.
event_seen() { # EVENT FIELDS, a pattern
	grep -m 1 -E " $1: $2\$" $events/trace || { echo "no $1 with $2"; return 1; }
}
events_end() { rmdir $events; }
