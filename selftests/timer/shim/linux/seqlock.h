/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVX_SHIM_SEQLOCK_H
#define PVX_SHIM_SEQLOCK_H

#include <stdbool.h>

typedef struct {
	unsigned int sequence;
} seqcount_t;

static inline void seqcount_init(seqcount_t *s)
{
	s->sequence = 0;
}

static inline void raw_write_seqcount_begin(seqcount_t *s)
{
	__atomic_fetch_add(&s->sequence, 1, __ATOMIC_SEQ_CST);
}

static inline void raw_write_seqcount_end(seqcount_t *s)
{
	__atomic_fetch_add(&s->sequence, 1, __ATOMIC_SEQ_CST);
}

static inline unsigned int raw_seqcount_begin(const seqcount_t *s)
{
	return __atomic_load_n(&s->sequence, __ATOMIC_SEQ_CST) & ~1U;
}

static inline bool read_seqcount_retry(const seqcount_t *s, unsigned int start)
{
	return __atomic_load_n(&s->sequence, __ATOMIC_SEQ_CST) != start;
}

#endif /* PVX_SHIM_SEQLOCK_H */
