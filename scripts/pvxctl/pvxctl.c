// SPDX-License-Identifier: GPL-2.0
/*
 * pvxctl: see and change what the KVM guests of this host may use of kvm-pvx
 *
 * /dev/kvm-pvx wants a VM's file descriptor, which only the VMM has. It is
 * duplicated from the running VMM, so that no VMM has to know of kvm-pvx.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "pvxctl.h"

#define DEVICE		"/dev/kvm-pvx"

#define EXIT_FAILED	1
#define EXIT_USAGE	2

struct request;

struct command {
	const char *name;
	char *title;		/* what usage messages call it */
	int (*run)(const struct request *req);
	bool takes_features;
	bool takes_group;
	const struct argp_option *options;
	const char *args;
	const char *doc;
};

struct request {
	const struct command *command;
	pid_t pid;		/* 0: none given */
	int vmm_fd;		/* -1: none given */
	bool json;
	bool all;
	__u64 features;
	const char *group;	/* NULL: none given */
};

/* The device */

static int open_device(void)
{
	int dev = open(DEVICE, O_RDWR | O_CLOEXEC);

	return dev < 0 ? -errno : dev;
}

static void close_device(int dev)
{
	if (dev >= 0)
		close(dev);
}

static void report_device(int ret)
{
	const char *hint = "";

	if (ret == -ENOENT || ret == -ENODEV || ret == -ENXIO)
		hint = " (is pvx_host loaded?)";
	else if (ret == -EACCES || ret == -EPERM)
		hint = " (are you root?)";
	warnx(DEVICE ": %s%s", strerror(-ret), hint);
}

static int get_info(int dev, struct pvx_info *info)
{
	*info = (struct pvx_info){ .size = sizeof(*info) };
	if (!ioctl(dev, PVX_IOC_INFO, info))
		return 0;
	report_device(-errno);
	return -1;
}

/* Selecting a VM */

static void report_process(const struct request *req, pid_t pid, int ret)
{
	if (ret == -ESRCH)
		warnx("no process %d", pid);
	else if (ret == -EBADF)
		warnx("process %d has no file descriptor %d", pid,
		      req->vmm_fd);
	else if (ret == -ENOTTY)
		warnx("file descriptor %d of process %d is no KVM VM",
		      req->vmm_fd, pid);
	else if (ret == -EACCES || ret == -EPERM)
		warnx("process %d: %s (CAP_SYS_PTRACE is needed)", pid,
		      strerror(-ret));
	else
		warnx("process %d: %s", pid, strerror(-ret));
}

/* Report a missing device last: whether there is a VM does not hang on it. */
static int check_selected(const struct vmm *vmm, int dev)
{
	if (!vmm->count) {
		warnx("process %d holds no KVM VM", vmm->pid);
		return -1;
	}
	if (vmm->count > 1) {
		warnx("process %d holds %zu KVM VMs: choose one with --vm-fd",
		      vmm->pid, vmm->count);
		return -1;
	}
	if (dev < 0) {
		report_device(dev);
		return -1;
	}
	return 0;
}

/* On success, @vmm holds the one VM that the user means, queried. */
static int select_vm(struct vmm *vmm, int dev, const struct request *req)
{
	int ret;

	ret = vmm_scan(vmm, req->pid, req->vmm_fd);
	if (ret) {
		report_process(req, req->pid, ret);
		return -1;
	}
	if (dev >= 0)
		ret = vmm_query(vmm, dev);
	if (!ret)
		ret = check_selected(vmm, dev);
	if (ret)
		vmm_release(vmm);
	return ret;
}

/* Lend @act the one VM that the user means. */
static int with_vm(const struct request *req,
		   int (*act)(int dev, const struct vmm *vmm,
			      const struct request *req))
{
	int status = EXIT_FAILED;
	struct vmm vmm;
	int dev;

	dev = open_device();
	if (!select_vm(&vmm, dev, req)) {
		status = act(dev, &vmm, req);
		vmm_release(&vmm);
	}
	close_device(dev);
	return status;
}

