/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVX_CLOCK_DEV_H
#define PVX_CLOCK_DEV_H

int pvx_clock_dev_init(void);
void pvx_clock_dev_exit(void);

#endif /* PVX_CLOCK_DEV_H */
