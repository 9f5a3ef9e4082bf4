/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TCP's receive side. Calls that receive are counted at their end (call_done). What remains is
 * read by splice(2) and TCP_ZEROCOPY_RECEIVE, which end in no such place; but copied_seq moves for
 * every way of reading (a peek does not move it), and the difference to what was counted is what
 * they took.
 *
 * The hook where it moves runs for each buffer that is read, whoever reads it, and took half of what
 * a download paid for being watched. So it is attached only once somebody reads like that
 * (fs_reads_watched): which a look at all sockets finds out (tcp_is_behind), or the end of the
 * connection, where what is missing is made up for (tcp_complete). Then bytes that io_uring
 * receives are counted here too, since the hook cannot tell them from splices. It runs under the
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
 * Bytes read in other ways than by receive calls, and not counted yet. Below zero: another thread's
 * receive call had moved copied_seq when it was looked at here last, and has been counted since.
 * Without the socket lock and a base it is off by what is arriving at this moment.
 */
static __always_inline __s64 tcp_uncounted(const struct fs_sk *s, struct tcp_sock *tp,
					   struct sock *sk)
{
	__u32 seq = tcp_read_up_to(tp, sk);
	__u64 counted = s->counted;
	__s64 about = tcp_read_total(tp, sk) - s->read_before - counted;

	/* read_before may be off by a segment or two; sequence numbers are not, but wrap. */
	if (s->flags & FS_SK_BASED)
		about += (__s32)(seq - s->base - (__u32)counted - (__u32)about);
	return about;
}

/* Sees to it that the socket has a base. Under the socket lock. */
static __always_inline void tcp_base(struct fs_sk *s, struct tcp_sock *tp, struct sock *sk)
{
	__u64 total = tcp_read_total(tp, sk);

	if (s->flags & FS_SK_BASED)
		return;
	/* Of one that neither began under our eyes nor was noted we know nothing: from now on. */
	if (!(s->flags & FS_SK_BORN))
		s->read_before = total - s->counted;
	s->base = tcp_read_up_to(tp, sk) - (__u32)(total - s->read_before);
	__sync_fetch_and_or(&s->flags, FS_SK_BASED);
}

/* True if TCP's own counters speak of what programs move: not below kTLS, MPTCP or a sockmap. */
static __always_inline bool tcp_is_plain(struct sock *sk, struct tcp_sock *tp)
{
	return !tp->inet_conn.icsk_ulp_ops && !sk->sk_user_data;
}

/*
 * A look from outside, without the lock: true if more was read than counted, and no call has been
 * counted since the last look that found the same. A call that is under way looks like that once.
 */
static __always_inline bool tcp_is_behind(struct fs_sk *s, struct tcp_sock *tp, struct sock *sk)
{
	__u32 counted = s->counted;

	if (!(s->flags & (FS_SK_BASED | FS_SK_BORN)) || !tcp_is_plain(sk, tp) ||
	    tcp_uncounted(s, tp, sk) <= 0) {
		__sync_fetch_and_and(&s->flags, ~FS_SK_BEHIND);
		return false;
	}
	if (s->flags & FS_SK_BEHIND && s->seen == counted)
		return true;
	s->seen = counted;
	__sync_fetch_and_or(&s->flags, FS_SK_BEHIND);
	return false;
}

/*
 * The slot of the connection that the socket has now: the one of its first connection (`flow`), if
 * this is a further one that nothing else is known of.
 */
static __always_inline __u32 slot_of_now(struct sock *sk, const struct fs_sk *s,
					 const struct fs_flow *flow)
{
	struct fs_extra_key key = {};
	struct fs_peer peer = {};
	__u32 *extra;

	if (!(s->flags & FS_SK_SHARED))
		return s->slot;
	peer_connected(sk, sk->__sk_common.skc_family, &peer);
	if (same_peer(flow, &peer))
		return s->slot;
	key.cookie = flow->cookie;
	key.who = flow->who;
	key.raddr[0] = peer.addr[0];
	key.raddr[1] = peer.addr[1];
	key.rport = peer.port;
	extra = bpf_map_lookup_elem(&extras, &key);
	return extra ? *extra : s->slot;
}

