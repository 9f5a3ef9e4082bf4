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

/* Notes one of the ends; whoever notes the second one marks the slot. */
static __always_inline void socket_ends(struct fs_sk *s, __u32 how)
{
	__u32 before = __sync_fetch_and_or(&s->ended, how);

	if (before != FS_ENDED_BOTH && (before | how) == FS_ENDED_BOTH)
		closed(s->slot);
}

/* The first flow of a socket that has moved nothing, owned by the current task. */
static __always_inline __u32 flow_without_bytes(struct sock *sk, struct fs_sk *s, enum fs_dir dir)
{
	struct fs_who who;
	struct fs_peer peer;

	owner_of(bpf_get_current_task_btf(), &who);
	peer_connected(sk, sk->__sk_common.skc_family, &peer);
	return first_slot(sk, s, &who, &peer, dir);
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
 * A socket begins a connection, perhaps not its first: connect(2) to AF_UNSPEC and again. Its
 * sequence numbers start anew.
 */
static __always_inline void tcp_connects(struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct fs_sk *s = storage(sk);

	if (!s || !tp)
		return;
	s->based = 0;
	s->counted = 0;
	s->tcp = FS_TCP_ACTIVE;
	__sync_fetch_and_and(&s->ended, ~FS_ENDED_CLOSED);
	if (s->slot) {
		tcp_go_on_counting(s, tp);
		return;
	}
	/* A bucket is not the socket's own. */
	flow_without_bytes(sk, s, FS_SEND);
	if (s->slot)
		mark_dirty(s->slot);
}

static __always_inline void tcp_listens(struct sock *sk)
{
	struct fs_sk *s = storage(sk);

	if (!s || s->slot)
		return;
	s->tcp = FS_TCP_LISTENER;
	__sync_fetch_and_and(&s->ended, ~FS_ENDED_CLOSED);
	flow_without_bytes(sk, s, FS_RECV);
	if (s->slot) {
		tcp_sample(sk, s, s->slot);
		mark_dirty(s->slot);
	}
}

static __always_inline void tcp_established(struct sock *sk)
{
	struct fs_sk *s = known_storage(sk);

	if (!s)
		return; /* accepted later, if at all: see tcp_ends() and first_slot() */
	s->tcp |= FS_TCP_ESTABLISHED;
	note_port(sk, s);
}

/* This side has closed, or the connection is over. */
static __always_inline void tcp_ends(struct sock *sk, int old, int new)
{
	struct fs_sk *s = known_storage(sk);
	struct fs_tcp *out;
	__u32 slot;

	if (!s)
		return;
	/* Accepted, closed, and nothing moved: whoever closes it had it. */
	if (!s->slot && sk->sk_lock.owned && old != TCP_LISTEN && !(s->tcp & FS_TCP_ACTIVE))
		flow_without_bytes(sk, s, FS_RECV);
	slot = s->slot;
	if (new != TCP_CLOSE)
		return;
	s->tcp |= FS_TCP_ENDED;
	if (sk->__sk_common.skc_flags & (1UL << SOCK_DONE))
		s->tcp |= FS_TCP_FIN;
	if (old == TCP_FIN_WAIT2 || old == TCP_FIN_WAIT1 || old == TCP_CLOSING)
		s->tcp |= FS_TCP_TIMEWAIT;
	if (slot) {
		note_port(sk, s);
		tcp_sample(sk, s, slot);
		out = bpf_map_lookup_elem(&tcp_totals, &slot);
		if (out)
			out->error = sk->sk_err;
		mark_dirty(slot);
	}
	socket_ends(s, FS_ENDED_CLOSED);
}

#endif
