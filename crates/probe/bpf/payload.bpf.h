/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Bytes that may tell the name of a host: replies of DNS, mDNS and LLMNR, the first bytes that are
 * sent over a connection (TLS), the first datagrams (QUIC).
 *
 * When a call ends its bytes are in the program's own memory, and the registers of the system call
 * say where. So no hook is needed besides those that count, and a call whose bytes tell nothing pays
 * one comparison. A look at packets (cgroup_skb) costs each of them 50 ns and more. What is not seen
 * in this way is what io_uring moves, recvmmsg(2) receives, and 32-bit programs do: counted.
 *
 * A program can change its memory at this moment, and so deceive about the names that it uses: see
 * docs/names.md for what that is worth.
 */
#ifndef FS_PAYLOAD_H
#define FS_PAYLOAD_H

/* Datagrams of a flow that may be a client's first flight of QUIC. */
#define FS_FIRST_FLIGHT 4
/* Pieces of a call that are looked at. */
#define FS_PIECES 4
/* A TLS record: type, version, length; and the type of the message in it. */
#define FS_TLS_HEAD 6
#define FS_TLS_HANDSHAKE 22
#define FS_TLS_CLIENT_HELLO 1
/* More than any ClientHello in use. */
#define FS_OPENING_MAX 16384

struct fs_piece {
	__u64 at; /* in user space */
	__u64 len;
};

/* struct user_msghdr of a 64-bit program, as far as it matters, and the size of its mmsghdr. */
struct fs_msghdr {
	__u64 name;
	__u64 name_len;
	__u64 iov;
	__u64 iov_len;
};

#define FS_MMSGHDR_SIZE 64

/* Where the pieces of a call are: one of them here, or `count` of them at `iov`. */
struct fs_pieces {
	__u64 iov;
	__u64 count;
	struct fs_piece only;
};

static __always_inline bool worth_a_look(const struct fs_sk *s, const struct fs_flow *flow,
					 enum fs_dir dir)
{
	__u16 look = s->look;

	if (!fs_names_bytes || !look)
		return false;
	if (dir == FS_RECV)
		return look == FS_LOOK_REPLIES;
	return look == FS_LOOK_OPENING || look == FS_LOOK_MORE ||
	       (look == FS_LOOK_DATAGRAMS && flow->send_calls <= FS_FIRST_FLIGHT);
}

#ifdef SYSCALL_NR
/* Of a call that handles several messages it is the `nth`. */
static __always_inline bool pieces_of_call(enum fs_dir dir, __u32 nth, struct fs_pieces *out)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);
	struct fs_msghdr header;
	__u64 second, third;
	long nr;

	/* io_uring's workers: the registers are of a call long ago. */
	if (task->flags & (PF_KTHREAD | PF_WORKER))
		return false;
	nr = SYSCALL_NR(regs);
	second = SYSCALL_ARG2(regs);
	third = SYSCALL_ARG3(regs);
	if (dir == FS_SEND ? nr == NR_WRITE || nr == NR_SENDTO : nr == NR_READ || nr == NR_RECVFROM) {
		out->only.at = second;
		out->only.len = third;
		out->count = 1;
		out->iov = 0;
		return true;
	}
	if (nr == (dir == FS_SEND ? NR_WRITEV : NR_READV)) {
		out->iov = second;
		out->count = third;
		return true;
	}
	if (dir == FS_SEND && nr == NR_SENDMMSG)
		second += (__u64)(nth < third ? nth : 0) * FS_MMSGHDR_SIZE;
	else if (nr != (dir == FS_SEND ? NR_SENDMSG : NR_RECVMSG))
		return false;
	if (bpf_probe_read_user(&header, sizeof(header), (void *)second))
		return false;
	out->iov = header.iov;
	out->count = header.iov_len;
	return true;
}
#else
static __always_inline bool pieces_of_call(enum fs_dir dir, __u32 nth, struct fs_pieces *out)
{
	return false;
}
#endif

static __always_inline bool piece_at(const struct fs_pieces *pieces, __u32 nth,
				     struct fs_piece *out)
{
	if (nth >= pieces->count)
		return false;
	if (!pieces->iov) {
		*out = pieces->only;
		return true;
	}
	return !bpf_probe_read_user(out, sizeof(*out),
				    (void *)(pieces->iov + nth * sizeof(*out)));
}

/*
 * User space reads the buffer once a second, and earlier only if a quarter of it is full: a name is
 * wanted when the bytes are, and waking somebody for each would cost more than all the rest.
 */
static __always_inline __u64 wake_if_filling(void)
{
	return bpf_ringbuf_query(&payloads, BPF_RB_AVAIL_DATA) > fs_names_bytes / 4 ?
		       BPF_RB_FORCE_WAKEUP :
		       BPF_RB_NO_WAKEUP;
}

#define INIT_USER_NAMESPACE 0xeffffffdU /* PROC_USER_INIT_INO */

/*
 * True if this network namespace belongs to the machine's root: whoever makes one for themselves has
 * every address in it, the resolvers' too. Of one that is not the task's it is not known.
 */
static __always_inline bool roots_network(__u32 netns)
{
	struct net *net = BPF_CORE_READ(bpf_get_current_task_btf(), nsproxy, net_ns);

	return BPF_CORE_READ(net, ns.inum) == netns &&
	       BPF_CORE_READ(net, user_ns, ns.inum) == INIT_USER_NAMESPACE;
}

