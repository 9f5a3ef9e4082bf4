/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A second chance. Since Linux 7.0 a task can be preempted in the middle of a tracepoint's program,
 * and until it runs again the kernel skips that program for everybody else on its processor: bytes
 * would be missing. So each socket tracepoint has two programs there, one after the other. The
 * first leaves a note with its task; the second does the work where there is none, which takes two
 * tasks preempted at once, one in each, to go wrong.
 */
#ifndef FS_AGAIN_H
#define FS_AGAIN_H

/* By user space, before load: the second programs are loaded too. */
const volatile bool fs_twice = false;

/* What the first program saw of a task's last call, until the second has seen it too. */
struct fs_note {
	__u64 sk; /* 0: seen by both */
	__s32 ret;
	__u32 dir;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct fs_note);
} done SEC(".maps");

static __always_inline void done_once(struct sock *sk, enum fs_dir dir, int ret)
{
	struct fs_note *note;

	if (!fs_twice)
		return;
	note = bpf_task_storage_get(&done, bpf_get_current_task_btf(), 0,
				    BPF_SK_STORAGE_GET_F_CREATE);
	if (!note)
		return;
	note->sk = (__u64)sk;
	note->ret = ret;
	note->dir = dir;
}

/* True if the first program has run for this call, or if there is no telling. */
static __always_inline bool done_before(struct sock *sk, enum fs_dir dir, int ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct fs_note *note = bpf_task_storage_get(&done, task, 0, 0);

	/* The first creates it, if there is room. */
	if (!note)
		return !bpf_task_storage_get(&done, task, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (note->sk != (__u64)sk || note->ret != ret || note->dir != dir)
		return false;
	note->sk = 0;
	return true;
}

#endif
