/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * To whom: a connected socket knows its peer; for a datagram with an address of its own, the hook
 * that sees the address leaves it in the socket's storage for the hook that sees the byte count.
 */
#ifndef FS_PEER_H
#define FS_PEER_H

#define AF_INET 2
#define AF_INET6 10
#define AF_PACKET 17
#define AF_XDP 44
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_DCCP 33
#define IPPROTO_SCTP 132
#define IPPROTO_UDPLITE 136
#define IPPROTO_MPTCP 262
#define SOCK_STREAM 1

struct fs_peer {
	__u64 addr[2];
	__u16 port;
};

enum fs_dir { FS_SEND, FS_RECV };

/*
 * A bit beside the number of bytes, which makes it look like a large one: more of the same datagram
 * follows (MSG_MORE, UDP_CORK). Until it is whole it waits in the socket's write queue. TCP uses
 * that queue as well, but never asks for this bit. No comparison, which would double the states
 * that the verifier has to walk.
 */
#define FS_MORE_FOLLOWS (1ULL << 47)

static __always_inline __u64 with_what_follows(const struct sock *sk, __u32 bytes)
{
	__u64 waiting = sk->sk_write_queue.qlen;

	return bytes | (-waiting & (1ULL << 63)) >> 16;
}

static __always_inline void peer_v4(struct fs_peer *peer, __be32 addr, __be16 port)
{
	peer->addr[0] = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	peer->addr[1] = (__u64)addr << 32 | 0xffff0000;
#else
	peer->addr[1] = 0xffffULL << 32 | addr;
#endif
	peer->port = bpf_ntohs(port);
}

static __always_inline void peer_v6(struct fs_peer *peer, const void *addr, __be16 port)
{
	__builtin_memcpy(peer->addr, addr, sizeof(peer->addr));
	peer->port = bpf_ntohs(port);
}

static __always_inline bool has_ports(__u16 protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_DCCP:
	case IPPROTO_SCTP:
	case IPPROTO_UDPLITE:
	case IPPROTO_MPTCP:
		return true;
	}
	return false; /* a raw socket keeps its protocol number where others have the port */
}

/* The address that connect(2) or accept(2) left in the socket; zero if none. */
static __always_inline void peer_connected(struct sock *sk, __u16 family, struct fs_peer *peer)
{
	peer->addr[0] = 0;
	peer->addr[1] = 0;
	peer->port = 0;
	if (family == AF_INET) {
		__be32 addr = sk->__sk_common.skc_daddr;

		if (addr)
			peer_v4(peer, addr, sk->__sk_common.skc_dport);
	} else if (family == AF_INET6) {
		peer->addr[0] = *(__u64 *)&sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[0];
		peer->addr[1] = *(__u64 *)&sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[2];
		if (peer->addr[0] | peer->addr[1])
			peer->port = bpf_ntohs(sk->__sk_common.skc_dport);
	}
}

/*
 * The address in the kernel's own buffer (always as large as a sockaddr_storage), of which `len`
 * bytes are valid; false if there is none of a known family.
 */
static __always_inline bool peer_in_buffer(const void *name, int len, struct fs_peer *peer)
{
	struct sockaddr_in6 addr = {};

	if (!name || len < (int)sizeof(struct sockaddr_in))
		return false;
	if (bpf_probe_read_kernel(&addr, sizeof(addr), name))
		return false;
	if (addr.sin6_family == AF_INET) {
		struct sockaddr_in *in = (void *)&addr;

		peer_v4(peer, in->sin_addr, in->sin_port);
		return true;
	}
	/* 24 bytes are enough for the kernel (SIN6_LEN_RFC2133): the scope id is optional. */
	if (addr.sin6_family == AF_INET6 && len >= (int)sizeof(addr)) {
		peer_v6(peer, addr.sin6_addr, addr.sin6_port);
		return true;
	}
	return false;
}

static __always_inline bool peer_in_message(struct msghdr *msg, struct fs_peer *peer)
{
	return peer_in_buffer(BPF_CORE_READ(msg, msg_name), BPF_CORE_READ(msg, msg_namelen), peer);
}

/* Leaves a peer for the end of the current call. */
static __always_inline void stash(struct fs_sk *s, enum fs_dir dir, const struct fs_peer *peer)
{
	__u64 me = (__u64)bpf_get_current_task_btf();
	struct fs_stash *mine = dir == FS_SEND ? &s->send : &s->recv;
	__u64 holder = __sync_val_compare_and_swap(&mine->task, 0, me);

	if (holder == 0 || holder == me) {
		mine->addr[0] = peer->addr[0];
		mine->addr[1] = peer->addr[1];
		mine->port = peer->port;
		return;
	}
	/* Another thread is in the middle of a call on the same socket. */
	struct fs_spill_key key = { .task = me, .recv = dir == FS_RECV };
	struct fs_stash value = {
		.task = me,
		.addr = { peer->addr[0], peer->addr[1] },
		.port = peer->port,
	};

	count(FS_COUNT_STASH_SPILLED);
	if (!bpf_map_update_elem(&spill, &key, &value, BPF_ANY))
		__sync_fetch_and_add(&s->spilled, 1);
}

/* Takes the peer that stash() left in this call, if it did. */
static __always_inline bool unstash(struct fs_sk *s, enum fs_dir dir, struct fs_peer *peer)
{
	struct fs_stash *mine = dir == FS_SEND ? &s->send : &s->recv;
	__u64 holder = mine->task;
	__u64 me;

	if (!holder && !s->spilled)
		return false;
	me = (__u64)bpf_get_current_task_btf();
	if (holder == me) {
		peer->addr[0] = mine->addr[0];
		peer->addr[1] = mine->addr[1];
		peer->port = mine->port;
		__sync_lock_test_and_set(&mine->task, 0);
		return true;
	}

	struct fs_spill_key key = { .task = me, .recv = dir == FS_RECV };
	struct fs_stash *spilt = bpf_map_lookup_elem(&spill, &key);

	if (!spilt)
		return false;
	__sync_fetch_and_add(&s->spilled, -1);
	peer->addr[0] = spilt->addr[0];
	peer->addr[1] = spilt->addr[1];
	peer->port = spilt->port;
	bpf_map_delete_elem(&spill, &key);
	return true;
}

#endif
