/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Everything that kernel and user space both see. Rust gets these types from the object's BTF
 * (libbpf-cargo), src/abi.rs asserts their layout again.
 *
 * Rules: fixed-width integers only, widest first, padding named and zero, addresses as 16 bytes in
 * network order with IPv4 mapped (::ffff:a.b.c.d), ports in host order, units in the name.
 */
#ifndef FS_ABI_H
#define FS_ABI_H

/* Sizes that both sides must agree on. */
enum fs_limits {
	FS_COMM_LEN = 16,
	/* Path components, cgroup components, arguments and script of one process event together. */
	FS_DATA_MAX = 4096,
	FS_PATH_MAX = 2048,
	FS_CGROUP_MAX = 768,
	FS_ARGS_MAX = 1024,
	FS_SCRIPT_MAX = 512,
	/* Longest single name a file system may have, with its NUL (NAME_MAX + 1). */
	FS_NAME_MAX = 256,
	/* Flows whose one-byte marks share an element of the `dirty` and `alive` maps. */
	FS_MARKS = 64,
	/* Users whose use of slots is counted apart (uid modulo this). */
	FS_UIDS = 256,
	/* How many times as many slots as are left one user may have. */
	FS_SHARE = 7,
	/* Different addresses that are told of one name, and the longest name with its NUL. */
	FS_TOLD_MAX = 16,
	FS_ASKED_MAX = 256,
};

/* A program run: see femtosnitch_model::ProcKey. All zero: kernel threads. */
struct fs_who {
	__u64 start_ns; /* group leader's start_boottime */
	__u32 tgid;
	__u32 exec_id; /* self_exec_id, low 32 bits */
};

/* What the kernel side copies for the sake of names: see payload.bpf.h. */
enum fs_payload_kind {
	FS_PAYLOAD_REPLY = 1,    /* a datagram from a port where names are told */
	FS_PAYLOAD_STREAM = 2,   /* of what was received over TCP from such a port */
	FS_PAYLOAD_OPENING = 3,  /* of the first bytes sent over a connection */
	FS_PAYLOAD_DATAGRAM = 4, /* one of the first datagrams sent */
	FS_PAYLOAD_LOOKED = 5,   /* an fs_looked */
};

enum fs_payload_flags {
	FS_PAYLOAD_ROOTS = 1, /* its network namespace is no user's own */
};

/* Followed by `len` bytes that a program had in its memory when its call ended. */
struct fs_payload {
	__u32 kind;  /* enum fs_payload_kind */
	__u32 len;
	struct fs_who who;
	__u64 cookie;
	__u64 raddr[2];
	__u32 moved; /* bytes of the call, or of this piece of it */
	__u32 netns;
	__u32 uid;
	__u32 flags; /* enum fs_payload_flags */
	__u16 rport;
	__u16 protocol;
	__u32 _pad;
};

/* A name that a program asked its C library for, and what it was told: see resolver.bpf.h. */
struct fs_looked {
	__u32 kind;  /* FS_PAYLOAD_LOOKED */
	__u32 len;   /* of the name */
	struct fs_who who;
	__u32 uid;
	__u32 netns;
	__u32 count; /* of the addresses */
	__u32 _pad;
	__u64 addrs[FS_TOLD_MAX][2];
	char name[FS_ASKED_MAX];
};

/* Which function of the C library: the cookie of what is attached to it. */
enum fs_lookup {
	FS_LOOKUP_ADDRINFO = 1, /* getaddrinfo: a list of addrinfo at its fourth argument */
	FS_LOOKUP_HOST = 2,     /* gethostbyname, gethostbyname2: returns a hostent */
	FS_LOOKUP_HOST_R = 3,   /* gethostbyname_r: a hostent at its fifth argument */
	FS_LOOKUP_HOST2_R = 4,  /* gethostbyname2_r: at its sixth */
};

