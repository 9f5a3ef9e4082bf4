/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One call and the ledger: which slot, how much, and what it cost on the wire. */
#ifndef FS_ACCOUNT_H
#define FS_ACCOUNT_H

/* For datagrams that one header does not carry, and for protocols that count by themselves. */
static __always_inline void look_closer(struct sock *sk, struct fs_sk *s, struct fs_flow *flow,
					__u32 dir, __u64 bytes)
{
	if (flow->protocol == IPPROTO_SCTP) {
		sctp_sample(sk, s);
		pad_chunk(flow, dir, bytes);
	} else {
		add_headers(sk, s, flow, dir, bytes);
	}
}

/* Counts `bytes` of one call that `pair`'s owner made with its peer. */
static __always_inline void account(struct sock *sk, struct fs_sk *s, struct fs_pair *pair,
				    enum fs_dir dir, __u64 bytes)
{
	bool tcp = opaque(sk->sk_protocol) == IPPROTO_TCP;
	__u32 first = s->slot;
	__u32 slot = first;
	struct fs_flow *flow = flow_at(slot);

	if (!slot || !flow || !same_owner(&flow->who, &pair->who) ||
	    !same_peer(flow, &pair->peer)) {
		over_socket(pair, sk, dir);
		slot = slot ? extra_slot(s, pair) : first_slot(s, pair);
	}
	flow = flow_at(slot);
	if (!flow)
		return;
	first = s->slot;
	if (tcp && first)
		tcp_sample(sk, s, first);
	if (!tcp && (opaque(bytes) > FS_ONE_PACKET || opaque(s->flags) & FS_SK_CLOSER))
		look_closer(sk, s, flow, dir, bytes);
	add(flow, slot, dir, bytes);
	if (worth_a_look(s, flow, dir))
		look_at(s, flow, dir, bytes);
	if (tcp && first && first != slot)
		mark_dirty(first); /* it carries what TCP counted for both */
}

/* A call on a socket for which there is no room at all: the process still gets its bytes. */
static __noinline void account_to_bucket(const struct fs_who *who, enum fs_dir dir, __u64 bytes)
{
	__u32 slot = bucket_slot(who);
	struct fs_flow *flow = flow_at(slot);

	count(FS_COUNT_STORAGE_FAILED);
	if (flow)
		add(flow, slot, dir, bytes);
}

#endif