/* list */

/* Leave the braces to the caller, who may have more to say of the VM. */
static void json_vm(const struct vmm *vmm, const struct vm *vm)
{
	const struct pvx_query *query = &vm->query;

	printf("\"pid\":%d,\"command\":", vmm->pid);
	json_string(vmm->command);
	printf(",\"vm_fd\":%d,", vm->vmm_fd);
	if (!vm->known) {
		fputs("\"id\":null,\"granted\":null,\"negotiated\":null,",
		      stdout);
		fputs("\"calls\":null,\"refused\":null", stdout);
		return;
	}
	printf("\"id\":%u,\"granted\":", query->id);
	json_features(query->granted);
	fputs(",\"negotiated\":", stdout);
	json_features(query->negotiated);
	printf(",\"calls\":%llu,\"refused\":%llu", query->calls,
	       query->refused);
}

static void put_row(const struct vmm *vmm, const struct vm *vm)
{
	char list[FEATURE_LIST_LEN];

	printf("%7d ", vmm->pid);
	put_plain(vmm->command, 15);
	printf(" %5d ", vm->vmm_fd);
	if (!vm->known) {
		printf("%5s %-12s %-12s %s\n", "-", "-", "-", "-");
		return;
	}
	printf("%5u ", vm->query.id);
	printf("%-12s ", feature_list(vm->query.granted, list));
	printf("%-12s ", feature_list(vm->query.negotiated, list));
	printf("%llu\n", vm->query.calls);
}

static void list_vms(const struct vmm *vmm, int dev, bool json, bool *first)
{
	size_t i;

	(void)dev;
	for (i = 0; i < vmm->count; i++) {
		if (!json) {
			put_row(vmm, &vmm->vms[i]);
			continue;
		}
		fputs(*first ? "{" : ",{", stdout);
		json_vm(vmm, &vmm->vms[i]);
		putchar('}');
		*first = false;
	}
}

typedef void list_fn(const struct vmm *vmm, int dev, bool json, bool *first);

static int list_processes(DIR *proc, int dev, const struct request *req, list_fn *list)
{
	bool first = true, hidden = false;
	int ret, status = EXIT_SUCCESS;
	struct dirent *entry;
	struct vmm vmm;
	pid_t pid;

	while ((entry = readdir(proc))) {
		pid = atoi(entry->d_name);
		if (pid <= 0)
			continue;
		ret = vmm_scan(&vmm, pid, -1);
		if (ret == -ESRCH)
			continue;
		if (ret == -EACCES) {
			hidden = true;
			continue;
		}
		if (ret) {
			report_process(req, pid, ret);
			status = EXIT_FAILED;
			continue;
		}
		if (dev >= 0 && vmm_query(&vmm, dev))
			status = EXIT_FAILED;
		list(&vmm, dev, req->json, &first);
		vmm_release(&vmm);
	}
	if (!hidden)
		return status;
	/* Say it once: to a user, it is most processes of the machine. */
	warnx("cannot see into some processes (CAP_SYS_PTRACE is needed)");
	return EXIT_FAILED;
}

/* @sums: prints what comes behind the VMs, or NULL. */
static int list_all(const struct request *req, const char *title, list_fn *list,
		    void (*sums)(bool json))
{
	int dev, status;
	DIR *proc;

	proc = opendir("/proc");
	if (!proc) {
		warn("/proc");
		return EXIT_FAILED;
	}
	puts(req->json ? "{\"vms\":[" : title);

	dev = open_device();
	status = list_processes(proc, dev, req, list);
	/* Without the device, the VMs are still worth knowing. */
	if (dev < 0) {
		report_device(dev);
		status = EXIT_FAILED;
	}
	close_device(dev);
	closedir(proc);

	if (sums)
		sums(req->json);
	if (req->json)
		puts("]}");
	return status;
}

