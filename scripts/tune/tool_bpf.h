/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tools that use BPF share
 */
#ifndef PVX_TUNE_TOOL_BPF_H
#define PVX_TUNE_TOOL_BPF_H

struct bpf_object;

/* From then on libbpf says what goes wrong, the verifier's words included. */
void tool_show_bpf_warnings(void);
/* That, and ends the program where this kernel has no types, which most BPF programs need. */
void tool_begin_bpf(void);
/* What loading and attaching have returned; ends the program if it is not 0. */
void tool_check_bpf(int error);
/*
 * How often the kernel did not run one of its programs, since it was busy with the same one on
 * that CPU. Ends the program if that cannot be told.
 */
unsigned long long tool_bpf_missed(const struct bpf_object *programs);

#endif /* PVX_TUNE_TOOL_BPF_H */
