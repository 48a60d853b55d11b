/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The functions of the kernel's memory management that fork_mm.c calls. No include
 * guard: each includer says what is done with a FORK_KSYM(function).
 */
FORK_KSYM(__isolate_free_page);
FORK_KSYM(__mem_cgroup_charge);
#ifdef PVX_RMAP_OF_FOLIOS
FORK_KSYM(folio_add_new_anon_rmap);
FORK_KSYM(folio_add_lru_vma);
FORK_KSYM(folio_remove_rmap_ptes);
FORK_KSYM(folio_move_anon_rmap);
#else
FORK_KSYM(page_add_new_anon_rmap);
FORK_KSYM(lru_cache_add_inactive_or_unevictable);
FORK_KSYM(page_remove_rmap);
FORK_KSYM(page_move_anon_rmap);
#endif

#undef FORK_KSYM
