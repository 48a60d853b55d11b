// SPDX-License-Identifier: GPL-2.0
/*
 * Which allocations fail, in builds for tests
 */
#include "fault.h"
#include "../host/fault.c"
