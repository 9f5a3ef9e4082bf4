/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Program runs: what is executed, by whom it was launched, when it ends. */
#ifndef FS_PROCESS_H
#define FS_PROCESS_H

#define PATH_STEPS 96
#define CGROUP_STEPS 24

/* Walks leave their names in out->data[off…], leaf first, each with its NUL. */
struct path_walk {
	struct fs_proc *out;
	struct dentry *dentry;
	struct mount *mnt;
	__u32 off;
	__u32 end;
	__u32 done;
};

static __always_inline __u32 append_name(struct fs_proc *out, __u32 off, const void *name)
{
	long len;

	if (off >= FS_DATA_MAX)
		return off;
	/* fs_scratch has FS_NAME_MAX bytes of slack behind data. */
	len = bpf_probe_read_kernel_str(&out->data[off], FS_NAME_MAX, name);
	if (len <= 0) {
		count(FS_COUNT_READ_FAILED);
		return off;
	}
	return any_number(off + (__u32)len);
}

static long path_step(__u32 i, struct path_walk *walk)
{
	struct dentry *dentry = walk->dentry;
	struct mount *mnt = walk->mnt;
	struct dentry *root = BPF_CORE_READ(mnt, mnt.mnt_root);
	struct dentry *up;

	if (dentry == root) {
		struct mount *parent = BPF_CORE_READ(mnt, mnt_parent);

		if (parent == mnt) {
			walk->done = 1;
			return 1;
		}
		walk->dentry = BPF_CORE_READ(mnt, mnt_mountpoint);
		walk->mnt = parent;
		return 0;
	}
	if (walk->off >= walk->end)
		return 1;
	up = BPF_CORE_READ(dentry, d_parent);
	walk->off = append_name(walk->out, walk->off, BPF_CORE_READ(dentry, d_name.name));
	if (up == dentry) { /* a tree without a mount: memfd */
		walk->out->flags |= FS_PROC_MEMFD;
		walk->done = 1;
		return 1;
	}
	walk->dentry = up;
	return 0;
}

static __noinline void read_path(struct fs_proc *out, struct file *file)
{
	struct vfsmount *vfsmnt = BPF_CORE_READ(file, f_path.mnt);
	struct mount *mnt = (void *)vfsmnt - bpf_core_field_offset(struct mount, mnt);
	struct path_walk walk = {
		.out = out,
		.dentry = BPF_CORE_READ(file, f_path.dentry),
		.mnt = mnt,
		.end = FS_PATH_MAX,
	};

	out->mnt_id = BPF_CORE_READ(mnt, mnt_id);
	bpf_loop(PATH_STEPS, path_step, &walk, 0);
	if (!walk.done)
		out->flags |= FS_PROC_PATH_CUT;
	out->path_len = walk.off;
}

struct cgroup_walk {
	struct fs_proc *out;
	struct kernfs_node *kn;
	__u32 off;
	__u32 end;
};

static long cgroup_step(__u32 i, struct cgroup_walk *walk)
{
	struct kernfs_node *kn = walk->kn;
	struct kernfs_node *up = kernfs_parent(kn);

	if (!up || walk->off >= walk->end)
		return 1; /* the root has no name */
	walk->off = append_name(walk->out, walk->off, BPF_CORE_READ(kn, name));
	walk->kn = up;
	return 0;
}

/*
 * Where the processes' own hierarchy tells nothing, as on machines with version 1: the place in that
 * of the controller `pids`, in which systemd and all container managers have one for each.
 */
static __always_inline struct kernfs_node *legacy_cgroup(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup_subsys_state *state = NULL;
	__u32 index;

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id))
		return NULL;
	index = bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id);
	bpf_probe_read_kernel(&state, sizeof(state),
			      (void *)set + bpf_core_field_offset(struct css_set, subsys) +
				      index * sizeof(state));
	return state ? BPF_CORE_READ(state, cgroup, kn) : NULL;
}

static __noinline void read_cgroup(struct fs_proc *out, struct task_struct *task)
{
	struct kernfs_node *kn = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn);
	struct cgroup_walk walk = {
		.out = out,
		.kn = kn,
		.off = out->path_len,
		.end = (__u32)out->path_len + FS_CGROUP_MAX,
	};

	out->cgroup_id = BPF_CORE_READ(kn, id);
	if (!kernfs_parent(kn))
		walk.kn = legacy_cgroup(task) ?: kn;
	bpf_loop(CGROUP_STEPS, cgroup_step, &walk, 0);
	out->cgroup_len = walk.off - out->path_len;
}

/* Arguments of the current task. They were written a moment ago, so their pages are there. */
static __noinline void read_args(struct fs_proc *out, struct mm_struct *mm)
{
	__u64 start = BPF_CORE_READ(mm, arg_start);
	__u64 len = BPF_CORE_READ(mm, arg_end) - start;
	__u32 off = (__u32)out->path_len + out->cgroup_len;

	if (len > FS_ARGS_MAX) {
		len = FS_ARGS_MAX;
		out->flags |= FS_PROC_ARGS_CUT;
	}
	if (!len)
		return;
	if (off > FS_DATA_MAX - FS_ARGS_MAX) { /* long names have taken the room */
		out->flags |= FS_PROC_ARGS_CUT;
		return;
	}
	if (bpf_probe_read_user(&out->data[off], len, (void *)start)) {
		count(FS_COUNT_READ_FAILED);
		return;
	}
	out->args_len = len;
}