static int run_list(const struct request *req)
{
	char title[80];

	snprintf(title, sizeof(title), "%7s %-15s %5s %5s %-12s %-12s %s", "PID",
		 "COMMAND", "VM-FD", "ID", "GRANTED", "NEGOTIATED", "CALLS");
	return list_all(req, title, list_vms, NULL);
}

/* ksm */

/* What the VMs of each group have in all, as far as there is room to note it. */
#define KSM_GROUPS_MAX	64

static struct {
	char name[PVX_GROUP_NAME];
	unsigned int vms;
	struct ksm sum;
} ksm_groups[KSM_GROUPS_MAX];

static void add_to_group(const char *name, const struct ksm *ksm)
{
	struct ksm *sum;
	int i;

	for (i = 0; i < KSM_GROUPS_MAX && ksm_groups[i].vms; i++)
		if (!strcmp(ksm_groups[i].name, name))
			break;
	if (!*name || i == KSM_GROUPS_MAX)
		return;
	strcpy(ksm_groups[i].name, name);
	ksm_groups[i].vms++;
	sum = &ksm_groups[i].sum;
	sum->shares |= ksm->shares;
	sum->candidates += ksm->candidates;
	sum->matched += ksm->matched;
	sum->marked += ksm->marked;
	sum->merged += ksm->merged;
}

static void put_ksm(const char *group, const struct ksm *ksm)
{
	char name[PVX_GROUP_NAME + 2];

	/* A group that must not share now has a mark. */
	snprintf(name, sizeof(name), "%s%s", *group ? group : "-",
		 *group && !ksm->shares ? " -" : "");
	put_plain(name, 15);
	printf(" %10llu %8llu %8llu %8llu %12llu\n", ksm->candidates, ksm->matched,
	       ksm->marked, ksm->merged, ksm_saved(ksm));
}

static void ksm_row(const struct vmm *vmm, const char *group, const struct ksm *ksm)
{
	printf("%7d ", vmm->pid);
	put_plain(vmm->command, 15);
	putchar(' ');
	put_ksm(group, ksm);
}

static void ksm_sums(void)
{
	char vms[24];
	int i;

	for (i = 0; i < KSM_GROUPS_MAX && ksm_groups[i].vms; i++) {
		snprintf(vms, sizeof(vms), "%u VMs", ksm_groups[i].vms);
		printf("%7s %-15s ", "sum", vms);
		put_ksm(ksm_groups[i].name, &ksm_groups[i].sum);
	}
}

static void json_ksm(const char *group, const struct ksm *ksm)
{
	fputs("\"group\":", stdout);
	json_string(group);
	printf(",\"shares\":%s,\"candidates\":%llu,\"matched\":%llu,\"marked\":%llu,\"merged\":%llu,\"saved_bytes\":%llu}",
	       ksm->shares ? "true" : "false", ksm->candidates, ksm->matched, ksm->marked,
	       ksm->merged, ksm_saved(ksm));
}

static void ksm_json(const struct vmm *vmm, const char *group, const struct ksm *ksm)
{
	printf("{\"pid\":%d,\"command\":", vmm->pid);
	json_string(vmm->command);
	putchar(',');
	json_ksm(group, ksm);
}

static void ksm_json_sums(void)
{
	int i;

	fputs("],\"groups\":[", stdout);
	for (i = 0; i < KSM_GROUPS_MAX && ksm_groups[i].vms; i++) {
		printf("%s{\"vms\":%u,", i ? "," : "", ksm_groups[i].vms);
		json_ksm(ksm_groups[i].name, &ksm_groups[i].sum);
	}
}

static void list_ksm(const struct vmm *vmm, int dev, bool json, bool *first)
{
	struct pvx_group group;
	struct ksm ksm;
	size_t i;

	for (i = 0; i < vmm->count; i++) {
		group = (struct pvx_group){ .size = sizeof(group),
					    .vm_fd = vmm->vms[i].fd };
		if (!vmm->vms[i].known || !vmm->vms[i].query.id ||
		    ioctl(dev, PVX_IOC_GROUP, &group) ||
		    read_ksm(vmm->vms[i].query.id, &ksm))
			continue;
		add_to_group(group.name, &ksm);
		if (json) {
			fputs(*first ? "" : ",", stdout);
			ksm_json(vmm, group.name, &ksm);
		} else {
			ksm_row(vmm, group.name, &ksm);
		}
		*first = false;
	}
}

