/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The functions of KVM's that we call, see ksym.h. No include guard: each
 * includer says what is done with a PVX_KSYM(function).
 */
#ifdef PVX_HAVE___kvm_emulate_hypercall
PVX_KSYM(__kvm_emulate_hypercall);
#else
PVX_KSYM(kvm_emulate_hypercall);
#endif
PVX_KSYM(kvm_vcpu_yield_to);
PVX_KSYM(gfn_to_memslot);
PVX_KSYM(gfn_to_hva);
PVX_KSYM(kvm_read_guest);
PVX_KSYM(kvm_get_kvm_safe);
PVX_KSYM(kvm_put_kvm);
PVX_KSYM(kvm_mmu_page_fault);
PVX_KSYM(mark_page_dirty);
PVX_KSYM(file_is_kvm);

#undef PVX_KSYM
