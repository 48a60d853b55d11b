// SPDX-License-Identifier: GPL-2.0
/*
 * Reading what lockwait.bpf.c has counted
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "lockwaits.h"
#include "lockwait.skel.h"
#include "tool.h"
#include "tool_bpf.h"

/* --- the programs ---------------------------------------------------------- */

/* Each a section, or a function: some slow paths are in that section in newer kernels only. */
static const struct {
	const char *from;
	const char *to;
} lock_functions[] = {
	{ "__lock_text_start", "__lock_text_end" },
	{ "native_queued_spin_lock_slowpath", NULL },
	{ "__pv_queued_spin_lock_slowpath", NULL },
	{ "queued_read_lock_slowpath", NULL },
	{ "queued_write_lock_slowpath", NULL },
};

_Static_assert(ARRAY_SIZE(lock_functions) + 1 == WAIT_TEXTS, "and those of pvx_guest_lock");

static void tell_lock_text(struct lockwait_bpf *bpf, const struct symbols *symbols)
{
	struct text_range *text = bpf->rodata->lock_text;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lock_functions); i++)
		if (symbols_range(symbols, lock_functions[i].from, lock_functions[i].to,
				  &text->from, &text->size))
			text++;
	symbols_of_module(symbols, "pvx_guest_lock", &text->from, &text->size);
}

/* What this kernel does not have is left out, or there is nothing to look at. */
static void choose_programs(struct lockwait_bpf *bpf)
{
	struct btf *btf = btf__load_vmlinux_btf();

	if (!btf)
		err(EXIT_FAILED, "types of this kernel");
	if (btf__find_by_name_kind(btf, "btf_trace_contention_begin", BTF_KIND_TYPEDEF) < 0)
		errx(EXIT_FAILED,
		     "no tracepoint contention_begin (this needs Linux 5.19 or later)");
	if (btf__find_by_name_kind(btf, "kvm_wait", BTF_KIND_FUNC) < 0)
		bpf_program__set_autoload(bpf->progs.on_halt, false);
	btf__free(btf);
	if (access("/sys/module/pvx_guest", F_OK))
		bpf_program__set_autoload(bpf->progs.on_yield, false);
}

/* Before anything is counted, so that there is room for what finds none. */
static void make_no_room(struct lockwait_bpf *bpf)
{
	const int cpus = libbpf_num_possible_cpus();
	const struct wait_key key = { 0 };
	struct wait_stats *none;

	if (cpus < 0)
		tool_check_bpf(cpus);
	none = tool_allocate(cpus, sizeof(*none));
	tool_check_bpf(bpf_map__update_elem(bpf->maps.pairs, &key, sizeof(key), none,
					    cpus * sizeof(*none), BPF_ANY));
	free(none);
}

struct lockwait_bpf *lockwaits_open(const struct symbols *symbols)
{
	struct lockwait_bpf *bpf;

	tool_begin_bpf();
	bpf = lockwait_bpf__open();
	if (!bpf)
		err(EXIT_FAILED, "BPF programs");
	choose_programs(bpf);
	tell_lock_text(bpf, symbols);
	tool_check_bpf(lockwait_bpf__load(bpf));
	make_no_room(bpf);
	tool_check_bpf(lockwait_bpf__attach(bpf));
	return bpf;
}

void lockwaits_close(struct lockwait_bpf *bpf)
{
	lockwait_bpf__destroy(bpf);
}

bool lockwaits_see_halts(const struct lockwait_bpf *bpf)
{
	return bpf_program__autoload(bpf->progs.on_halt);
}

bool lockwaits_see_steal(const struct lockwait_bpf *bpf)
{
	return bpf->bss->steal_is_told;
}

/* --- rows ------------------------------------------------------------------ */

void wait_stats_add(struct wait_stats *sum, const struct wait_stats *s)
{
	unsigned int i;

	sum->count += s->count;
	sum->ns += s->ns;
	sum->preempted += s->preempted;
	sum->yielded += s->yielded;
	sum->halted += s->halted;
	for (i = 0; i < WAIT_BUCKETS; i++)
		sum->buckets[i] += s->buckets[i];
}

static void subtract(struct wait_stats *s, const struct wait_stats *then)
{
	unsigned int i;

	s->count -= then->count;
	s->ns -= then->ns;
	s->preempted -= then->preempted;
	s->yielded -= then->yielded;
	s->halted -= then->halted;
	for (i = 0; i < WAIT_BUCKETS; i++)
		s->buckets[i] -= then->buckets[i];
}

static int compare(const void *a, const void *b)
{
	const struct wait_row *x = a, *y = b;

	if (x->key.lock != y->key.lock)
		return x->key.lock < y->key.lock ? -1 : 1;
	return x->key.caller < y->key.caller ? -1 : x->key.caller > y->key.caller;
}

static void read_pairs(int map, struct wait_rows *rows)
{
	const int cpus = libbpf_num_possible_cpus();
	struct wait_stats *s = tool_allocate(cpus, sizeof(*s)), *sum;
	struct wait_key key, *last = NULL;
	int cpu;

	while (rows->count < WAIT_PAIRS_MAX && !bpf_map_get_next_key(map, last, &key)) {
		last = &key;
		if (bpf_map_lookup_elem(map, &key, s))
			continue;
		sum = &rows->no_room;
		if (key.lock) {
			rows->rows[rows->count].key = key;
			sum = &rows->rows[rows->count++].s;
		}
		for (cpu = 0; cpu < cpus; cpu++)
			wait_stats_add(sum, &s[cpu]);
	}
	free(s);
}

void wait_rows_read(struct lockwait_bpf *bpf, struct wait_rows *rows)
{
	*rows = (struct wait_rows){ .at = tool_now_ns() };
	rows->rows = tool_allocate(WAIT_PAIRS_MAX, sizeof(*rows->rows));
	read_pairs(bpf_map__fd(bpf->maps.pairs), rows);
	qsort(rows->rows, rows->count, sizeof(*rows->rows), compare);
	rows->missed = bpf->bss->dropped + tool_bpf_missed(bpf->obj);
	rows->without_holder = bpf->bss->without_holder;
}

void wait_rows_free(struct wait_rows *rows)
{
	free(rows->rows);
	*rows = (struct wait_rows){ 0 };
}

void wait_rows_since(struct wait_rows *since, const struct wait_rows *now,
		     const struct wait_rows *then)
{
	const struct wait_row *old;
	size_t i;

	*since = *now;
	since->rows = tool_allocate(now->count, sizeof(*now->rows));
	memcpy(since->rows, now->rows, now->count * sizeof(*now->rows));
	for (i = 0; i < since->count; i++) {
		old = bsearch(&since->rows[i], then->rows, then->count, sizeof(*old), compare);
		if (old)
			subtract(&since->rows[i].s, &old->s);
	}
	subtract(&since->no_room, &then->no_room);
	since->missed -= then->missed;
	since->without_holder -= then->without_holder;
}
