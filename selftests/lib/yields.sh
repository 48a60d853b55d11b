# SPDX-License-Identifier: GPL-2.0
#
# How often directed yields of all VMs were answered so, by the host. Sourced.
yields() { # STATUS...
	cat /sys/kernel/debug/pvx_host/*/features | awk -F= -v of=" $* " '
		/^yield_/ && index(of, " " substr($1, 7) " ") { n += $2 } END { print n + 0 }'
}