static void sum_ksm(bool json)
{
	if (json)
		ksm_json_sums();
	else
		ksm_sums();
}

static int run_ksm(const struct request *req)
{
	char title[120];

	snprintf(title, sizeof(title), "%7s %-15s %-15s %10s %8s %8s %8s %12s", "PID",
		 "COMMAND", "GROUP", "CANDIDATES", "MATCHED", "MARKED", "MERGED",
		 "SAVED-BYTES");
	return list_all(req, title, list_ksm, sum_ksm);
}

/* numa */

static void list_numa(const struct vmm *vmm, int dev, bool json, bool *first)
{
	size_t i;

	(void)dev;
	for (i = 0; i < vmm->count; i++) {
		if (!vmm->vms[i].known || !vmm->vms[i].query.id)
			continue;
		if (json)
			json_numa(vmm, vmm->vms[i].query.id, first);
		else
			put_numa(vmm, vmm->vms[i].query.id);
	}
}

static int run_numa(const struct request *req)
{
	char title[120];

	snprintf(title, sizeof(title), "%7s %-15s %7s %7s %10s %8s %10s %7s", "PID",
		 "COMMAND", "REMOTE", "BEFORE", "DECISIONS", "MOVES", "OVERRULED", "HOLD-S");
	return list_all(req, title, list_numa, NULL);
}

/* group */

static int group_vm(int dev, const struct vmm *vmm, const struct request *req)
{
	struct pvx_group group = {
		.size = sizeof(group),
		.vm_fd = vmm->vms[0].fd,
		.flags = req->group ? PVX_GROUP_JOIN : 0,
	};

	if (req->group)
		strcpy(group.name, req->group);
	if (ioctl(dev, PVX_IOC_GROUP, &group)) {
		warn("process %d: cannot %s", vmm->pid, req->command->name);
		return EXIT_FAILED;
	}
	put_field("group", *group.name ? group.name : "none");
	return EXIT_SUCCESS;
}

static int run_group(const struct request *req)
{
	return with_vm(req, group_vm);
}

/* grant, revoke */

static int change_grant(int dev, const struct vmm *vmm,
			const struct request *req, struct pvx_grant *grant,
			__u64 available)
{
	char list[FEATURE_LIST_LEN];
	__u64 missing = (grant->set | grant->clear) & ~available;

	grant->size = sizeof(*grant);
	grant->vm_fd = vmm->vms[0].fd;
	if (ioctl(dev, PVX_IOC_GRANT, grant)) {
		if (errno == EINVAL && missing)
			warnx("feature unknown to this host: %s",
			      feature_list(missing, list));
		else
			warn("process %d: cannot %s", vmm->pid,
			     req->command->name);
		return EXIT_FAILED;
	}
	put_features("granted", grant->granted);
	/* The host grants ahead of the module: say why nothing happens yet. */
	if (grant->set & missing)
		warnx("granted, but no loaded module provides: %s",
		      feature_list(missing, list));
	return EXIT_SUCCESS;
}

static int grant_vm(int dev, const struct vmm *vmm, const struct request *req)
{
	struct pvx_grant grant = { .set = req->features };
	struct pvx_info info;

	if (get_info(dev, &info))
		return EXIT_FAILED;
	if (req->all)
		grant.set |= info.available;
	if (!grant.set) {
		warnx("this host has no features: is a feature module loaded?");
		return EXIT_FAILED;
	}
	return change_grant(dev, vmm, req, &grant, info.available);
}

