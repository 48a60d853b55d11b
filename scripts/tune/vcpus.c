// SPDX-License-Identifier: GPL-2.0
/*
 * Reading what vcpu.bpf.c has counted
 *
 * A vCPU that stays in one state has no event, so what has passed since it came into that is
 * added when it is read.
 */
#include <err.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <asm/kvm.h>
#include <asm/svm.h>
#include <asm/vmx.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "tool.h"
#include "tool_bpf.h"
#include "vcpu.skel.h"
#include "vcpus.h"

/* --- vCPUs that there are already -------------------------------------------- */

/* What the first line that is like that has; as it was if there is none. */
static void read_line(const char *path, const char *format, void *value)
{
	char line[256];
	FILE *file = fopen(path, "re");

	if (!file)
		return;
	while (fgets(line, sizeof(line), file) && sscanf(line, format, value) != 1)
		;
	fclose(file);
}

/* Whatever a thread that runs does is put right by its next event. */
static void note_known(int map, pid_t only_tgid, const char *path)
{
	struct vcpu v = { .ran = VCPU_EXIT };
	char status[32], wchan[32], sleeps_in[32] = "", state = 'R';
	__u32 tid = 0;

	read_line(path, "%u", &tid);
	snprintf(status, sizeof(status), "/proc/%u/status", tid);
	read_line(status, "Tgid: %u", &v.tgid);
	read_line(status, "State: %c", &state);
	if (!v.tgid || (only_tgid && (pid_t)v.tgid != only_tgid) ||
	    sscanf(strstr(path, "/vcpu"), "/vcpu%u", &v.id) != 1)
		return;
	v.since = tool_now_ns();
	snprintf(wchan, sizeof(wchan), "/proc/%u/wchan", tid);
	read_line(wchan, "%31s", sleeps_in);
	v.state = state != 'S' ? VCPU_GUEST :
		  strncmp(sleeps_in, "kvm_vcpu_", 9) ? VCPU_BLOCKED : VCPU_HALTED;
	bpf_map_update_elem(map, &tid, &v, BPF_NOEXIST);
}

/* Else those that sleep would not be known before they enter their guests again. */
static void note_all_known(int map, pid_t only_tgid)
{
	glob_t files;
	size_t i;

	if (glob("/sys/kernel/debug/kvm/*/vcpu*/pid", 0, NULL, &files))
		return;
	for (i = 0; i < files.gl_pathc; i++)
		note_known(map, only_tgid, files.gl_pathv[i]);
	globfree(&files);
}

/* --- the programs ---------------------------------------------------------- */

/* The types of KVM's events are in the kernel's BTF where it is no module. */
static void check_kvm(void)
{
	if (access("/sys/module/kvm", F_OK))
		errx(EXIT_FAILED, "kvm is not loaded: this is for KVM hosts");
	if (!access("/sys/module/kvm/initstate", F_OK) && access("/sys/kernel/btf/kvm", F_OK))
		errx(EXIT_FAILED, "kvm has no BTF: /sys/kernel/btf/kvm is missing (this needs a "
		     "kernel with CONFIG_DEBUG_INFO_BTF_MODULES)");
}

struct vcpu_bpf *vcpus_open(pid_t only_tgid)
{
	struct vcpu_bpf *bpf;

	tool_begin_bpf();
	check_kvm();
	bpf = vcpu_bpf__open();
	if (!bpf)
		err(EXIT_FAILED, "BPF programs");
	bpf->rodata->only_tgid = only_tgid;
	bpf_program__set_autoattach(bpf->progs.on_call, false);
	bpf_program__set_autoattach(bpf->progs.on_yield, false);
	tool_check_bpf(vcpu_bpf__load(bpf) ?: vcpu_bpf__attach(bpf));
	note_all_known(bpf_map__fd(bpf->maps.vcpus), only_tgid);
	return bpf;
}

void vcpus_close(struct vcpu_bpf *bpf)
{
	vcpu_bpf__destroy(bpf);
}

