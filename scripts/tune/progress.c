// SPDX-License-Identifier: GPL-2.0
/*
 * How much work the load of this machine has done
 */
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "progress.h"
#include "progress.skel.h"
#include "tool.h"
#include "tool_bpf.h"

/* A second: who writes the file may just have lost its CPU. */
#define READ_TRIES	1000
#define ENDED_TRIES	4

static const char *file_path;
static struct progress_bpf *bpf;

void progress_open(const char *path)
{
	file_path = path;
	if (path)
		return;
	tool_begin_bpf();
	bpf = progress_bpf__open();
	if (!bpf)
		err(EXIT_FAILED, "BPF programs");
	tool_check_bpf(progress_bpf__load(bpf) ?: progress_bpf__attach(bpf));
}

static bool read_number(double *number)
{
	FILE *file = fopen(file_path, "re");
	bool is_number;

	if (!file)
		err(EXIT_FAILED, "%s", file_path);
	is_number = fscanf(file, "%lf", number) == 1;
	fclose(file);
	return is_number;
}

/* Who writes it may have emptied it just now. */
static double read_file(void)
{
	double number;
	int tries;

	for (tries = 0; tries < READ_TRIES; tries++) {
		if (read_number(&number))
			return number;
		tool_wait_us(1000);
	}
	errx(EXIT_FAILED, "%s does not begin with a number", file_path);
}

/* The iterator writes nothing; it has been over all threads when there is no more to read. */
static void add_threads(void)
{
	const int iterator = bpf_iter_create(bpf_link__fd(bpf->links.add_threads));
	char nothing[8];
	ssize_t n;

	if (iterator < 0)
		err(EXIT_FAILED, "BPF iterator");
	bpf->bss->alive = 0;
	do
		n = read(iterator, nothing, sizeof(nothing));
	while (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)));
	if (n < 0)
		err(EXIT_FAILED, "BPF iterator");
	close(iterator);
}

double progress_read(void)
{
	unsigned long long ended;
	int tries = 0;

	if (file_path)
		return read_file();
	/* A thread that ends meanwhile may count twice. */
	do {
		ended = *(volatile __u64 *)&bpf->bss->ended;
		add_threads();
	} while (ended != *(volatile __u64 *)&bpf->bss->ended && ++tries < ENDED_TRIES);
	return bpf->bss->alive + bpf->bss->ended;
}
