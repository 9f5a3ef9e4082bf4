/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Handing out the slots of the ledger. They are finite, so each user (by a hash of the uid) may
 * have at most seven times as many as would then be left: one who opens sockets without end still
 * leaves an eighth to the others.
 */
#ifndef FS_SLOTS_H
#define FS_SLOTS_H

static __always_inline struct fs_flow *flow_at(__u32 slot)
{
	return bpf_map_lookup_elem(&flows, &slot);
}

static __always_inline __u32 take_slot(void *returned, __u32 *fresh, __u32 first, __u32 limit)
{
	__u32 slot = 0;
	__u32 nth;

	if (!bpf_map_pop_elem(returned, &slot))
		return slot;
	if (*fresh >= limit)
		return 0;
	nth = __sync_fetch_and_add(fresh, 1);
	return nth < limit ? first + nth : 0;
}

/* True if the current user may have one more of `max`; then it is counted as theirs. */
static __always_inline bool claim(struct fs_usage *usage, __u32 max)
{
	__u32 *mine = &usage->of_uid[(__u32)bpf_get_current_uid_gid() % FS_UIDS];
	__u32 all = usage->all;

	if (all >= max || *mine / FS_SHARE > max - all)
		return false;
	__sync_fetch_and_add(mine, 1);
	__sync_fetch_and_add(&usage->all, 1);
	return true;
}

/* The opposite; user space does the same when it gives a slot back. */
static __always_inline void unclaim(struct fs_usage *usage)
{
	__sync_fetch_and_add(&usage->of_uid[(__u32)bpf_get_current_uid_gid() % FS_UIDS], -1);
	__sync_fetch_and_add(&usage->all, -1);
}

static __always_inline __u32 take_flow(void)
{
	__u32 slot;

	if (!claim(&fs_usage[FS_USAGE_FLOWS], fs_max_flows))
		return 0;
	slot = take_slot(&free_flows, &fs_fresh_flows, 1 + fs_max_buckets, fs_max_flows);
	if (!slot)
		unclaim(&fs_usage[FS_USAGE_FLOWS]);
	return slot;
}

static __always_inline void return_flow(__u32 slot)
{
	bpf_map_push_elem(&free_flows, &slot, BPF_ANY);
	unclaim(&fs_usage[FS_USAGE_FLOWS]);
}

static __always_inline void begin_flow(struct fs_flow *flow, const struct fs_who *who)
{
	__builtin_memset(flow, 0, sizeof(*flow));
	flow->who = *who;
	flow->uid = (__u32)bpf_get_current_uid_gid();
	flow->cgroup_id = bpf_get_current_cgroup_id();
}

/* The slot was taken on the current task's account; it is somebody else's. */
static __always_inline void charge(struct fs_flow *flow, __u32 uid, __u64 cgroup_id)
{
	__u32 *of_uid = fs_usage[FS_USAGE_FLOWS].of_uid;

	__sync_fetch_and_add(&of_uid[flow->uid % FS_UIDS], -1);
	__sync_fetch_and_add(&of_uid[uid % FS_UIDS], 1);
	flow->uid = uid;
	flow->cgroup_id = cgroup_id;
}

/* The slot of a bucket in `map`, a new one if need be; 0 if the user may have no more. */
static __always_inline __u32 bucket_in(void *map, const void *key, const struct fs_who *who,
				       enum fs_usage_of of, __u32 max, const struct fs_exe_key *exe)
{
	__u32 *known = bpf_map_lookup_elem(map, key);
	struct fs_flow *flow;
	__u32 slot;

	if (known)
		return *known;
	if (!claim(&fs_usage[of], max))
		return 0;
	slot = take_slot(&free_buckets, &fs_fresh_buckets, 1, fs_max_buckets);
	flow = slot ? flow_at(slot) : NULL;
	if (!flow) {
		unclaim(&fs_usage[of]);
		return 0;
	}
	begin_flow(flow, who);
	if (exe) {
		flow->flags = FS_FLOW_EXE;
		flow->raddr[0] = exe->ino;
		flow->raddr[1] = exe->dev;
	} else {
		flow->flags = FS_FLOW_BUCKET;
	}
	if (!bpf_map_update_elem(map, key, &slot, BPF_NOEXIST))
		return slot;
	/* Another thread was quicker, or memory is short. */
	bpf_map_push_elem(&free_buckets, &slot, BPF_ANY);
	unclaim(&fs_usage[of]);
	known = bpf_map_lookup_elem(map, key);
	return known ? *known : 0;
}

/*
 * Exact totals without peers: of the process, or once a user has used up those, of the executable
 * together with all other processes that run it. Slot 0, everybody's, if there is not even that.
 * Not static: so the verifier looks at it once, not along every path that leads here.
 */
__noinline __u32 bucket_slot(const struct fs_who *who)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct fs_who nobody = {};
	struct fs_exe_key exe = {};
	struct fs_who owner;
	struct inode *inode;
	__u32 slot;

	if (!who)
		return 0;
	owner = *who;

	slot = bucket_in(&buckets, &owner, &owner, FS_USAGE_BUCKETS,
			 fs_max_buckets - fs_max_buckets / 4, NULL);
	if (slot)
		return slot;
	inode = BPF_CORE_READ(task, mm, exe_file, f_inode);
	if (inode) {
		exe.ino = BPF_CORE_READ(inode, i_ino);
		exe.dev = BPF_CORE_READ(inode, i_sb, s_dev);
		exe.uid = (__u32)bpf_get_current_uid_gid();
		slot = bucket_in(&exe_buckets, &exe, &nobody, FS_USAGE_EXES, fs_max_buckets / 4,
				 &exe);
	}
	if (slot)
		count(FS_COUNT_BUCKETS_SHARED);
	else
		count(FS_COUNT_BUCKETS_FULL);
	return slot;
}

#endif