static int revoke_vm(int dev, const struct vmm *vmm, const struct request *req)
{
	struct pvx_grant grant = { .clear = req->features };
	struct pvx_info info;

	if (get_info(dev, &info))
		return EXIT_FAILED;
	/* A grant outlives its module and would come back with it. */
	if (req->all)
		grant.clear |= info.available | info.default_features |
			       vmm->vms[0].query.granted;
	return change_grant(dev, vmm, req, &grant, info.available);
}

static int run_grant(const struct request *req)
{
	return with_vm(req, grant_vm);
}

static int run_revoke(const struct request *req)
{
	return with_vm(req, revoke_vm);
}

/* show */

static int show_vm_json(const struct vmm *vmm)
{
	const struct vm *vm = &vmm->vms[0];
	int ret = 0;

	putchar('{');
	json_vm(vmm, vm);
	fputs(",\"debugfs\":", stdout);
	if (vm->query.id)
		ret = json_counters(vm->query.id);
	else
		fputs("{}", stdout);
	puts("}");
	return ret ? EXIT_FAILED : EXIT_SUCCESS;
}

static int show_vm(int dev, const struct vmm *vmm, const struct request *req)
{
	const struct pvx_query *query = &vmm->vms[0].query;

	(void)dev;
	if (req->json)
		return show_vm_json(vmm);
	put_number("pid", vmm->pid);
	put_field("command", vmm->command);
	put_number("vm_fd", vmm->vms[0].vmm_fd);
	put_number("id", query->id);
	put_features("granted", query->granted);
	put_features("negotiated", query->negotiated);
	put_number("calls", query->calls);
	put_number("refused", query->refused);
	if (query->id && put_counters(query->id))
		return EXIT_FAILED;
	return EXIT_SUCCESS;
}

static void print_info(const struct pvx_info *info, bool json)
{
	if (!json) {
		put_number("abi_version", info->abi_version);
		put_features("available", info->available);
		put_features("default_features", info->default_features);
		put_number("vms", info->vms);
		return;
	}
	printf("{\"abi_version\":%u,\"available\":", info->abi_version);
	json_features(info->available);
	fputs(",\"default_features\":", stdout);
	json_features(info->default_features);
	printf(",\"vms\":%u}\n", info->vms);
}

static int show_host(const struct request *req)
{
	struct pvx_info info;
	int dev, ret;

	dev = open_device();
	if (dev < 0) {
		report_device(dev);
		return EXIT_FAILED;
	}
	ret = get_info(dev, &info);
	close(dev);
	if (ret)
		return EXIT_FAILED;
	print_info(&info, req->json);
	return EXIT_SUCCESS;
}

static int run_show(const struct request *req)
{
	return req->pid ? with_vm(req, show_vm) : show_host(req);
}

/* Command line */

#define STR(x)		#x
#define XSTR(x)		STR(x)

const char *argp_program_version =
	"pvxctl 0.1 (kvm-pvx interface version " XSTR(PVX_ABI_VERSION) ")";

enum {
	OPTION_PID = 256,	/* no character: long options only */
	OPTION_VM_FD,
	OPTION_JSON,
};

#define PID_OPTION \
	{ "pid", OPTION_PID, "PID", 0, "The process of the VMM", 0 }
#define VM_FD_OPTION \
	{ "vm-fd", OPTION_VM_FD, "N", 0, \
	  "The VM's file descriptor in the VMM, if that holds several VMs", 0 }
#define JSON_OPTION \
	{ "json", OPTION_JSON, NULL, 0, "Print one JSON document", 0 }

static const struct argp_option list_options[] = { JSON_OPTION, { 0 } };
static const struct argp_option change_options[] = {
	PID_OPTION, VM_FD_OPTION, { 0 }
};

static const struct argp_option show_options[] = {
	PID_OPTION, VM_FD_OPTION, JSON_OPTION, { 0 }
};

