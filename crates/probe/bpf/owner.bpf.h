/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who moves bytes: the program run behind the current task. */
#ifndef FS_OWNER_H
#define FS_OWNER_H

#define PF_KTHREAD 0x00200000
/* io_uring's and vhost's workers: PF_IO_WORKER, and PF_USER_WORKER since 6.4. */
#define PF_WORKER 0x00004010

/* Plain loads only: this runs for every call. io_uring workers carry their process' tgid. */
static __always_inline void owner_of(struct task_struct *task, struct fs_who *who)
{
	if (task->flags & PF_KTHREAD) {
		__builtin_memset(who, 0, sizeof(*who));
		return;
	}
	who->start_ns = task->group_leader->start_boottime;
	who->tgid = task->tgid;
	who->exec_id = (__u32)task->self_exec_id;
}

static __always_inline bool same_owner(const struct fs_who *a, const struct fs_who *b)
{
	return a->tgid == b->tgid && a->exec_id == b->exec_id && a->start_ns == b->start_ns;
}

#endif
