/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A TCP connection as such: begin, end, and what TCP itself counted. */
#ifndef FS_CONNECTION_H
#define FS_CONNECTION_H

/*
 * The slot's last mark: nothing is added any more. One store and then nothing: once user space
 * sees it the slot may belong to another socket.
 */
static __always_inline void closed(__u32 slot)
{
	__u32 group = slot / FS_MARKS;
	struct fs_marks *marks = slot ? bpf_map_lookup_elem(&dirty, &group) : NULL;

	if (marks)
		marks->mark[slot % FS_MARKS] = FS_MARK_CLOSED;
}

/* The first flow of a socket that has moved nothing, owned by the current task. */
static __always_inline __u32 flow_without_bytes(struct sock *sk, struct fs_sk *s, enum fs_dir dir)
{
	struct fs_pair pair = {};

	owner_of(bpf_get_current_task_btf(), &pair.who);
	peer_connected(sk, sk->__sk_common.skc_family, &pair.peer);
	over_socket(&pair, sk, dir);
	return first_slot(s, &pair);
}

/* connect(2) changes the state before it has found a port. */
static __always_inline void note_port(struct sock *sk, const struct fs_sk *s)
{
	__u32 slot = s->slot;
	struct fs_flow *flow = slot ? flow_at(slot) : NULL;

	if (flow && !flow->lport)
		flow->lport = sk->__sk_common.skc_num;
}

/*
 * connect(2) was called, perhaps not for the first time (to AF_UNSPEC and again): sequence numbers
 * and TCP's counters start anew.
 */
static __always_inline void tcp_connects(struct sock *sk, struct fs_sk *s)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	__sync_fetch_and_and(&s->flags, ~(FS_SK_BASED | FS_SK_BEHIND));
	__sync_fetch_and_or(&s->flags, FS_SK_BORN);
	/* A second connection of the same socket shares its flow with the first. */
	if (s->tcp & FS_TCP_ENDED)
		__sync_fetch_and_or(&s->flags, FS_SK_SHARED);
	s->counted = 0;
	s->read_before = 0;
	s->tcp = FS_TCP_ACTIVE;
	if (tp)
		tcp_go_on_counting(s, tp);
}

static __always_inline void tcp_is_over(struct sock *sk, struct fs_sk *s, int from)
{
	__u32 slot = s->slot;
	struct fs_tcp *out = bpf_map_lookup_elem(&tcp_totals, &slot);

	s->tcp |= FS_TCP_ENDED;
	if (sk->__sk_common.skc_flags & (1UL << SOCK_DONE))
		s->tcp |= FS_TCP_FIN;
	if (from == TCP_FIN_WAIT2 || from == TCP_FIN_WAIT1 || from == TCP_CLOSING)
		s->tcp |= FS_TCP_TIMEWAIT;
	/* Data that nobody read, no linger, or connect(2) to AF_UNSPEC. */
	if ((from == TCP_ESTABLISHED || from == TCP_CLOSE_WAIT) && sk->sk_lock.owned && !sk->sk_err)
		s->tcp |= FS_TCP_RESET;
	if (slot && out) {
		out->error = sk->sk_err;
		tcp_sample(sk, s, slot);
		mark_dirty(slot);
	}
}

/* What its handshake carries besides: known once it is over. */
static __always_inline void note_options(struct sock *sk, struct fs_sk *s)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	if (!tp)
		return;
	if (BPF_CORE_READ_BITFIELD_PROBED(tp, syn_data) ||
	    BPF_CORE_READ_BITFIELD_PROBED(tp, syn_data_acked))
		s->tcp |= FS_TCP_COOKIE_SHOWN;
	else if (BPF_CORE_READ_BITFIELD_PROBED(tp, syn_fastopen))
		s->tcp |= FS_TCP_COOKIE_ASKED;
	if (bpf_core_field_exists(tp->is_mptcp) && BPF_CORE_READ(tp, is_mptcp))
		s->tcp |= FS_TCP_SUBFLOW;
}

static __always_inline void tcp_changes(struct sock *sk, int from, int to)
{
	bool begins = to == TCP_SYN_SENT || to == TCP_LISTEN;
	bool accepted = from == TCP_SYN_RECV && to == TCP_ESTABLISHED;
	struct fs_sk *s = begins || accepted ? storage(sk) : known_storage(sk);

	if (!s)
		return;
	if (to == TCP_SYN_SENT) {
		tcp_connects(sk, s);
	} else if (to == TCP_LISTEN) {
		s->tcp = FS_TCP_LISTENER;
	} else if (to == TCP_ESTABLISHED) {
		s->tcp |= FS_TCP_ESTABLISHED;
		if (accepted)
			__sync_fetch_and_or(&s->flags, FS_SK_BORN);
		note_options(sk, s);
	}
	/* In a kernel's worker thread, or in an interrupt, the current task says nothing. */
	if (!s->slot && !accepted)
		subflow_is_held(sk, s, to == TCP_SYN_SENT ? FS_SEND : FS_RECV);
	/* Accepted, closed, and nothing moved: whoever closes it had it. */
	if (!s->slot &&
	    (begins || (sk->sk_lock.owned && to != TCP_ESTABLISHED && to != TCP_CLOSE_WAIT &&
			from != TCP_LISTEN && !(s->tcp & FS_TCP_ACTIVE)))) {
		flow_without_bytes(sk, s, to == TCP_SYN_SENT ? FS_SEND : FS_RECV);
		if (s->slot) /* a bucket is not the socket's own */
			mark_dirty(s->slot);
	}
	if (!begins)
		note_port(sk, s);
	if (s->slot && (to == TCP_LISTEN || from == TCP_ESTABLISHED))
		tcp_sample(sk, s, s->slot);
	if (to == TCP_CLOSE)
		tcp_is_over(sk, s, from);
}

#endif