/*
 * What TCP has moved and nobody has counted goes to whoever used the socket first: reads that were
 * not watched (`bytes`), and calls whose end the kernel did not tell (runs_missed).
 */
static __always_inline void tcp_add_missing(struct sock *sk, struct fs_sk *s, struct tcp_sock *tp,
					    __s64 bytes)
{
	struct fs_flow *flow = flow_at(s->slot);

	if (bytes > 0) {
		fs_reads_wanted = 1;
		count(s->slot && flow ? FS_COUNT_COMPLETED : FS_COUNT_READS_UNCOUNTED);
		if (s->slot && flow) {
			__u32 slot = slot_of_now(sk, s, flow);
			struct fs_flow *now = flow_at(slot);

			if (now)
				__sync_fetch_and_add(&now->recv_bytes, bytes);
			if (now && slot != s->slot)
				mark_dirty(slot);
		}
	}
	if (!s->slot || !flow || (s->flags & (FS_SK_BORN | FS_SK_SHARED)) != FS_SK_BORN)
		return;
	bytes = tp->bytes_sent - tp->bytes_retrans - flow->send_bytes;
	if (bytes > 0) {
		count(FS_COUNT_COMPLETED);
		__sync_fetch_and_add(&flow->send_bytes, bytes);
	}
}

/* The end of the socket: no call is under way or will come. */
static __always_inline void tcp_complete(struct sock *sk, struct fs_sk *s)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	if (!tp || !tcp_is_plain(sk, tp))
		return;
	tcp_base(s, tp, sk);
	tcp_add_missing(sk, s, tp, tcp_uncounted(s, tp, sk));
}

/*
 * To CLOSE by connect(2) to AF_UNSPEC or by close(2) without lingering: tcp_disconnect() wipes TCP's
 * counters out after this, and passes over what nobody read, so the end of the socket tells nothing
 * any more. Only where no reset or acknowledgement can do this while a thread's call has moved
 * bytes and was not counted yet; who disconnects from a connection that is shut down in other ways
 * than connect(2) is missed. If another thread receives in the very moment that this one
 * disconnects, its call may be counted twice.
 */
static __always_inline void tcp_complete_early(struct sock *sk, int from)
{
	struct fs_sk *s = known_storage(sk);
	struct tcp_sock *tp;
	__s64 bytes;

	if (!s || !sk->sk_lock.owned || sk->sk_err)
		return;
	if (from != TCP_ESTABLISHED && from != TCP_CLOSE_WAIT &&
	    !in_connect_call(bpf_get_current_task_btf()))
		return;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp || !tcp_is_plain(sk, tp))
		return;
	tcp_base(s, tp, sk);
	bytes = tcp_uncounted(s, tp, sk);
	if (bytes > 0)
		__sync_fetch_and_add(&s->counted, bytes);
	tcp_add_missing(sk, s, tp, bytes);
	__sync_fetch_and_and(&s->flags, ~(FS_SK_BASED | FS_SK_BEHIND));
	if (s->slot)
		mark_dirty(s->slot);
}

/*
 * The end of the daemon: calls that end now are counted here too, since nothing else does. Without
 * the lock, so what looks like the least of two looks is taken.
 */
static __always_inline void tcp_complete_so_far(struct fs_sk *s, struct tcp_sock *tp,
						struct sock *sk)
{
	__s64 once, again;

	if (!(s->flags & (FS_SK_BASED | FS_SK_BORN)) || !s->slot || !tcp_is_plain(sk, tp))
		return;
	once = tcp_uncounted(s, tp, sk);
	barrier();
	again = tcp_uncounted(s, tp, sk);
	tcp_add_missing(sk, s, tp, once < again ? once : again);
	mark_dirty(s->slot);
}

static __always_inline void tcp_bytes_read(struct sock *sk)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct fs_pair pair = {};
	struct tcp_sock *tp;
	struct fs_sk *s;
	__s64 bytes;

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
	tcp_base(s, tp, sk);
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
	if (!(s->flags & FS_SK_BASED)) {
		s->read_before = tcp_read_total(tp, sk) - s->counted;
		s->base = tcp_read_up_to(tp, sk) - (__u32)s->counted;
		__sync_fetch_and_or(&s->flags, FS_SK_BASED);
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
