// SPDX-License-Identifier: GPL-2.0
/*
 * Which allocations fail, in builds for tests
 */
#include <linux/atomic.h>
#include <linux/module.h>

#include "fault.h"

static unsigned int fail_nth;
module_param(fail_nth, uint, 0644);
MODULE_PARM_DESC(fail_nth,
	"Of so many allocations of kvm-pvx's modules one fails (default 0: none)");

/* All that there were while some failed. */
static atomic_t allocations;

/* Context: any. Return: whether the allocation that is to be made now fails. */
bool PVX_FAILS(void)
{
	const unsigned int nth = READ_ONCE(fail_nth);

	return nth && (unsigned int)atomic_inc_return(&allocations) % nth == 0;
}
EXPORT_SYMBOL_GPL(PVX_FAILS);
