// SPDX-License-Identifier: GPL-2.0
/*
 * How much work the load of this machine has done
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "progress.h"
#include "progress.skel.h"
#include "tool.h"

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

static double read_file(void)
{
	FILE *file = fopen(file_path, "re");
	double number;

	if (!file)
		err(EXIT_FAILED, "%s", file_path);
	if (fscanf(file, "%lf", &number) != 1)
		errx(EXIT_FAILED, "%s does not begin with a number", file_path);
	fclose(file);
	return number;
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
	if (file_path)
		return read_file();
	add_threads();
	return bpf->bss->alive + bpf->bss->ended;
}