/*
 * One of our events: a module that comes later is seen then, and what fails once is not tried again
 * before it is gone. Returns whether all that there is of it is seen.
 */
static bool see(struct bpf_link **link, const struct bpf_program *program, const char *module,
		bool *failed)
{
	if (access(module, F_OK)) {
		*failed = false;
		return true;
	}
	if (!*link && !*failed) {
		*link = bpf_program__attach(program);
		*failed = !*link;
	}
	return *link;
}

static void see_no_more(struct bpf_link **link)
{
	bpf_link__destroy(*link);
	*link = NULL;
}

static bool sees_calls;

void vcpus_see_calls(struct vcpu_bpf *bpf, bool wanted)
{
	static bool call_failed, yield_failed;

	if (!wanted) {
		sees_calls = false;
		see_no_more(&bpf->links.on_call);
		see_no_more(&bpf->links.on_yield);
		return;
	}
	sees_calls = see(&bpf->links.on_call, bpf->progs.on_call, "/sys/module/pvx_host",
			 &call_failed) && bpf->links.on_call;
	sees_calls &= see(&bpf->links.on_yield, bpf->progs.on_yield, "/sys/module/pvx_host_yield",
			  &yield_failed);
}

/* --- rows ------------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
	const struct vcpu_row *x = a, *y = b;

	if (x->v.tgid != y->v.tgid)
		return x->v.tgid < y->v.tgid ? -1 : 1;
	if (x->v.id != y->v.id)
		return x->v.id < y->v.id ? -1 : 1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

static int add(struct vcpu_rows *rows, pid_t tid, const struct vcpu *v)
{
	struct vcpu_row *more = realloc(rows->rows, (rows->count + 1) * sizeof(*more));

	if (!more)
		return -1;
	rows->rows = more;
	more[rows->count++] = (struct vcpu_row){ .tid = tid, .v = *v };
	return 0;
}

static void complete(struct vcpu *v, unsigned long long now)
{
	if (v->state >= VCPU_STATES || now <= v->since)
		return;
	v->ns[v->state] += now - v->since;
	if (v->state == VCPU_EXIT && v->reason < VCPU_REASONS)
		v->exits[v->reason].ns += now - v->since;
}

/* Where a thread ends meanwhile, the map is gone over from its beginning again. */
static void drop_doubles(struct vcpu_rows *rows)
{
	size_t i, n = 0;

	for (i = 0; i < rows->count; i++)
		if (!n || compare(&rows->rows[n - 1], &rows->rows[i]))
			rows->rows[n++] = rows->rows[i];
	rows->count = n;
}

/* So often it is tried to read what no event changes meanwhile. */
#define READ_TRIES	8

/* An event in the middle of a copy shows in the next one. */
static int read_vcpu(int map, __u32 tid, struct vcpu *v)
{
	unsigned long long now;
	struct vcpu next;
	bool unchanged;
	int tries;

	if (bpf_map_lookup_elem(map, &tid, v))
		return -1;
	for (tries = 0; tries < READ_TRIES; tries++) {
		/* Before the second look: until then it was in that state for certain. */
		now = tool_now_ns();
		if (bpf_map_lookup_elem(map, &tid, &next))
			return -1;
		unchanged = next.since == v->since;
		/* The later one, also then: the event may have added its time only now. */
		*v = next;
		if (unchanged) {
			complete(v, now);
			break;
		}
	}
	return 0;
}

int vcpu_rows_read(struct vcpu_bpf *bpf, struct vcpu_rows *rows)
{
	const int map = bpf_map__fd(bpf->maps.vcpus);
	__u32 tid, *last = NULL;
	struct vcpu v;

	*rows = (struct vcpu_rows){ .at = tool_now_ns(), .sees_calls = sees_calls };
	while (!bpf_map_get_next_key(map, last, &tid)) {
		last = &tid;
		if (read_vcpu(map, tid, &v))
			continue;
		if (add(rows, tid, &v)) {
			vcpu_rows_free(rows);
			return -1;
		}
	}
	qsort(rows->rows, rows->count, sizeof(*rows->rows), compare);
	drop_doubles(rows);
	rows->missed = bpf->bss->missed + tool_bpf_missed(bpf->obj);
	return 0;
}