enum fs_flow_flags {
	FS_FLOW_EXTRA = 2,      /* found through the `extras` hash, not through its socket */
	FS_FLOW_BUCKET = 4,     /* one process' traffic that found no flow of its own */
	FS_FLOW_MANY = 8,       /* one process' traffic with the many further peers of one socket */
	FS_FLOW_EXE = 16,       /* a bucket of all processes of a user that run one executable */
	FS_FLOW_ORPHAN = 32,    /* its socket's first, found through the `orphans` hash */
	FS_FLOW_OUT = 64,       /* this machine began: connect(2), or the first datagram */
	FS_FLOW_IN = 128,       /* the other end did */
	FS_FLOW_LISTEN = 256,   /* a socket that waits for connections */
	FS_FLOW_RAW = 512,      /* SOCK_RAW: what a call moves may contain headers */
	FS_FLOW_HDRINCL = 1024, /* the program writes the IP header */
};

/*
 * The ledger: what one owner moved over one socket to and from one peer. Counters only grow until
 * user space gives the slot back. Two cache lines; a repeated call touches the first only.
 */
struct fs_flow {
	__u64 send_bytes;
	__u64 recv_bytes;
	__u32 send_calls; /* wraps */
	__u32 recv_calls; /* wraps */
	__u64 raddr[2];   /* 0: unknown; FS_FLOW_EXE: inode, device */
	struct fs_who who;
	__u16 rport;
	__u16 lport;
	__u16 family;
	__u16 protocol;

	__u64 cookie;
	__u64 laddr[2];
	__u64 cgroup_id;
	__u32 netns;
	__u32 uid;
	__u32 flags; /* enum fs_flow_flags */
	/* Header bytes beyond one header a call: further segments and fragments. */
	__u32 send_more; /* wraps */
	__u32 recv_more; /* wraps */
	__u32 _pad[3];
};

enum fs_tcp_flags {
	FS_TCP_ACTIVE = 1,      /* connect(2) was called */
	FS_TCP_OLDER = 2,       /* was there before: counts from then on */
	FS_TCP_ESTABLISHED = 4, /* was a connection, at least for a while */
	FS_TCP_LISTENER = 8,
	FS_TCP_FIN = 16,      /* the peer's FIN was received; bytes_received counts it */
	FS_TCP_TIMEWAIT = 32, /* went on as a time-wait stub, which counts nothing */
	FS_TCP_ENDED = 64,
	FS_TCP_RESET = 128,        /* this side ended it by a reset, sent after the last look */
	FS_TCP_COOKIE_ASKED = 256, /* TCP Fast Open: its SYN asked for a cookie */
	FS_TCP_COOKIE_SHOWN = 512, /* TCP Fast Open: its SYN carried one, and data */
	FS_TCP_SUBFLOW = 1024,     /* of MPTCP, whose options are on each segment */
};

/* TCP's own counters, as they were when the socket was last used; of a socket's first flow. */
struct fs_tcp {
	__u64 bytes_sent;     /* payload, also what was sent again */
	__u64 bytes_received; /* payload in order, without duplicates */
	__u32 segs_out;       /* wraps */
	__u32 segs_in;        /* wraps */
	__u32 retrans;        /* segments sent again, wraps */
	__u32 srtt_us;        /* smoothed round-trip time; 0: none yet */
	__u16 header_len;     /* TCP header with the options of most segments */
	__u16 error;          /* errno of its end */
	__u32 flags;          /* enum fs_tcp_flags */
	__u32 drops;          /* segments that arrived and were not taken, wraps */
	__u32 data_segs_in;   /* segments that arrived with payload, wraps */
	__u32 data_segs_out;  /* segments sent with payload, wraps; of a subflow only */
	__u32 _pad[3];
};

/*
 * What SCTP counted of an association, in the place of an fs_tcp. Packets, and the chunks in them;
 * each wraps, and begins anew if the socket gets another association.
 */
struct fs_sctp {
	__u32 packets_out;
	__u32 packets_in;
	__u32 data_out; /* with payload, also what was sent again */
	__u32 data_in;
	__u32 acks_out;
	__u32 acks_in;
	__u32 others_out; /* that control the association */
	__u32 others_in;
	__u32 again_out; /* with payload, sent again */
	__u32 again_in;  /* with payload, received before: not among data_in */
	__u32 known;     /* 1: there was something to look at */
	__u32 older;     /* 1: the socket was there before */
	__u32 _pad[4];
};

