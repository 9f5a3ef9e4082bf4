/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whether the current task is in a system call that receives: see tcp.bpf.h for why it matters. */
#ifndef FS_RECV_CALL_H
#define FS_RECV_CALL_H

#if defined(__TARGET_ARCH_x86)
#define SYSCALL_NR(regs) ((long)(regs)->orig_ax)
enum { NR_READ = 0, NR_READV = 19, NR_RECVFROM = 45, NR_RECVMSG = 47, NR_RECVMMSG = 299 };
#elif defined(__TARGET_ARCH_arm64)
#define SYSCALL_NR(regs) ((long)(regs)->syscallno)
enum { NR_READ = 63, NR_READV = 65, NR_RECVFROM = 207, NR_RECVMSG = 212, NR_RECVMMSG = 243 };
#endif

/* True if sock_recvmsg() ends the current system call, so that its end can be counted. */
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

#endif
