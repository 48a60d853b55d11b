// SPDX-License-Identifier: GPL-2.0
/*
 * pvx-policy: has BPF programs choose for kvm-pvx, as long as it runs
 *
 * The kernel detaches them when this process ends, however that comes about.
 */
#include <argp.h>
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include <bpf/libbpf.h>

#include "policy.skel.h"
#include "tool.h"
#include "tool_bpf.h"

const char *argp_program_version = "pvx-policy 0.1 (kvm-pvx)";

static const struct argp_option options[] = {
	{ NULL, 'h', NULL, OPTION_HIDDEN, "as --help", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	const char **path = state->input;

	if (key != ARGP_KEY_ARG || *path)
		return tool_parse_other(key, arg, state);
	*path = arg;
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[OBJECT]",
	.doc = "Have the BPF programs of OBJECT choose the target of directed yields (on a host "
	       "with pvx_host_yield) and how long waiters spin (in a guest with pvx_guest_lock), "
	       "as long as this runs. Without OBJECT, an example is used.\v"
	       "Needs root. SIGTERM or SIGINT ends it; the modules then choose at once as they "
	       "did before.\n"
	       "Exit status: 0; 1 if the programs are refused, or there is nothing to attach them "
	       "to; 2 for wrong usage.",
};

static struct bpf_object *load(const char *path)
{
	struct bpf_object *object;
	const void *example;
	size_t size;

	example = policy_bpf__elf_bytes(&size);
	object = path ? bpf_object__open_file(path, NULL) : bpf_object__open_mem(example, size, NULL);
	if (!object)
		err(EXIT_FAILED, "%s", path ?: "example");
	tool_check_bpf(bpf_object__load(object));
	return object;
}

/* False where there is no such hook. */
static bool attach(struct bpf_program *program)
{
	const char *name = bpf_program__name(program), *hook = bpf_program__section_name(program);

	/* Its link is this process's, until that ends. */
	if (bpf_program__attach(program)) {
		printf("%s: attached to %s\n", name, hook);
		return true;
	}
	if (errno == EINVAL)
		errx(EXIT_FAILED, "%s: %s does not have all that it uses", name, hook);
	if (errno != ENOENT)
		err(EXIT_FAILED, "%s: %s", name, hook);
	printf("%s: left out, there is no %s here\n", name, hook);
	return false;
}

static void attach_all(struct bpf_object *object)
{
	struct bpf_program *program;
	unsigned int attached = 0;

	/* From here on it is said above what goes wrong. */
	libbpf_set_print(NULL);
	bpf_object__for_each_program(program, object)
		attached += attach(program);
	if (!attached)
		errx(EXIT_FAILED, "nothing to attach to (is pvx_host_yield or pvx_guest loaded?)");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *path = NULL;
	sigset_t end;
	int signal;

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &path);
	sigemptyset(&end);
	sigaddset(&end, SIGINT);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_BLOCK, &end, NULL);
	tool_show_bpf_warnings();
	attach_all(load(path));
	sigwait(&end, &signal);
	return 0;
}
