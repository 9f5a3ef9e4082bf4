/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What one finished socket call means for the ledger, whichever front reported it. */
#ifndef FS_CALL_H
#define FS_CALL_H

#define MSG_PEEK 0x2
#define MSG_ERRQUEUE 0x2000
#define RCV_SHUTDOWN 1

static __always_inline bool watched(__u16 family)
{
	family = opaque(family);
	return family == AF_INET || family == AF_INET6 || family == AF_PACKET;
}

/* True if a call that returned `ret` moved nothing, not even an empty datagram. */
static __always_inline bool nothing_moved(const struct sock *sk, enum fs_dir dir, int ret)
{
	if (ret < 0)
		return true;
	if (opaque(ret))
		return false;
	return sk->sk_type == SOCK_STREAM || (dir == FS_RECV && sk->sk_shutdown & RCV_SHUTDOWN);
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
	s = known_storage(sk);
	if (s)
		unstash(s, dir, &peer);
}

/*
 * The common case with plain loads and nothing on the stack: a connected TCP or UDP socket whose
 * flow is the current program's. False: call_slow() has to look closer.
 */
static __always_inline bool call_fast(struct sock *sk, struct fs_sk *s, struct task_struct *task,
				      __u16 family, __u16 protocol, enum fs_dir dir, __u64 bytes)
{
	__u32 slot = s->slot;
	struct fs_flow *flow = flow_at(slot);

	if (!slot || !flow)
		return false;
	if (protocol == IPPROTO_UDP) {
		if ((dir == FS_SEND ? s->send.task : s->recv.task) || s->spilled)
			return false; /* this call has an address of its own */
		if (opaque(bytes) > FS_ONE_PACKET)
			return false; /* more than one header, perhaps */
	} else if (protocol != IPPROTO_TCP) {
		return false;
	}
	if (flow->who.tgid != (__u32)task->tgid || flow->who.exec_id != (__u32)task->self_exec_id ||
	    flow->who.start_ns != task->group_leader->start_boottime)
		return false;
	if (flow->rport != bpf_ntohs(sk->__sk_common.skc_dport))
		return false;
	if (family == AF_INET) {
		__be32 addr = sk->__sk_common.skc_daddr;
		struct fs_peer peer;

		peer_v4(&peer, addr, 0);
		if (!addr || flow->raddr[1] != peer.addr[1])
			return false;
	} else {
		__u64 low = *(__u64 *)&sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[2];

		if (!low || flow->raddr[1] != low ||
		    flow->raddr[0] != *(__u64 *)&sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[0])
			return false;
	}
	if (protocol == IPPROTO_TCP)
		tcp_sample(sk, s, slot);
	add(flow, slot, dir, bytes);
	if (worth_a_look(s, flow, dir))
		look_at(s, flow, dir, bytes);
	return true;
}

static __noinline int call_slow(struct sock *sk, struct fs_sk *s, enum fs_dir dir, __u64 bytes,
				const struct fs_peer *named)
{
	__u16 family = sk->__sk_common.skc_family;
	__u16 protocol = sk->sk_protocol;
	struct fs_pair pair = {};
	struct fs_peer *peer = &pair.peer;

	owner_of(bpf_get_current_task_btf(), &pair.who);
	if (!pair.who.tgid)
		count(FS_COUNT_KERNEL_CALLS);
	if (!s) {
		account_to_bucket(&pair.who, dir, bytes);
		return 0;
	}
	if (named) {
		*peer = *named;
	} else if (opaque(protocol) == IPPROTO_TCP || !unstash(s, dir, peer)) {
		peer_connected(sk, opaque(family), peer);
		if (opaque(protocol) == IPPROTO_SCTP && !peer->addr[1])
			sctp_peer(sk, peer);
		if (family != AF_PACKET && !(peer->addr[0] | peer->addr[1])) {
			count(FS_COUNT_PEER_UNKNOWN);
			if (dir == FS_RECV)
				fs_senders_wanted = 1;
		}
	}
	if (!has_ports(opaque(protocol)))
		peer->port = 0;
	account(sk, s, &pair, dir, bytes);
	return 0;
}

/*
 * One finished call, of which the front may have seen the peer. Where TCP's reads are watched
 * (tcp.bpf.h), its receive side is counted here only in calls that receive.
 */
static __always_inline void call_done(struct sock *sk, __u16 family, enum fs_dir dir, __u64 bytes,
				      const struct fs_peer *named)
{
	bool tcp_recv = sk->sk_protocol == IPPROTO_TCP && dir == FS_RECV;
	struct task_struct *task = bpf_get_current_task_btf();
	struct fs_sk *s;

	if (tcp_recv && fs_reads_watched && !in_recv_call(task))
		return;
	s = storage(sk);
	if (s && tcp_recv)
		__sync_fetch_and_add(&s->counted, bytes);
	if (named || !s || !call_fast(sk, s, task, family, sk->sk_protocol, dir, bytes))
		call_slow(sk, s, dir, bytes, named);
}

#endif
