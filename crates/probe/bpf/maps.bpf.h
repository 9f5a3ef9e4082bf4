/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every map: who writes it, who reads it, what happens when it is full. */
#ifndef FS_MAPS_H
#define FS_MAPS_H

/*
 * Slot numbers: 0 takes what found no place at all; 1 … fs_max_buckets are buckets (one per
 * process, or per executable, used once flows ran out); the rest are flows. Sizes below are
 * placeholders, user space sets them from the configuration.
 */

/* The ledger. Written by the accounting programs, read by user space through mmap(2). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fs_flow);
} flows SEC(".maps");

/*
 * What TCP counted, or SCTP (struct fs_sctp), by slot; only of sockets' first flows. Written and
 * read as the ledger is.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fs_tcp);
} tcp_totals SEC(".maps");

/*
 * One byte a slot (enum fs_mark): moved since the last drain, or closed. Set by the accounting
 * programs after they added, cleared by user space before it reads, so that no addition can fall
 * between. A slot that is handed out is unmarked.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fs_marks);
} dirty SEC(".maps");

/* One byte a slot: its socket still exists. Set by the socket iterator, cleared by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fs_marks);
} alive SEC(".maps");

/* Slots that came back. Pushed by user space, popped by the programs; cannot be full. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1);
	__type(value, __u32);
} free_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1);
	__type(value, __u32);
} free_buckets SEC(".maps");

/*
 * The second and further (owner, peer) of a socket -> slot. Filled by the programs, emptied by
 * user space when the socket was closed or the pair has been idle. Full: counted per process.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct fs_extra_key);
	__type(value, __u32);
} extras SEC(".maps");

/*
 * Process -> bucket slot. Filled by the programs, emptied by user space when the process ended or
 * the bucket has been idle. At most three quarters of the buckets: then per executable.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct fs_who);
	__type(value, __u32);
} buckets SEC(".maps");

/* Executable and user -> bucket slot, for the rest of the buckets. Full: slot 0. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct fs_exe_key);
	__type(value, __u32);
} exe_buckets SEC(".maps");

/* A peer on its way from the hook that sees the address to the one that sees the byte count. */
struct fs_stash {
	__u64 task; /* whose; 0: free */
	__u64 addr[2];
	__u16 port;
	__u16 _pad[3];
};

/* What a socket carries with it; freed with the socket by the kernel. */
struct fs_sk {
	__u32 slot;
	__u32 flags;  /* enum fs_sk_flags */
	__u32 minute; /* of new_peers */
	__u32 new_peers;
	__u32 spilled; /* peers that went through the spill map and were not fetched yet */
	__u32 tcp;     /* enum fs_tcp_flags */
	__u16 look;    /* enum fs_look */
	__u16 wanted;  /* FS_LOOK_MORE: until so many bytes were sent */
	__u32 _pad;
	union {
		struct { /* datagrams */
			struct fs_stash send;
			struct fs_stash recv;
			struct fs_stash own; /* the address here that a task's packet has */
			__u32 ring_head;     /* AF_PACKET: how far a ring was sent */
		};
		struct {                   /* TCP */
			__u64 counted;     /* bytes of reads that were counted */
			__u64 read_before; /* bytes read before, roughly: see tcp_uncounted() */
			__u32 base;        /* sequence number from which on reads count */
			__u32 seen;        /* `counted` when a look found more to have been read */
			/* TCP's counters where ours begin. */
			__u64 sent_before;
			__u64 received_before;
			__u32 out_before;
			__u32 in_before;
			__u32 data_in_before;
			__u32 retrans_before;
			__u32 drops_before;
		};
	};
};

enum fs_sk_flags {
	FS_SK_ORPHAN = 1,  /* lies in `orphans`, not with its socket */
	FS_SK_SHARED = 2,  /* not all that it moved is in its first flow */
	FS_SK_BASED = 4,   /* TCP: `base` is known */
	FS_SK_BEHIND = 8,  /* TCP: `seen` is known */
	FS_SK_BORN = 16,   /* TCP: its connection began under our eyes */
	FS_SK_CLOSER = 32, /* its bytes on the wire want a closer look at each call */
};

/* Whether its payload may tell names: see payload.bpf.h. */
enum fs_look {
	FS_LOOK_NOWHERE = 0,
	FS_LOOK_OPENING,   /* TCP: the first bytes that are sent */
	FS_LOOK_MORE,      /* those that follow */
	FS_LOOK_DATAGRAMS, /* the first datagrams sent to each peer */
	FS_LOOK_REPLIES,   /* what is received */
};

/* Allocation can fail (optmem_max, which socket filters use up too; memory): then `orphans`. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct fs_sk);
} sockets SEC(".maps");

/*
 * Socket cookie -> what a socket that got no storage would carry. Filled by the programs, emptied
 * when the socket is closed, and by user space where that goes unseen. Full: counted per process.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct fs_sk);
} orphans SEC(".maps");

/*
 * Peers of calls that found their socket's stash taken by another thread. Evicts the oldest; a
 * peer evicted between two hooks of one call would be reported as unknown, and counted.
 */
struct fs_spill_key {
	__u64 task;
	__u64 recv; /* 1 for the receive side */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct fs_spill_key);
	__type(value, struct fs_stash);
} spill SEC(".maps");

/* A flow's owner, for those that run as somebody else. */
struct fs_holder {
	struct fs_who who;
	__u64 cgroup_id;
	__u32 uid;
	__u32 _pad;
};

/*
 * Cookie of an MPTCP connection -> who has it. Evicts the longest unused: subflows that begin or
 * are first looked at later are then the kernel's.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct fs_holder);
} holders SEC(".maps");

/* exec, fork, exit. Written by the process programs, read by user space. Full: counted as lost. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

/*
 * fs_payload and fs_looked. Written by the accounting programs and those at the C library, read by
 * user space. Full: counted as lost, and a name may stay unknown.
 */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} payloads SEC(".maps");

/* A call of the C library: whose, and its frame on the stack, as such calls may contain others. */
struct fs_call_key {
	__u64 task;
	__u64 frame;
};

struct fs_asking {
	__u64 name_at; /* in user space, as the next */
	__u64 result_at;
	__u32 len; /* 0: `name` could not be read yet */
	__u32 _pad;
	char name[FS_ASKED_MAX];
};

/*
 * Names being asked for. Entered and removed by the programs at the C library; evicts the oldest,
 * which is most likely of a thread that ended in such a call.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct fs_call_key);
	__type(value, struct fs_asking);
} askings SEC(".maps");

/*
 * Room to put an fs_proc together: [0] for exec, [1] for the iterator, which may be preempted by
 * an exec. Slack so that one more name may be appended before the length check.
 */
struct fs_scratch {
	struct fs_proc proc;
	__u8 slack[FS_NAME_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct fs_scratch);
} scratch SEC(".maps");

#endif
