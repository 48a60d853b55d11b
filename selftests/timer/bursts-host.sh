#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A host script: steals from guests of one vCPU when they ask for it.
. "$PVX_TOP/selftests/timer/bursts.sh"
bursts_main