/*
 * Where SCTP's module keeps things: its types are not in the kernel's own BTF, and it may be loaded
 * later than these programs. Offsets in bytes, by user space (src/sctp.rs).
 */
enum fs_sctp_at {
	FS_SCTP_EP = 0,        /* sctp_sock.ep */
	FS_SCTP_EP_LIST,       /* sctp_endpoint.asocs */
	FS_SCTP_LIST,          /* sctp_association.asocs */
	FS_SCTP_PRIMARY,       /* sctp_association.peer.primary_addr */
	FS_SCTP_STATS,         /* sctp_association.stats, and within: */
	FS_SCTP_PACKETS_OUT,   /* opackets */
	FS_SCTP_PACKETS_IN,    /* ipackets */
	FS_SCTP_ORDERED_OUT,   /* oodchunks */
	FS_SCTP_ORDERED_IN,    /* iodchunks */
	FS_SCTP_UNORDERED_OUT, /* ouodchunks */
	FS_SCTP_UNORDERED_IN,  /* iuodchunks */
	FS_SCTP_AGAIN_OUT,     /* rtxchunks */
	FS_SCTP_AGAIN_IN,      /* idupchunks */
	FS_SCTP_ACKS_OUT,      /* osacks */
	FS_SCTP_ACKS_IN,       /* isacks */
	FS_SCTP_OTHERS_OUT,    /* octrlchunks */
	FS_SCTP_OTHERS_IN,     /* ictrlchunks */
	FS_SCTP_MAX,
};

/* Key of a flow that is not its socket's first: another owner, another peer. */
struct fs_extra_key {
	__u64 cookie;
	struct fs_who who;
	__u64 raddr[2];
	__u16 rport;
	__u16 _pad[3];
};

/* Key of a bucket that stands for an executable. */
struct fs_exe_key {
	__u64 ino;
	__u32 dev; /* kernel encoding */
	__u32 uid;
};

/* What there is a finite number of. */
enum fs_usage_of {
	FS_USAGE_FLOWS = 0,
	FS_USAGE_BUCKETS = 1, /* of processes */
	FS_USAGE_EXES = 2,    /* of executables */
	FS_USAGE_MAX = 3,
};

/* How many slots of a kind are in use. Both sides add and subtract. */
struct fs_usage {
	__u32 all;
	__u32 of_uid[FS_UIDS];
};

enum fs_mark {
	FS_MARK_NONE = 0,
	FS_MARK_MOVED = 1, /* something was added */
	FS_MARK_CLOSED =
		2, /* the socket was closed: the counters are final, no other mark follows */
};

/* An element of the `dirty` and `alive` maps: one byte a flow. */
struct fs_marks {
	__u8 mark[FS_MARKS];
};

enum fs_event_kind {
	FS_EVENT_EXEC = 1,
	FS_EVENT_FORK = 2,
	FS_EVENT_EXIT = 3,
	FS_EVENT_SNAPSHOT = 4, /* an fs_proc of a process that was there before */
};

enum fs_proc_flags {
	FS_PROC_MEMFD = 1,    /* the executable lies outside every mount (memfd_create(2)) */
	FS_PROC_UNLINKED = 2, /* no name leads to the file any more */
	FS_PROC_PATH_CUT = 4,
	FS_PROC_ARGS_CUT = 8,
	FS_PROC_NO_FILE = 16, /* no executable: a process on its way out */
	FS_PROC_FUSE = 32,    /* a program serves the file's contents, perhaps to one user only */
	FS_PROC_OVERLAY = 64, /* on an overlay, for whose files stat(2) has other numbers */
};