static const struct command commands[] = {
	{
		.name = "list",
		.title = "pvxctl list",
		.run = run_list,
		.options = list_options,
		.doc =
		"List the KVM VMs of this host.\n"
		"\vVM-FD is the VM's file descriptor in the VMM, ID the\n"
		"VM's number on this host.",
	},
	{
		.name = "grant",
		.title = "pvxctl grant",
		.run = run_grant,
		.takes_features = true,
		.options = change_options,
		.args = "--pid PID FEATURES",
		.doc =
		"Let a VM use features.\n"
		"\vFEATURES is a comma-separated list of: yield, ksm, fork, numa; or all,\n"
		"which is what this host has modules for. Prints what the\n"
		"VM is granted afterwards.",
	},
	{
		.name = "revoke",
		.title = "pvxctl revoke",
		.run = run_revoke,
		.takes_features = true,
		.options = change_options,
		.args = "--pid PID FEATURES",
		.doc =
		"Stop a VM from using features.\n"
		"\vFEATURES is a comma-separated list of: yield, ksm, fork, numa; or all.\n"
		"Prints what the VM is granted afterwards.",
	},
	{
		.name = "group",
		.title = "pvxctl group",
		.run = run_group,
		.takes_group = true,
		.options = change_options,
		.args = "--pid PID [NAME]",
		.doc =
		"Let a VM share memory with others of a group.\n"
		"\vAll VMs with the same NAME are one group. An empty NAME\n"
		"takes the VM out of its group, and what it shared back.\n"
		"Without NAME, show the VM's group.",
	},
	{
		.name = "ksm",
		.title = "pvxctl ksm",
		.run = run_ksm,
		.options = list_options,
		.doc =
		"Show what KSM merges of each VM's candidates, in pages.\n"
		"\vCANDIDATES were announced by the guest, MATCHED have a\n"
		"peer in the group, MARKED are mergeable, and MERGED is KSM's\n"
		"own count.",
	},
	{
		.name = "numa",
		.title = "pvxctl numa",
		.run = run_numa,
		.options = list_options,
		.doc =
		"Show how much each vCPU uses of each node's memory.\n"
		"\vREMOTE is the share of its accesses that a VM makes to other\n"
		"nodes' memory, BEFORE what it was at first. A vCPU's line has the\n"
		"node it is on, the one it is to be on, in brackets unless it is\n"
		"held there, its group as the guest guesses, and what it uses of\n"
		"each node's memory.",
	},
	{
		.name = "show",
		.title = "pvxctl show",
		.run = run_show,
		.options = show_options,
		.doc =
		"Show what a VM may use and what it has used, with its\n"
		"counters. Without --pid, show what this host offers.\n",
	},
};

/* Returns -1 unless @arg is a decimal number that an int can hold. */
static int parse_int(const char *arg)
{
	unsigned long value;
	char *end;

	/* strtoul() alone would accept a blank and a sign */
	if (*arg < '0' || *arg > '9')
		return -1;
	errno = 0;
	value = strtoul(arg, &end, 10);
	if (*end || errno || value > INT_MAX)
		return -1;
	return value;
}

static void parse_features(char *arg, struct request *req,
			   struct argp_state *state)
{
	char *name;
	__u64 mask;

	while ((name = strsep(&arg, ","))) {
		mask = feature_mask(name);
		if (!strcmp(name, "all"))
			req->all = true;
		else if (!mask)
			argp_error(state, "unknown feature '%s'", name);
		req->features |= mask;
	}
}

static void parse_group(const char *arg, struct request *req,
			struct argp_state *state)
{
	if (strlen(arg) >= PVX_GROUP_NAME)
		argp_error(state, "a group's name has at most %d characters",
			   PVX_GROUP_NAME - 1);
	req->group = arg;
}

static void check_complete(const struct request *req, struct argp_state *state)
{
	if (req->vmm_fd >= 0 && !req->pid)
		argp_error(state, "--vm-fd needs --pid");
	if (!req->command->takes_features && !req->command->takes_group)
		return;
	if (!req->pid)
		argp_error(state, "--pid is missing");
	if (req->command->takes_features && !req->features && !req->all)
		argp_error(state, "FEATURES is missing");
}

