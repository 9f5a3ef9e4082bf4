/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * MPTCP: programs move bytes over its own socket; what is on the wire, TCP counts on subflows, which
 * are sockets of the kernel's. The first one of connect(2) begins under the eyes of its program.
 * Others do in an interrupt or a worker thread: they are the program's that first used the
 * connection, which is noted by the connection's cookie.
 */
#ifndef FS_MPTCP_H
#define FS_MPTCP_H

/* Who has the connection of this subflow, once it was used. */
static __always_inline struct fs_holder *holder_of(struct tcp_sock *tp)
{
	struct mptcp_subflow_context *context = BPF_CORE_READ(tp, inet_conn.icsk_ulp_data);
	struct sock *conn = context ? BPF_CORE_READ(context, conn) : NULL;
	__u64 cookie = conn ? BPF_CORE_READ(conn, __sk_common.skc_cookie.counter) : 0;

	return cookie ? bpf_map_lookup_elem(&holders, &cookie) : NULL;
}

/* Gives a subflow to who has its connection; from whatever context. True if that is known. */
static __always_inline bool subflow_is_held(struct sock *sk, struct fs_sk *s, enum fs_dir dir)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct fs_holder *holder;
	struct fs_pair pair = {};
	struct fs_flow *flow;

	if (!tp || !bpf_core_field_exists(tp->is_mptcp) || !BPF_CORE_READ(tp, is_mptcp))
		return false;
	s->tcp |= FS_TCP_SUBFLOW;
	holder = holder_of(tp);
	if (!holder)
		return false;
	pair.who = holder->who;
	peer_connected(sk, sk->__sk_common.skc_family, &pair.peer);
	over_socket(&pair, sk, dir);
	first_slot(s, &pair);
	flow = flow_at(s->slot);
	if (s->slot && flow) {
		charge(flow, holder->uid, holder->cgroup_id);
		mark_dirty(s->slot);
	}
	return true;
}

/* A look from outside: what it has on the wire so far. */
static __always_inline void subflow_looked_at(struct sock *sk, struct fs_sk *s)
{
	if (!(s->tcp & FS_TCP_SUBFLOW) || s->tcp & FS_TCP_ENDED)
		return;
	if (!s->slot)
		subflow_is_held(sk, s, FS_RECV);
	if (!s->slot)
		return;
	tcp_sample(sk, s, s->slot);
	mark_dirty(s->slot);
}

#endif
