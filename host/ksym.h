/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's functions that KVM may keep to itself
 *
 * From 6.18 on KVM exports nothing to modules but its own. Each function of
 * KVM's that we call stands in this table and is called as ksym(name)(...).
 * Where it is exported that is an ordinary call. With PVX_KSYM_BY_NAME (make
 * KSYM=byname) it is looked up by name when pvx_host is loaded and called
 * through a static call: a direct call, because functions nobody takes the
 * address of have no ENDBR on kernels with IBT.
 */
#ifndef PVX_HOST_KSYM_H
#define PVX_HOST_KSYM_H

#include <linux/kvm_host.h>

#ifdef PVX_HAVE___kvm_emulate_hypercall
#define PVX_KSYM_HYPERCALL(X)						\
	X(__kvm_emulate_hypercall, unsigned long, struct kvm_vcpu *vcpu,	\
	  unsigned long nr, unsigned long a0, unsigned long a1,		\
	  unsigned long a2, unsigned long a3, int op_64_bit, int cpl)
#else
#define PVX_KSYM_HYPERCALL(X)						\
	X(kvm_emulate_hypercall, int, struct kvm_vcpu *vcpu)
#endif

/* X(name, type of its value, types of its parameters...) */
#define PVX_KSYMS(X)							\
	PVX_KSYM_HYPERCALL(X)						\
	X(kvm_vcpu_yield_to, int, struct kvm_vcpu *target)		\
	X(file_is_kvm, bool, struct file *file)

#ifdef PVX_KSYM_BY_NAME
#include <linux/static_call.h>

#define PVX_KSYM_DECLARE(name, type, ...)				\
	typedef type pvx_ksym_##name##_t(__VA_ARGS__);			\
	DECLARE_STATIC_CALL(pvx_ksym_##name, pvx_ksym_##name##_t);
PVX_KSYMS(PVX_KSYM_DECLARE)
#undef PVX_KSYM_DECLARE

#define ksym(name)	static_call(pvx_ksym_##name)
#else
#define ksym(name)	name
#endif

int pvx_ksym_init(void);
void pvx_ksym_exit(void);

#endif /* PVX_HOST_KSYM_H */