/* What a process runs. Only the first `sizeof(head) + lengths` bytes travel. */
struct fs_proc {
	__u32 kind;  /* enum fs_event_kind */
	__u32 flags; /* enum fs_proc_flags */
	struct fs_who who;
	struct fs_who parent;      /* real_parent at this moment */
	struct fs_who grandparent; /* its real_parent */
	__u64 dev;                 /* kernel encoding: major << 20 | minor */
	__u64 ino;
	__u64 size_bytes;
	__s64 mtime_sec;
	__s64 ctime_sec;
	__u64 cgroup_id;
	__u64 object; /* tells inodes of a file system apart whose numbers do not; else 0 */
	__u32 mtime_nsec;
	__u32 ctime_nsec;
	__u32 generation;
	__u32 uid; /* real */
	__u32 mntns;
	__u32 login_uid; /* of the audit system; all ones: nobody logged in, or there is no such */
	__u32 session;
	__u32 mnt_id;     /* of the mount it was executed through, as in /proc/PID/mountinfo */
	__u32 links;      /* names of the file */
	__u16 path_len;   /* NUL-terminated names, leaf first */
	__u16 cgroup_len; /* the same */
	__u16 args_len;   /* NUL-separated, as in /proc/PID/cmdline */
	/* What execve(2) was given, where the kernel put an interpreter in its place; with its NUL. */
	__u16 script_len;
	char comm[FS_COMM_LEN];
	__u8 data[FS_DATA_MAX];
};

struct fs_fork {
	__u32 kind;
	__u32 uid;
	struct fs_who child;
	struct fs_who parent; /* who called fork, whatever getppid(2) will say later */
};

struct fs_exit {
	__u32 kind;
	__u32 _pad;
	struct fs_who who;
};

/* Everything that can be lost, or that costs detail, is counted here (fs_counts in .bss). */
enum fs_count {
	FS_COUNT_EVENT_LOST = 0,       /* process events that found the ring full */
	FS_COUNT_STORAGE_FAILED = 1,   /* calls whose socket found no room: counted per process */
	FS_COUNT_FLOWS_FULL = 2,       /* calls that found no flow: counted per process */
	FS_COUNT_BUCKETS_FULL = 3,     /* calls that found no bucket: counted in total only */
	FS_COUNT_MANY_PEERS = 4,       /* calls counted under "many peers" */
	FS_COUNT_EXTRA_FAILED = 5,     /* updates of `extras` that failed: counted per process */
	FS_COUNT_STASH_SPILLED = 6,    /* peers that had to take the slower way; nothing is lost */
	FS_COUNT_PEER_UNKNOWN = 7,     /* datagram calls whose peer the kernel did not say */
	FS_COUNT_READ_FAILED = 8,      /* arguments or names that could not be read */
	FS_COUNT_KERNEL_CALLS = 9,     /* calls by kernel threads */
	FS_COUNT_READS_UNCOUNTED = 10, /* TCP reads past recv() on a socket without room */
	FS_COUNT_BUCKETS_SHARED = 11,  /* calls counted per executable: no bucket for the process */
	FS_COUNT_COMPLETED = 12,       /* TCP totals completed at the end of the socket */
	FS_COUNT_PAYLOADS = 13,        /* copied for the sake of names */
	FS_COUNT_PAYLOADS_LOST = 14,   /* that found the buffer full */
	FS_COUNT_PAYLOADS_HIDDEN = 15, /* of calls that do not show where the bytes are */
	FS_COUNT_LOOKUPS = 16,         /* answers of C libraries */
	FS_COUNT_LOOKUPS_UNREADABLE = 17, /* that could not be read */
	FS_COUNT_MAX = 18,
};

_Static_assert(sizeof(struct fs_flow) == 128, "two cache lines");
_Static_assert(sizeof(struct fs_tcp) == 64, "one cache line");
_Static_assert(sizeof(struct fs_sctp) == sizeof(struct fs_tcp), "the same place");
_Static_assert(__builtin_offsetof(struct fs_flow, cookie) == 64, "identity on the second");
_Static_assert(sizeof(struct fs_extra_key) == 48, "no hidden padding in a key");
_Static_assert(sizeof(struct fs_exe_key) == 16, "no hidden padding in a key");
_Static_assert(sizeof(struct fs_payload) == 72, "no hidden padding");
_Static_assert(sizeof(struct fs_looked) == 552, "no hidden padding");
_Static_assert(sizeof(struct fs_who) == 16, "no hidden padding in a key");

#endif
