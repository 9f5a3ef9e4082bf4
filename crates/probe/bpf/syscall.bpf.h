/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The system call that the current task is in. */
#ifndef FS_SYSCALL_H
#define FS_SYSCALL_H

#if defined(__TARGET_ARCH_x86)
#define SYSCALL_NR(regs) ((long)(regs)->orig_ax)
#define SYSCALL_ARG2(regs) ((regs)->si)
#define SYSCALL_ARG3(regs) ((regs)->dx)
enum { NR_READ = 0, NR_READV = 19, NR_RECVFROM = 45, NR_RECVMSG = 47, NR_RECVMMSG = 299 };
enum { NR_WRITE = 1, NR_WRITEV = 20, NR_SENDTO = 44, NR_SENDMSG = 46, NR_SENDMMSG = 307 };
enum { NR_CONNECT = 42 };
#elif defined(__TARGET_ARCH_arm64)
#define SYSCALL_NR(regs) ((long)(regs)->syscallno)
#define SYSCALL_ARG2(regs) ((regs)->regs[1])
#define SYSCALL_ARG3(regs) ((regs)->regs[2])
enum { NR_READ = 63, NR_READV = 65, NR_RECVFROM = 207, NR_RECVMSG = 212, NR_RECVMMSG = 243 };
enum { NR_WRITE = 64, NR_WRITEV = 66, NR_SENDTO = 206, NR_SENDMSG = 211, NR_SENDMMSG = 269 };
enum { NR_CONNECT = 203 };
#endif

/*
 * True if sock_recvmsg() ends the current system call, so that its end can be counted: see
 * tcp.bpf.h.
 */
static __always_inline bool in_recv_call(struct task_struct *task)
{
#ifdef SYSCALL_NR
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);

	/* Kernel threads and io_uring's workers never made one. */
	if (task->flags & (PF_KTHREAD | PF_WORKER))
		return false;
	switch (SYSCALL_NR(regs)) {
	case NR_READ:
	case NR_READV:
	case NR_RECVFROM:
	case NR_RECVMSG:
	case NR_RECVMMSG:
		return true;
	}
#endif
	return false;
}

/* Not true of io_uring's workers. */
static __always_inline bool in_connect_call(struct task_struct *task)
{
#ifdef SYSCALL_NR
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);

	return !(task->flags & (PF_KTHREAD | PF_WORKER)) && SYSCALL_NR(regs) == NR_CONNECT;
#endif
	return false;
}

#endif
