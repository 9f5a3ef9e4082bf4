/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The hot path: finds the slot of (socket, owner, peer) and adds to it. */
#ifndef FS_FLOW_H
#define FS_FLOW_H

/*
 * After the addition, never before: user space clears the mark, then reads. Whoever still sees the
 * mark here added before that read; whoever does not, sets it for the next one.
 */
static __always_inline void mark_dirty(__u32 slot)
{
	__u32 group = slot / FS_MARKS;
	struct fs_marks *marks = bpf_map_lookup_elem(&dirty, &group);

	if (marks && !marks->mark[slot % FS_MARKS])
		marks->mark[slot % FS_MARKS] = FS_MARK_MOVED;
}

/* A value-returning atomic is a full barrier on every architecture; mark_dirty() needs one. */
static __always_inline void add(struct fs_flow *flow, __u32 slot, enum fs_dir dir, __u64 bytes)
{
	__u32 calls;

	bytes &= ~FS_MORE_FOLLOWS;
	if (dir == FS_SEND) {
		__sync_fetch_and_add(&flow->send_bytes, bytes);
		calls = __sync_fetch_and_add(&flow->send_calls, 1);
	} else {
		__sync_fetch_and_add(&flow->recv_bytes, bytes);
		calls = __sync_fetch_and_add(&flow->recv_calls, 1);
	}
	barrier_var(calls);
	mark_dirty(slot);
}

static __always_inline bool same_peer(const struct fs_flow *flow, const struct fs_peer *peer)
{
	return flow->raddr[1] == peer->addr[1] && flow->raddr[0] == peer->addr[0] &&
	       flow->rport == peer->port;
}

/*
 * An owner, a peer, and the socket between them, for the functions below that are not static: the
 * verifier looks at those once, not along every path that leads there. Older kernels hand them a
 * socket as a number only, so most of what they want of it is here.
 */
struct fs_pair {
	struct fs_who who;
	struct fs_peer peer;
	__u64 sk;
	__u64 cookie;
	__u32 netns;
	__u32 dir; /* of the call that needs a slot */
	__u16 family;
	__u16 protocol;
	__u16 type;
	__u16 lport;
};

static __always_inline void over_socket(struct fs_pair *pair, struct sock *sk, enum fs_dir dir)
{
	pair->sk = (__u64)sk;
	pair->cookie = bpf_get_socket_cookie(sk);
	pair->netns = sk->__sk_common.skc_net.net->ns.inum;
	pair->dir = dir;
	pair->family = sk->__sk_common.skc_family;
	pair->protocol = sk->sk_protocol;
	pair->type = sk->sk_type;
	pair->lport = sk->__sk_common.skc_num;
}

/* True for 0.0.0.0 and ::. */
static __always_inline bool is_unspecified(const __u64 *addr)
{
	return !addr[0] && !((const __u32 *)addr)[3];
}

/* Of a socket that is bound to no address: the one that this call's packet has, if it was seen. */
static __always_inline void own_address(struct fs_flow *flow, const struct fs_sk *s)
{
	if (s->own.task == (__u64)bpf_get_current_task_btf()) {
		flow->laddr[0] = s->own.addr[0];
		flow->laddr[1] = s->own.addr[1];
	} else {
		fs_own_wanted = 1;
	}
}

/* Fills in what identifies the flow; its counters are zero. */
static __always_inline void describe(struct fs_flow *flow, const struct fs_sk *s,
				     const struct fs_pair *pair, const struct fs_peer *peer,
				     __u32 flags)
{
	struct sock *sk = (void *)pair->sk;

	if (pair->type == SOCK_RAW)
		flags |= FS_FLOW_RAW;
	if (header_included(sk, pair->family, pair->type, pair->protocol))
		flags |= FS_FLOW_HDRINCL;

	begin_flow(flow, &pair->who);
	flow->cookie = pair->cookie;
	flow->netns = pair->netns;
	flow->family = pair->family;
	flow->protocol = pair->protocol;
	flow->flags = flags;
	flow->raddr[0] = peer->addr[0];
	flow->raddr[1] = peer->addr[1];
	flow->rport = peer->port;
	if (pair->family == AF_PACKET || pair->family == AF_XDP)
		return;
	if (has_ports(pair->protocol))
		flow->lport = pair->lport;
	if (pair->family == AF_INET) {
		struct fs_peer local;

		peer_v4(&local, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr), 0);
		flow->laddr[0] = local.addr[0];
		flow->laddr[1] = local.addr[1];
	} else {
		BPF_CORE_READ_INTO(&flow->laddr, sk, __sk_common.skc_v6_rcv_saddr);
	}
	if (pair->protocol != IPPROTO_TCP && is_unspecified(flow->laddr))
		own_address(flow, s);
}

/* Who began: TCP knows, of datagrams it is who was first. */
static __always_inline __u32 began_by(const struct fs_sk *s, const struct fs_pair *pair)
{
	if (pair->family == AF_XDP)
		return 0;
	if (pair->protocol != IPPROTO_TCP)
		return pair->dir == FS_SEND ? FS_FLOW_OUT : FS_FLOW_IN;
	if (s->tcp & FS_TCP_LISTENER)
		return FS_FLOW_LISTEN;
	if (s->tcp & FS_TCP_OLDER)
		return 0;
	return s->tcp & FS_TCP_ACTIVE ? FS_FLOW_OUT : FS_FLOW_IN;
}

