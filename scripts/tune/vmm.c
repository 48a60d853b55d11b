// SPDX-License-Identifier: GPL-2.0
/*
 * What a VMM is called, and what it calls its VM
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm.h"

static void make_plain(char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s > '~' || *s == '"' || *s == '\\')
			*s = '?';
}

static FILE *open_of(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return fopen(path, "re");
}

void vmm_command(pid_t pid, char command[VMM_COMMAND_SIZE])
{
	FILE *file = open_of(pid, "comm");
	size_t n = 0;

	if (file) {
		n = fread(command, 1, VMM_COMMAND_SIZE - 1, file);
		fclose(file);
	}
	command[n] = '\0';
	/* The last character is the end of the line. */
	if (n && command[n - 1] == '\n')
		command[n - 1] = '\0';
	make_plain(command);
}

/* Of settings with commas between them, the name comes first or is guest=. */
static const char *guest_of(const char *settings)
{
	const char *guest = strstr(settings, ",guest=");

	if (!strncmp(settings, "guest=", 6))
		return settings + 6;
	if (guest)
		return guest + 7;
	/* Another setting is none. */
	return settings[strcspn(settings, ",=")] == '=' ? "" : settings;
}

void vmm_vm(pid_t pid, char vm[VMM_VM_SIZE])
{
	FILE *file = open_of(pid, "cmdline");
	bool follows = false;
	char *word = NULL;
	size_t size = 0;

	*vm = '\0';
	while (file && getdelim(&word, &size, '\0', file) > 0) {
		if (follows) {
			const char *guest = guest_of(word);

			snprintf(vm, VMM_VM_SIZE, "%.*s", (int)strcspn(guest, ","), guest);
		}
		follows = !strcmp(word, "-name") || !strcmp(word, "--name");
	}
	free(word);
	if (file)
		fclose(file);
	make_plain(vm);
	if (!*vm)
		vmm_command(pid, vm);
}
