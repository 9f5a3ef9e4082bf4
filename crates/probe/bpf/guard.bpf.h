/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel skips a program that is running already on the same processor. Until 6.18 a tracepoint
 * program cannot be preempted, only interrupted; since then another task may run in the middle of
 * one, and its calls would be missed. So interrupts stay out meanwhile, where the kernel lets a
 * program ask for that (6.14). What is left is the few instructions before the program begins.
 */
#ifndef FS_GUARD_H
#define FS_GUARD_H

extern void bpf_local_irq_save(unsigned long *flags) __ksym __weak;
extern void bpf_local_irq_restore(unsigned long *flags) __ksym __weak;

/* Both are constants to the verifier: where it is not wanted nothing is left of it. */
#define GUARDED (fs_preemptible && bpf_ksym_exists(bpf_local_irq_save))

static __always_inline void guard(unsigned long *flags)
{
	if (GUARDED)
		bpf_local_irq_save(flags);
}

static __always_inline void unguard(unsigned long *flags)
{
	if (GUARDED)
		bpf_local_irq_restore(flags);
}

#endif
