# SPDX-License-Identifier: GPL-2.0
#
# Groups of threads with memory of their own. Sourced by guest scripts.
work=$PVX_TOP/build/selftests/numa/work
# What is asked for gets on beside them, who would take all of the vCPUs.
renice -n -20 -p $$ >/dev/null

begin() { # GROUP CPUS [huge]: returns when its memory is there, in huge pages or in small ones
	rm -f "$PVX_OUT/gfns.$1"
	nice -n 20 taskset -c "$2" "$work" 64 2 "$PVX_OUT/gfns.$1" ${3:-} &
	echo $! >/run/work.$1
	for i in $(seq 600); do
		[ ! -e "$PVX_OUT/gfns.$1" ] || return 0
		kill -0 "$(cat /run/work.$1)" || return
		sleep 0.1
	done
	return 1
}
