/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TCP's receive side is counted where the kernel moves copied_seq, which every way of reading
 * passes (recv, splice, MSG_TRUNC, zero copy; a peek does not move it). The hook runs under the
 * socket lock, so differences of copied_seq need no other.
 */
#ifndef FS_TCP_H
#define FS_TCP_H

/* How far the owner has read; the FIN takes a sequence number but is no byte. */
static __always_inline __u32 tcp_read_up_to(struct tcp_sock *tp, struct sock *sk)
{
	__u32 seq = tp->copied_seq;

	if (sk->__sk_common.skc_flags & (1UL << SOCK_DONE) && seq == tp->rcv_nxt)
		seq--;
	return seq;
}

/*
 * Bytes read since the connection began, without the 4 GiB wrap of sequence numbers.
 * bytes_received and rcv_nxt both count the FIN once it has arrived.
 */
static __always_inline __u64 tcp_read_total(struct tcp_sock *tp, struct sock *sk)
{
	__u32 waiting = tp->rcv_nxt - tcp_read_up_to(tp, sk);

	return tp->bytes_received - waiting;
}

/*
 * The first sight of a socket's receive side. A socket younger than the daemon has its whole
 * total still to be counted; older ones were noted by the snapshot. Before that is complete, and
 * once storage was refused to some socket, nobody can tell whether earlier bytes were counted:
 * then the byte count of the call decides (tcp_recv_returned).
 */
static __always_inline __u64 tcp_first_sight(struct fs_sk *s, struct tcp_sock *tp, struct sock *sk,
					     __u32 seq)
{
	if (fs_snapshot_done && !fs_storage_failed) {
		s->seq = SEQ_VALID | seq;
		return tcp_read_total(tp, sk);
	}
	s->fresh_bytes = 0;
	s->seq = SEQ_VALID | SEQ_FRESH | seq;
	return 0;
}

static __always_inline void tcp_bytes_read(struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct task_struct *task = bpf_get_current_task_btf();
	struct fs_peer peer;
	struct fs_who who;
	struct fs_sk *s;
	__u64 bytes;
	__u32 seq;

	/*
	 * In softirq (strparser, sockmap) `current` is a bystander; what was read there is seen
	 * by the next call in process context.
	 */
	if (!tp || !sk->sk_lock.owned)
		return;
	owner_of(task, &who);
	if (!who.tgid)
		count(FS_COUNT_KERNEL_CALLS);
	s = storage(sk);
	if (!s) {
		fs_storage_failed = 1; /* tcp_recv_returned() counts it */
		return;
	}
	seq = tcp_read_up_to(tp, sk);
	if (s->seq & SEQ_VALID) {
		bytes = (__u32)(seq - (__u32)s->seq);
		if (!bytes)
			return;
		s->seq = (s->seq & ~0xffffffffULL) | seq;
	} else {
		bytes = tcp_first_sight(s, tp, sk, seq);
		if (!bytes)
			return;
	}
	if (s->seq & SEQ_FRESH)
		s->fresh_bytes += bytes;
	peer_connected(sk, sk->__sk_common.skc_family, &peer);
	account(sk, s, &who, &peer, FS_RECV, bytes);
}

/* A receive call of `bytes` ended; counts what tcp_bytes_read() could not. */
static __always_inline void tcp_recv_returned(struct sock *sk, __u64 bytes)
{
	struct fs_peer peer;
	struct fs_who who;
	struct fs_sk *s;

	if (fs_snapshot_done && !fs_storage_failed)
		return;
	s = bpf_sk_storage_get(&sockets, sk, 0, 0);
	if (!s) {
		current_owner(&who);
		account_to_bucket(&who, FS_RECV, bytes);
		return;
	}
	if (!(s->seq & SEQ_FRESH))
		return;
	s->seq &= ~SEQ_FRESH;
	if (bytes <= s->fresh_bytes)
		return;
	current_owner(&who);
	peer_connected(sk, sk->__sk_common.skc_family, &peer);
	account(sk, s, &who, &peer, FS_RECV, bytes - s->fresh_bytes);
}

/* Notes how far an older socket has been read. Runs without the socket lock: one load decides. */
static __always_inline void tcp_note_older(struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct fs_sk *s;

	if (!tp)
		return;
	s = storage(sk);
	if (!s) {
		fs_storage_failed = 1;
		return;
	}
	__sync_val_compare_and_swap(&s->seq, 0, SEQ_VALID | tcp_read_up_to(tp, sk));
}

#endif
