/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which answers a hypercall may have, by Documentation/hypercalls.rst, written a second time
 */
#ifndef PVX_FUZZ_ANSWERS_H
#define PVX_FUZZ_ANSWERS_H

#include <linux/kvm_para.h>
#include <linux/types.h>

#include <linux/kvm_pvx.h>

/* The first argument from @first on that is set, as an error; or 0. */
static inline s64 pvx_fuzz_unused(const u64 a[4], int first)
{
	for (; first < 4; first++)
		if (a[first])
			return -PVX_E_ARG(first);
	return 0;
}

static inline bool pvx_fuzz_is_nothing(const u64 a[4])
{
	return !a[0] && !a[1];
}

/* A list of @least to @most entries at a[0]. */
static inline s64 pvx_fuzz_list(const u64 a[4], u64 least, u64 most)
{
	if (a[0] % sizeof(u64))
		return -PVX_E_ARG(0);
	return a[1] < least || a[1] > most ? -PVX_E_ARG(1) : 0;
}

static inline s64 pvx_fuzz_negotiate_args(const u64 a[4])
{
	if (a[0] != PVX_ABI_VERSION)
		return -PVX_E_VERSION;
	return a[1] & PVX_F_RESERVED ? -PVX_E_ARG(1) : pvx_fuzz_unused(a, 2);
}

static inline s64 pvx_fuzz_ksm_args(const u64 a[4])
{
	if (a[0] && !a[1])
		return -PVX_E_ARG(0);
	return pvx_fuzz_list(a, 0, PVX_KSM_WORDS_MAX) ?: pvx_fuzz_unused(a, 2);
}

static inline s64 pvx_fuzz_numa_args(const u64 a[4])
{
	s64 err;

	if (pvx_fuzz_is_nothing(a))
		return pvx_fuzz_unused(a, 2);
	err = pvx_fuzz_list(a, 1, PVX_NUMA_USES_MAX);
	if (err)
		return err;
	if (a[2] < PVX_NUMA_SHIFT_MIN || a[2] > PVX_NUMA_SHIFT_MAX)
		return -PVX_E_ARG(2);
	return a[3] % 4096 ? -PVX_E_ARG(3) : 0;
}

/* What number and arguments decide, whatever they point to: an error, or 0. */
static inline s64 pvx_fuzz_args(u32 nr, const u64 a[4])
{
	switch (nr) {
	case PVX_HC_NEGOTIATE:
		return pvx_fuzz_negotiate_args(a);
	case PVX_HC_NOP:
		return pvx_fuzz_unused(a, 0);
	case PVX_HC_YIELD:
		return a[0] > U32_MAX ? -PVX_E_ARG(0) : pvx_fuzz_unused(a, 1);
	case PVX_HC_KSM:
		return pvx_fuzz_ksm_args(a);
	case PVX_HC_FORK:
		return pvx_fuzz_list(a, 1, PVX_FORK_PAIRS_MAX) ?: pvx_fuzz_unused(a, 2);
	case PVX_HC_NUMA:
		return pvx_fuzz_numa_args(a);
	default:
		return -KVM_ENOSYS;
	}
}

/* Is it that one of @count entries is wrong? */
static inline bool pvx_fuzz_is_entry(s64 ret, u64 count)
{
	return ret <= -PVX_E_ENTRY(0) && ret > -PVX_E_ENTRY((s64)count);
}

static inline bool pvx_fuzz_ksm_may(const u64 a[4], s64 ret)
{
	if (!ret || ret == -PVX_E_BUSY)
		return true;
	return a[1] && (ret == PVX_KSM_AGAIN || ret == -PVX_E_ARG(0) || ret == -PVX_E_DATA);
}

static inline bool pvx_fuzz_fork_may(const u64 a[4], s64 ret)
{
	return (ret > 0 && ret <= a[1]) || ret == -PVX_E_ARG(0) || ret == -PVX_E_BUSY ||
	       pvx_fuzz_is_entry(ret, a[1]);
}

static inline bool pvx_fuzz_numa_may(const u64 a[4], s64 ret)
{
	if (pvx_fuzz_is_nothing(a))
		return !ret;
	return !ret || ret == PVX_NUMA_AGAIN || ret == -PVX_E_ARG(0) || ret == -PVX_E_ARG(2) ||
	       (a[3] && ret == -PVX_E_ARG(3)) || pvx_fuzz_is_entry(ret, a[1]);
}

/**
 * pvx_fuzz_may_answer() - may the host answer this?
 * @nr: number of the call
 * @a: its arguments
 * @ret: the answer
 *
 * It may answer -KVM_ENOSYS to any call at any time.
 */
static inline bool pvx_fuzz_may_answer(u32 nr, const u64 a[4], s64 ret)
{
	const s64 decided = pvx_fuzz_args(nr, a);

	if (ret == -KVM_ENOSYS)
		return true;
	/* That the host is out of memory comes before anything else there. */
	if (nr == PVX_HC_NUMA && ret == -PVX_E_BUSY)
		return true;
	if (decided)
		return ret == decided;
	switch (nr) {
	case PVX_HC_NEGOTIATE:
		return ret >= 0 && !(ret & ~(a[1] & PVX_F_ALL));
	case PVX_HC_YIELD:
		return ret >= 0 && ret < PVX_YIELD_STATUSES;
	case PVX_HC_KSM:
		return pvx_fuzz_ksm_may(a, ret);
	case PVX_HC_FORK:
		return pvx_fuzz_fork_may(a, ret);
	case PVX_HC_NUMA:
		return pvx_fuzz_numa_may(a, ret);
	default:
		return !ret;
	}
}

#endif /* PVX_FUZZ_ANSWERS_H */