/* True if this socket may still get a flow for one more peer or owner in this minute. */
static __always_inline bool peer_budget(struct fs_sk *s)
{
	__u32 minute = bpf_ktime_get_ns() / 60000000000ULL;

	if (s->minute != minute) {
		s->minute = minute;
		s->new_peers = 0;
	}
	return __sync_fetch_and_add(&s->new_peers, 1) < fs_max_new_peers;
}

/* True if names are told there: DNS, mDNS, LLMNR. */
static __always_inline bool tells_names(__u16 port)
{
	return port == 53 || port == 5353 || port == 5355;
}

/* What of this socket's payload may tell names, now that it has a flow to this peer. */
static __always_inline void look_from_now(struct fs_sk *s, const struct fs_pair *pair)
{
	bool tcp = pair->protocol == IPPROTO_TCP || pair->protocol == IPPROTO_MPTCP;

	if (!fs_names_bytes || (!tcp && pair->protocol != IPPROTO_UDP))
		return;
	if (tells_names(pair->peer.port))
		s->look = FS_LOOK_REPLIES;
	else if (pair->dir != FS_SEND || s->look)
		return;
	else
		s->look = tcp ? FS_LOOK_OPENING : FS_LOOK_DATAGRAMS;
}

/* Slot of a pair that is not the socket's first. */
__noinline __u32 extra_slot(struct fs_sk *s, const struct fs_pair *pair)
{
	struct fs_extra_key key = {};
	struct fs_flow *flow;
	struct fs_peer whom;
	__u32 *known;
	__u32 flags;
	__u32 slot;
	long err;

	if (!s || !pair)
		return 0;
	key.cookie = pair->cookie;
	key.who = pair->who;
	key.raddr[0] = whom.addr[0] = pair->peer.addr[0];
	key.raddr[1] = whom.addr[1] = pair->peer.addr[1];
	key.rport = whom.port = pair->peer.port;
	flags = FS_FLOW_EXTRA | began_by(s, pair);
	__sync_fetch_and_or(&s->flags, FS_SK_SHARED);
	known = bpf_map_lookup_elem(&extras, &key);
	if (known)
		return *known;
	if (!peer_budget(s)) {
		count(FS_COUNT_MANY_PEERS);
		whom.addr[0] = key.raddr[0] = ~0ULL;
		whom.addr[1] = key.raddr[1] = ~0ULL;
		whom.port = key.rport = 0;
		flags |= FS_FLOW_MANY;
		known = bpf_map_lookup_elem(&extras, &key);
		if (known)
			return *known;
	}
	slot = take_flow();
	flow = slot ? flow_at(slot) : NULL;
	if (!flow) {
		count(FS_COUNT_FLOWS_FULL);
		return bucket_slot(&pair->who);
	}
	describe(flow, s, pair, &whom, flags);
	look_from_now(s, pair);
	err = bpf_map_update_elem(&extras, &key, &slot, BPF_NOEXIST);
	if (!err)
		return slot;
	return_flow(slot);
	known = bpf_map_lookup_elem(&extras, &key); /* another CPU was quicker? */
	if (known)
		return *known;
	count(FS_COUNT_EXTRA_FAILED);
	return bucket_slot(&pair->who);
}

/* For the subflows of this MPTCP connection. A frame of its own: the stack is short below it. */
static __noinline void note_holder(const struct fs_flow *flow)
{
	__u64 cookie = flow->cookie;
	struct fs_holder holder = {
		.who = flow->who,
		.cgroup_id = flow->cgroup_id,
		.uid = flow->uid,
	};

	bpf_map_update_elem(&holders, &cookie, &holder, BPF_NOEXIST);
}

/* Gives the socket its first flow; a bucket's slot if there is none left. */
__noinline __u32 first_slot(struct fs_sk *s, const struct fs_pair *pair)
{
	struct fs_flow *flow;
	__u32 flags;
	__u32 slot;

	if (!s || !pair)
		return 0;
	flags = began_by(s, pair) | (s->flags & FS_SK_ORPHAN ? FS_FLOW_ORPHAN : 0);
	slot = take_flow();
	flow = slot ? flow_at(slot) : NULL;
	if (!flow) {
		count(FS_COUNT_FLOWS_FULL);
		__sync_fetch_and_or(&s->flags, FS_SK_SHARED);
		return bucket_slot(&pair->who);
	}
	/* Not later, when more has to be kept meanwhile: below fexit the stack is used up to the end. */
	look_from_now(s, pair);
	if (pair->family == AF_PACKET || pair->protocol == IPPROTO_SCTP)
		__sync_fetch_and_or(&s->flags, FS_SK_CLOSER);
	if (pair->protocol == IPPROTO_TCP || pair->protocol == IPPROTO_SCTP) {
		struct fs_tcp *tcp = bpf_map_lookup_elem(&tcp_totals, &slot);

		if (tcp)
			__builtin_memset(tcp, 0, sizeof(*tcp));
		/* One that was accepted, seen for the first time. */
		if (pair->protocol == IPPROTO_TCP && !(s->tcp & (FS_TCP_ACTIVE | FS_TCP_LISTENER)))
			s->tcp |= FS_TCP_ESTABLISHED;
	}
	describe(flow, s, pair, &pair->peer, flags);
	if (pair->protocol == IPPROTO_MPTCP)
		note_holder(flow);
	if (!__sync_val_compare_and_swap(&s->slot, 0, slot))
		return slot;
	return_flow(slot);
	/* Another thread was quicker, most likely of the same program and to the same peer. */
	slot = s->slot;
	flow = flow_at(slot);
	if (flow && same_owner(&flow->who, &pair->who) && same_peer(flow, &pair->peer))
		return slot;
	return extra_slot(s, pair);
}

#endif
