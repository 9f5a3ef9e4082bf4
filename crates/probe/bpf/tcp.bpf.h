/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TCP's receive side. The kernel moves copied_seq for every way of reading (recv, splice, zero
 * copy; a peek does not move it), once for each buffer it takes data from. The hook there runs
 * under the socket lock, so differences of copied_seq need no other.
 *
 * In the system calls that receive, the end of the call tells the same once and cheaper: they are
 * counted there (call_done), all others where copied_seq moves. Both places ask the same
 * question of the same task in the same call, so each byte is counted in exactly one of them.
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

/* Bytes read in other ways than by receive calls, and not counted yet. Under the socket lock. */
static __always_inline __s32 tcp_uncounted(struct fs_sk *s, struct tcp_sock *tp, struct sock *sk)
{
	__u32 seq = tcp_read_up_to(tp, sk);

	/* The snapshot has noted the sockets that are older; the others' totals are all ours. */
	if (!s->based) {
		s->base = seq - (__u32)tcp_read_total(tp, sk);
		s->based = 1;
	}
	/*
	 * Below zero: another thread's receive call had moved copied_seq when it was looked at here
	 * last, and has been counted since. Then that much less is counted now.
	 */
	return (__s32)(seq - s->base - s->counted);
}

static __always_inline void tcp_bytes_read(struct sock *sk)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct fs_pair pair = {};
	struct tcp_sock *tp;
	struct fs_sk *s;
	__s32 bytes;

	/*
	 * In softirq (strparser, sockmap) `current` is a bystander; what was read there is seen
	 * by the next call in process context.
	 */
	if (in_recv_call(task) || !sk->sk_lock.owned)
		return;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return;
	owner_of(task, &pair.who);
	if (!pair.who.tgid)
		count(FS_COUNT_KERNEL_CALLS);
	s = storage(sk);
	if (!s) {
		/* Without a place to remember how far it was read there is no telling how much. */
		count(FS_COUNT_READS_UNCOUNTED);
		return;
	}
	bytes = tcp_uncounted(s, tp, sk);
	if (bytes <= 0)
		return;
	__sync_fetch_and_add(&s->counted, bytes);
	peer_connected(sk, sk->__sk_common.skc_family, &pair.peer);
	account(sk, s, &pair, FS_RECV, bytes);
}

/* Notes how far an older socket has been read. Runs without the socket lock: one load decides. */
static __always_inline void tcp_note_older(struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct fs_sk *s = tp ? storage(sk) : NULL;

	if (!s) {
		if (tp)
			count(FS_COUNT_STORAGE_FAILED);
		return;
	}
	if (!s->based) {
		s->base = tcp_read_up_to(tp, sk) - s->counted;
		s->based = 1;
	}
	if (!s->slot && !(s->tcp & (FS_TCP_ACTIVE | FS_TCP_OLDER))) {
		s->tcp = FS_TCP_OLDER;
		if (sk->__sk_common.skc_state == TCP_LISTEN)
			s->tcp |= FS_TCP_LISTENER;
		else
			s->tcp |= FS_TCP_ESTABLISHED;
		tcp_begin_counting(sk, s, tp);
	}
}

#endif