/* argp_error() exits with EXIT_USAGE. */
static error_t parse_command(int key, char *arg, struct argp_state *state)
{
	struct request *req = state->input;

	switch (key) {
	case OPTION_PID:
		req->pid = parse_int(arg);
		if (req->pid <= 0)
			argp_error(state, "'%s' is no process id", arg);
		return 0;
	case OPTION_VM_FD:
		req->vmm_fd = parse_int(arg);
		if (req->vmm_fd < 0)
			argp_error(state, "'%s' is no file descriptor", arg);
		return 0;
	case OPTION_JSON:
		req->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num)
			argp_error(state, "unexpected argument '%s'", arg);
		if (req->command->takes_features)
			parse_features(arg, req, state);
		else if (req->command->takes_group)
			parse_group(arg, req, state);
		else
			argp_error(state, "unexpected argument '%s'", arg);
		return 0;
	case ARGP_KEY_END:
		check_complete(req, state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

struct command_line {
	const struct command *command;
	char **argv;
	int argc;
};

static error_t parse_main(int key, char *arg, struct argp_state *state)
{
	struct command_line *line = state->input;
	size_t i;

	switch (key) {
	case ARGP_KEY_ARG:
		for (i = 0; i < ARRAY_SIZE(commands); i++) {
			if (!strcmp(arg, commands[i].name))
				line->command = &commands[i];
		}
		if (!line->command)
			argp_error(state, "unknown command '%s'", arg);
		/* Leave the rest to the command's own parser. */
		line->argv = &state->argv[state->next - 1];
		line->argc = state->argc - state->next + 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a command is missing");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp main_argp = {
	.parser = parse_main,
	.args_doc = "COMMAND [OPTION...]",
	.doc =
	"See and change what the KVM guests of this host may use of kvm-pvx.\n"
	"\n"
	"Commands:\n"
	"  list [--json]               the KVM VMs of this host\n"
	"  grant --pid PID FEATURES    let a VM use features\n"
	"  revoke --pid PID FEATURES   stop a VM from using features\n"
	"  show --pid PID [--json]     a VM's features and counters\n"
	"  show [--json]               what this host offers\n"
	"  group --pid PID [NAME]      with which VMs a VM shares memory\n"
	"  ksm [--json]                what is shared\n"
	"  numa [--json]               where vCPUs and their memory are\n"
	"\n"
	"FEATURES is a comma-separated list of: yield, ksm, fork, numa; or all.\n"
	"COMMAND --help tells more of each.\n"
	"\vEXAMPLES\n"
	"  pvxctl list\n"
	"  pvxctl grant --pid 4711 yield\n"
	"  pvxctl grant --pid \"$(cat /run/vm1.pid)\" all\n"
	"  pvxctl show --pid 4711 --json\n"
	"  pvxctl revoke --pid 4711 all\n"
	"\n"
	"Exit status: 0 success, 1 the operation failed, 2 wrong usage.",
};

static int parse_and_run(const struct command_line *line)
{
	const struct command *command = line->command;
	struct request req = { .command = command, .vmm_fd = -1 };
	const struct argp argp = {
		.options = command->options,
		.parser = parse_command,
		.args_doc = command->args,
		.doc = command->doc,
	};

	line->argv[0] = command->title;
	argp_parse(&argp, line->argc, line->argv, 0, NULL, &req);
	return command->run(&req);
}

int main(int argc, char **argv)
{
	struct command_line line = { 0 };
	int status;

	/* Where warnings go to the same place, they come between lines. */
	setlinebuf(stdout);
	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&main_argp, argc, argv, ARGP_IN_ORDER, NULL, &line);
	status = parse_and_run(&line);
	/* A full disk must not look like a short list. */
	if (ferror(stdout) || fclose(stdout)) {
		warnx("cannot write all of the output");
		return EXIT_FAILED;
	}
	return status;
}
