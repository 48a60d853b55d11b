# SPDX-License-Identifier: GPL-2.0
#
# Guest's part of the NUMA cases: two processes, each with memory of its own and on vCPUs of
# its own, and the module, as the host asks for it.
. "$PVX_TOP/selftests/numa/groups.sh"
do_what_is_asked act