void vcpu_rows_free(struct vcpu_rows *rows)
{
	free(rows->rows);
	*rows = (struct vcpu_rows){ 0 };
}

int vcpu_rows_copy(struct vcpu_rows *to, const struct vcpu_rows *from)
{
	const size_t bytes = from->count * sizeof(*from->rows);

	*to = *from;
	to->rows = malloc(bytes ?: 1);
	if (!to->rows)
		return -1;
	memcpy(to->rows, from->rows, bytes);
	return 0;
}

/* Not below 0: one of them may have been read in the middle of an event. */
static void take(unsigned long long *ns, unsigned long long then)
{
	*ns -= *ns < then ? *ns : then;
}

static void subtract(struct vcpu *v, const struct vcpu *then)
{
	unsigned int i;

	for (i = 0; i < VCPU_STATES; i++)
		take(&v->ns[i], then->ns[i]);
	for (i = 0; i < VCPU_REASONS; i++) {
		v->exits[i].count -= then->exits[i].count;
		take(&v->exits[i].ns, then->exits[i].ns);
	}
	v->wakeups -= then->wakeups;
	v->calls.calls -= then->calls.calls;
	v->calls.yields -= then->calls.yields;
	v->calls.boosted -= then->calls.boosted;
	v->calls.boost_us -= then->calls.boost_us;
}

const struct vcpu_row *vcpu_rows_find(const struct vcpu_rows *rows, const struct vcpu_row *row)
{
	return rows->count ? bsearch(row, rows->rows, rows->count, sizeof(*row), compare) : NULL;
}

void vcpu_rows_since(struct vcpu_rows *now, const struct vcpu_rows *then)
{
	const struct vcpu_row *old;
	size_t i;

	for (i = 0; i < now->count; i++) {
		old = vcpu_rows_find(then, &now->rows[i]);
		if (old)
			subtract(&now->rows[i].v, &old->v);
	}
	now->missed -= then->missed;
	/* Not of a part of the time. */
	now->sees_calls &= then->sees_calls;
}

/* --- names ----------------------------------------------------------------- */

struct name {
	unsigned int	code;
	const char	*name;
};

static const struct name svm_names[] = { SVM_EXIT_REASONS };
static const struct name vmx_names[] = { VMX_EXIT_REASONS };

static const char *find_name(const struct name *names, size_t count, unsigned int code)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (names[i].code == code)
			return names[i].name;
	return NULL;
}

const char *vcpu_reason_name(unsigned int isa, unsigned int reason)
{
	if (reason == VCPU_OTHER_REASON)
		return "other";
	if (isa == VCPU_VMX)
		return find_name(vmx_names, ARRAY_SIZE(vmx_names), reason);
	if (reason >= VCPU_SVM_HIGH_AT)
		reason += VCPU_SVM_HIGH - VCPU_SVM_HIGH_AT;
	return find_name(svm_names, ARRAY_SIZE(svm_names), reason);
}

const char *vcpu_state_name(enum vcpu_state state)
{
	static const char * const names[VCPU_STATES] = {
		[VCPU_GUEST] = "guest",
		[VCPU_EXIT] = "exit",
		[VCPU_VMM] = "vmm",
		[VCPU_HALTED] = "halted",
		[VCPU_BLOCKED] = "blocked",
		[VCPU_WAKING] = "waking",
		[VCPU_PREEMPTED] = "preempted",
	};

	return names[state];
}

/* --- sums ------------------------------------------------------------------ */

unsigned long long vcpu_sum(const struct vcpu *v)
{
	unsigned long long sum = 0;
	unsigned int i;

	for (i = 0; i < VCPU_STATES; i++)
		sum += v->ns[i];
	return sum;
}

unsigned long long vcpu_exits(const struct vcpu *v)
{
	unsigned long long sum = 0;
	unsigned int i;

	for (i = 0; i < VCPU_REASONS; i++)
		sum += v->exits[i].count;
	return sum;
}