/* A script: the kernel has executed its interpreter. The name is as the caller gave it. */
static __noinline void read_script(struct fs_proc *out, struct linux_binprm *bprm)
{
	const char *filename = BPF_CORE_READ(bprm, filename);
	__u32 off = (__u32)out->path_len + out->cgroup_len + out->args_len;
	long len;

	if (filename == BPF_CORE_READ(bprm, interp) || off > FS_DATA_MAX - FS_SCRIPT_MAX)
		return;
	len = bpf_probe_read_kernel_str(&out->data[off], FS_SCRIPT_MAX, filename);
	if (len > 0)
		out->script_len = len;
	else
		count(FS_COUNT_READ_FAILED);
}

#define FUSE_SUPER_MAGIC 0x65735546
#define OVERLAYFS_SUPER_MAGIC 0x794c7630

/* Not virtiofs or a disk that FUSE mounts (`fuseblk`): root may read those, and a machine serves them. */
static __always_inline bool is_fuse(struct super_block *sb)
{
	const __u64 fuse = 0x65737566; /* "fuse" */
	__u64 name = 0;

	if (BPF_CORE_READ(sb, s_magic) != FUSE_SUPER_MAGIC)
		return false;
	bpf_probe_read_kernel_str(&name, sizeof(name), BPF_CORE_READ(sb, s_type, name));
	return name == fuse;
}

static __noinline void read_file(struct fs_proc *out, struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);

	out->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	out->ino = BPF_CORE_READ(inode, i_ino);
	if (is_fuse(BPF_CORE_READ(inode, i_sb)))
		out->flags |= FS_PROC_FUSE;
	if (BPF_CORE_READ(inode, i_sb, s_magic) == OVERLAYFS_SUPER_MAGIC)
		out->flags |= FS_PROC_OVERLAY;
	/*
	 * Without a device of its own a file system may use a number twice: btrfs for files of
	 * different subvolumes, overlayfs for files of different layers.
	 */
	out->object = out->dev >> 20 ? 0 : (__u64)inode;
	out->size_bytes = BPF_CORE_READ(inode, i_size);
	out->generation = BPF_CORE_READ(inode, i_generation);
	/* Before the times: whoever takes a name away at this moment changes them in this order. */
	out->links = BPF_CORE_READ(inode, i_nlink);
	if (!out->links)
		out->flags |= FS_PROC_UNLINKED;
	inode_times(inode, out);
	read_path(out, file);
}

/* Everything about `task` but its arguments. */
static __always_inline void read_process(struct fs_proc *out, struct task_struct *task, __u32 kind)
{
	struct task_struct *leader = task->group_leader;
	struct task_struct *parent = leader->real_parent;
	struct file *file = BPF_CORE_READ(task, mm, exe_file);

	out->kind = kind;
	out->flags = 0;
	out->path_len = 0;
	out->cgroup_len = 0;
	out->args_len = 0;
	out->script_len = 0;
	owner_of(task, &out->who);
	owner_of(parent, &out->parent);
	owner_of(parent->group_leader->real_parent, &out->grandparent);
	out->uid = task->cred->uid.val;
	out->mntns = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
	out->login_uid = out->session = ~0;
	if (bpf_core_field_exists(task->loginuid)) {
		out->login_uid = BPF_CORE_READ(task, loginuid.val);
		out->session = BPF_CORE_READ(task, sessionid);
	}
	bpf_probe_read_kernel(out->comm, sizeof(out->comm), leader->comm);
	if (file) {
		read_file(out, file);
	} else {
		out->flags |= FS_PROC_NO_FILE;
		out->dev = 0;
		out->ino = 0;
		out->mnt_id = 0;
		out->links = 0;
		out->object = 0;
	}
	read_cgroup(out, task);
}

static __always_inline __u32 proc_size(const struct fs_proc *out)
{
	__u32 used = (__u32)out->path_len + out->cgroup_len + out->args_len + out->script_len;

	if (used > FS_DATA_MAX)
		used = FS_DATA_MAX;
	return __builtin_offsetof(struct fs_proc, data) + used;
}

/* Waking the daemon for every event would cost more than the event. */
static __always_inline __u64 wakeup_flags(void)
{
	if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > fs_ring_bytes / 4)
		return BPF_RB_FORCE_WAKEUP;
	return BPF_RB_NO_WAKEUP;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(fs_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	__u32 key = 0;
	struct fs_scratch *room = bpf_map_lookup_elem(&scratch, &key);

	if (!room)
		return 0;
	read_process(&room->proc, task, FS_EVENT_EXEC);
	read_args(&room->proc, BPF_CORE_READ(task, mm));
	read_script(&room->proc, bprm);
	/* The daemon wants to take hold of the file while it is there. */
	if (bpf_ringbuf_output(&events, &room->proc, proc_size(&room->proc), BPF_RB_FORCE_WAKEUP))
		count(FS_COUNT_EVENT_LOST);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(fs_fork, struct task_struct *parent, struct task_struct *child)
{
	struct fs_fork *event;

	if (child->pid != child->tgid || child->flags & PF_KTHREAD)
		return 0; /* a thread */
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count(FS_COUNT_EVENT_LOST);
		return 0;
	}
	event->kind = FS_EVENT_FORK;
	event->uid = child->cred->uid.val;
	owner_of(child, &event->child);
	owner_of(parent, &event->parent);
	bpf_ringbuf_submit(event, wakeup_flags());
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(fs_exit, struct task_struct *task)
{
	struct fs_exit *event;

	/* `live` was counted down before this tracepoint: 0 means that no thread is left. */
	if (task->signal->live.counter || task->flags & PF_KTHREAD)
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count(FS_COUNT_EVENT_LOST);
		return 0;
	}
	event->kind = FS_EVENT_EXIT;
	event->_pad = 0;
	owner_of(task, &event->who);
	bpf_ringbuf_submit(event, wakeup_flags());
	return 0;
}

#endif
