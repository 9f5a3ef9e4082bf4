/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where kernels differ. Each accessor hides the flavours; nobody else names a ___suffix. The floor
 * is Linux 5.17 (bpf_loop; a plain loop over a path costs 270,000 verified instructions); a
 * flavour goes when the floor passes it.
 */
#ifndef FS_COMPAT_H
#define FS_COMPAT_H

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct timespec64 {
	s64 tv_sec;
	long tv_nsec;
};

/* Until 6.5: plain timespec64 members. */
struct inode___v1 {
	struct timespec64 i_mtime;
	struct timespec64 i_ctime;
};

/* 6.6 (commit 13bc24457850) renamed i_ctime, 6.7 (commit 12cd44023651) i_mtime. */
struct inode___v2 {
	struct timespec64 __i_mtime;
	struct timespec64 __i_ctime;
};

/* 6.11 (commit 3aa63a569c64): separate seconds and nanoseconds. */
struct inode___v3 {
	s64 i_mtime_sec;
	s64 i_ctime_sec;
	u32 i_mtime_nsec;
	u32 i_ctime_nsec;
};

/* Until 6.14; 6.15 (commit 633488947ef6) made it `__parent`, under RCU. */
struct kernfs_node___v1 {
	struct kernfs_node *parent;
};

struct kernfs_node___v2 {
	struct kernfs_node *__parent;
};

/* Until 6.5: a bit of its own. */
struct inet_sock___v1 {
	__u8 hdrincl : 1;
};

/* 6.6 (commit cafbe182a467): a bit of inet_flags. */
struct inet_sock___v2 {
	unsigned long inet_flags;
};

#pragma clang attribute pop

#define INET_FLAGS_HDRINCL 12

/* True if the program writes IPv4 headers itself (IP_HDRINCL). */
static __always_inline bool inet_hdrincl(struct sock *sk)
{
	if (bpf_core_field_exists(struct inet_sock___v2, inet_flags)) {
		struct inet_sock___v2 *v2 = (void *)sk;

		return BPF_CORE_READ(v2, inet_flags) & (1UL << INET_FLAGS_HDRINCL);
	}
	if (bpf_core_field_exists(struct inet_sock___v1, hdrincl)) {
		struct inet_sock___v1 *v1 = (void *)sk;

		return BPF_CORE_READ_BITFIELD_PROBED(v1, hdrincl);
	}
	return false;
}

/* 6.13 multigrain time stamps: bit 31 of i_ctime_nsec says that somebody looked. */
#define CTIME_NSEC_MASK 0x7fffffff

static __always_inline void inode_times(struct inode *inode, struct fs_proc *out)
{
	if (bpf_core_field_exists(struct inode___v3, i_ctime_sec)) {
		struct inode___v3 *v3 = (void *)inode;

		out->mtime_sec = BPF_CORE_READ(v3, i_mtime_sec);
		out->mtime_nsec = BPF_CORE_READ(v3, i_mtime_nsec);
		out->ctime_sec = BPF_CORE_READ(v3, i_ctime_sec);
		out->ctime_nsec = BPF_CORE_READ(v3, i_ctime_nsec) & CTIME_NSEC_MASK;
		return;
	}
	if (bpf_core_field_exists(struct inode___v2, __i_ctime)) {
		struct inode___v2 *v2 = (void *)inode;

		out->ctime_sec = BPF_CORE_READ(v2, __i_ctime.tv_sec);
		out->ctime_nsec = BPF_CORE_READ(v2, __i_ctime.tv_nsec);
	} else {
		struct inode___v1 *v1 = (void *)inode;

		out->ctime_sec = BPF_CORE_READ(v1, i_ctime.tv_sec);
		out->ctime_nsec = BPF_CORE_READ(v1, i_ctime.tv_nsec);
	}
	if (bpf_core_field_exists(struct inode___v2, __i_mtime)) {
		struct inode___v2 *v2 = (void *)inode;

		out->mtime_sec = BPF_CORE_READ(v2, __i_mtime.tv_sec);
		out->mtime_nsec = BPF_CORE_READ(v2, __i_mtime.tv_nsec);
	} else {
		struct inode___v1 *v1 = (void *)inode;

		out->mtime_sec = BPF_CORE_READ(v1, i_mtime.tv_sec);
		out->mtime_nsec = BPF_CORE_READ(v1, i_mtime.tv_nsec);
	}
}

static __always_inline struct kernfs_node *kernfs_parent(struct kernfs_node *kn)
{
	if (bpf_core_field_exists(struct kernfs_node___v2, __parent)) {
		struct kernfs_node___v2 *v2 = (void *)kn;

		return BPF_CORE_READ(v2, __parent);
	}
	struct kernfs_node___v1 *v1 = (void *)kn;

	return BPF_CORE_READ(v1, parent);
}

#endif
