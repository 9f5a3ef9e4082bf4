/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What one finished socket call means for the ledger, whichever front reported it. */
#ifndef FS_CALL_H
#define FS_CALL_H

#define MSG_PEEK 0x2
#define MSG_ERRQUEUE 0x2000
#define SOCK_DONE 1

#define SEQ_VALID ((__u64)FS_SK_SEQ << 32)
#define SEQ_FRESH ((__u64)FS_SK_FRESH << 32)

static __always_inline bool watched(__u16 family)
{
	return family == AF_INET || family == AF_INET6 || family == AF_PACKET;
}

static __always_inline struct fs_sk *storage(struct sock *sk)
{
	struct fs_sk *s = bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);

	/* Creation also fails if another CPU has just done it. */
	return s ?: bpf_sk_storage_get(&sockets, sk, 0, 0);
}

static __always_inline void current_owner(struct fs_who *who)
{
	owner_of(bpf_get_current_task_btf(), who);
	if (!who->tgid)
		count(FS_COUNT_KERNEL_CALLS);
}

/*
 * A call that moved nothing. It may still have left a peer behind, which must not stick to the
 * thread's next call.
 */
static __always_inline void call_without_bytes(struct sock *sk, enum fs_dir dir)
{
	struct fs_sk *s;
	struct fs_peer peer;

	if (sk->sk_protocol == IPPROTO_TCP)
		return;
	s = bpf_sk_storage_get(&sockets, sk, 0, 0);
	if (s)
		unstash(s, dir, &peer);
}

/*
 * `named` is the peer if the front saw it, NULL if it has to come from the stash or the socket.
 * TCP is counted here only when sending; see tcp.bpf.h for the other direction.
 */
static __always_inline void call_done(struct sock *sk, __u16 family, enum fs_dir dir, __u64 bytes,
				      const struct fs_peer *named)
{
	struct fs_who who;
	struct fs_peer peer;
	struct fs_sk *s;

	current_owner(&who);
	s = storage(sk);
	if (!s) {
		account_to_bucket(&who, dir, bytes);
		return;
	}
	if (named) {
		peer = *named;
	} else if (sk->sk_protocol == IPPROTO_TCP || !unstash(s, dir, &peer)) {
		peer_connected(sk, family, &peer);
		if (family != AF_PACKET && !(peer.addr[0] | peer.addr[1]))
			count(FS_COUNT_PEER_UNKNOWN);
	}
	if (!has_ports(sk->sk_protocol))
		peer.port = 0;
	account(sk, s, &who, &peer, dir, bytes);
}

#endif