/* The buffer wants sizes that the verifier knows: of a few, the smallest that is enough. */
#define FS_COPY(size)                                                                              \
	do {                                                                                       \
		struct fs_payload *p = bpf_ringbuf_reserve(&payloads, sizeof(*p) + (size), 0);     \
                                                                                                   \
		if (!p) {                                                                          \
			count(FS_COUNT_PAYLOADS_LOST);                                             \
			return 0;                                                                  \
		}                                                                                  \
		p->kind = kind;                                                                    \
		p->who = flow->who;                                                                \
		p->cookie = flow->cookie;                                                          \
		p->raddr[0] = flow->raddr[0];                                                      \
		p->raddr[1] = flow->raddr[1];                                                      \
		p->moved = moved;                                                                  \
		p->netns = flow->netns;                                                            \
		p->uid = flow->uid;                                                                \
		p->flags = roots;                                                                  \
		p->_pad = 0;                                                                       \
		p->rport = flow->rport;                                                            \
		p->protocol = flow->protocol;                                                      \
		/* Here, lest the verifier forget how much it is. */                                \
		barrier_var(len);                                                                  \
		if (len > (size))                                                                  \
			len = (size);                                                              \
		p->len = len;                                                                      \
		if (bpf_probe_read_user(p + 1, len, (void *)at)) {                                 \
			bpf_ringbuf_discard(p, BPF_RB_NO_WAKEUP);                                  \
			count(FS_COUNT_PAYLOADS_HIDDEN);                                           \
			return 0;                                                                  \
		}                                                                                  \
		count(FS_COUNT_PAYLOADS);                                                          \
		bpf_ringbuf_submit(p, wake_if_filling());                                          \
		return 0;                                                                          \
	} while (0)

/* Hands `moved` bytes of the program's memory to user space, or their beginning. */
__noinline int copy_payload(const struct fs_flow *flow, __u32 kind, __u64 at, __u32 moved)
{
	__u64 len = moved;
	__u32 roots;

	if (!flow)
		return 0;
	roots = roots_network(flow->netns) ? FS_PAYLOAD_ROOTS : 0;
	if (len <= 192)
		FS_COPY(192);
	if (len <= 448)
		FS_COPY(448);
	if (len <= 1536)
		FS_COPY(1536);
	FS_COPY(4032);
}

static __always_inline void copy_pieces(const struct fs_flow *flow, const struct fs_pieces *pieces,
					__u32 kind, __u64 left)
{
	struct fs_piece piece;
	__u32 i;

	for (i = 0; i < FS_PIECES && left; i++) {
		if (!piece_at(pieces, i, &piece))
			return;
		if (piece.len > left)
			piece.len = left;
		if (piece.len)
			copy_payload(flow, kind, piece.at, piece.len);
		left -= piece.len;
		/* A datagram in pieces is a rare thing, and one that tells a name rarer. */
		if (piece.len && (kind == FS_PAYLOAD_REPLY || kind == FS_PAYLOAD_DATAGRAM))
			return;
	}
}

/* The first bytes of a connection: those of TLS are wanted up to the end of their first record. */
static __always_inline bool opens_tls(struct fs_sk *s, const struct fs_piece *first, __u64 sent)
{
	__u8 head[FS_TLS_HEAD] = {};
	__u32 wanted;

	if (bpf_probe_read_user(head, sent < FS_TLS_HEAD ? 1 : FS_TLS_HEAD, (void *)first->at))
		return false;
	if (head[0] != FS_TLS_HANDSHAKE)
		return false;
	if (sent < FS_TLS_HEAD) {
		s->wanted = 4096;
		return true;
	}
	if (head[1] != 3 || head[5] != FS_TLS_CLIENT_HELLO)
		return false;
	wanted = FS_TLS_HEAD - 1 + ((__u32)head[3] << 8 | head[4]);
	s->wanted = wanted < FS_OPENING_MAX ? wanted : FS_OPENING_MAX;
	return true;
}

/* Not static: the verifier looks at it once. */
__noinline int look_at(struct fs_sk *s, const struct fs_flow *flow, __u32 dir, __u64 bytes)
{
	struct fs_pieces pieces = {};
	struct fs_piece first = {};
	__u32 kind;

	if (!s || !flow || flow->flags & (FS_FLOW_BUCKET | FS_FLOW_MANY | FS_FLOW_EXE))
		return 0;
	bytes &= ~FS_MORE_FOLLOWS;
	if (!bytes)
		return 0;
	if (dir == FS_RECV && !tells_names(flow->rport))
		return 0;
	if (s->look == FS_LOOK_DATAGRAMS && !(flow->flags & FS_FLOW_OUT))
		return 0;
	if (!pieces_of_call(dir, flow->send_calls - 1, &pieces) || !piece_at(&pieces, 0, &first)) {
		count(FS_COUNT_PAYLOADS_HIDDEN);
		if (s->look != FS_LOOK_REPLIES && s->look != FS_LOOK_DATAGRAMS)
			s->look = FS_LOOK_NOWHERE;
		return 0;
	}
	if (dir == FS_RECV) {
		kind = flow->protocol == IPPROTO_UDP ? FS_PAYLOAD_REPLY : FS_PAYLOAD_STREAM;
	} else if (s->look == FS_LOOK_DATAGRAMS) {
		__u8 form = 0;

		/* A long header, and the bit that is always set: RFC 9000 17.2. */
		if (bpf_probe_read_user(&form, 1, (void *)first.at) || (form & 0xc0) != 0xc0)
			return 0;
		kind = FS_PAYLOAD_DATAGRAM;
	} else {
		if (s->look == FS_LOOK_OPENING && !opens_tls(s, &first, bytes)) {
			s->look = FS_LOOK_NOWHERE;
			return 0;
		}
		s->look = flow->send_bytes < s->wanted ? FS_LOOK_MORE : FS_LOOK_NOWHERE;
		kind = FS_PAYLOAD_OPENING;
	}
	copy_pieces(flow, &pieces, kind, bytes);
	return 0;
}

#endif
