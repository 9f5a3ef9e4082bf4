/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What SCTP itself counted, and to whom. A socket with several associations at once is not looked
 * at: what they count ends with each.
 */
#ifndef FS_SCTP_H
#define FS_SCTP_H

static __always_inline void *sctp_pointer(const void *at)
{
	void *pointer = NULL;

	bpf_probe_read_kernel(&pointer, sizeof(pointer), at);
	return pointer;
}

/* The socket's association, if it has one alone. */
static __always_inline void *association_of(struct sock *sk)
{
	struct list_head *list, *first;
	void *ep;

	if (!fs_sctp_known) {
		fs_sctp_wanted = 1;
		return NULL;
	}
	ep = sctp_pointer((void *)sk + fs_sctp_at[FS_SCTP_EP]);
	if (!ep)
		return NULL;
	list = ep + fs_sctp_at[FS_SCTP_EP_LIST];
	first = BPF_CORE_READ(list, next);
	/* An empty list leads back to where it begins. */
	if (!first || first == list || first != BPF_CORE_READ(list, prev))
		return NULL;
	return (void *)first - fs_sctp_at[FS_SCTP_LIST];
}

/* To whom a socket talks that may have several associations, and has one. */
static __always_inline void sctp_peer(struct sock *sk, struct fs_peer *peer)
{
	void *association = association_of(sk);

	if (association)
		peer_in_buffer(association + fs_sctp_at[FS_SCTP_PRIMARY],
			       sizeof(struct sockaddr_in6), peer);
}

static __always_inline __u32 sctp_counter(const void *stats, enum fs_sctp_at which)
{
	__u64 counter = 0;

	bpf_probe_read_kernel(&counter, sizeof(counter), stats + fs_sctp_at[which]);
	return counter;
}

static __always_inline void sctp_sample(struct sock *sk, const struct fs_sk *s)
{
	__u32 slot = s->slot;
	struct fs_sctp *out = slot ? bpf_map_lookup_elem(&tcp_totals, &slot) : NULL;
	void *stats = out ? association_of(sk) : NULL;

	if (!out || !stats)
		return;
	stats += fs_sctp_at[FS_SCTP_STATS];
	out->packets_out = sctp_counter(stats, FS_SCTP_PACKETS_OUT);
	out->packets_in = sctp_counter(stats, FS_SCTP_PACKETS_IN);
	out->data_out = sctp_counter(stats, FS_SCTP_ORDERED_OUT) +
			sctp_counter(stats, FS_SCTP_UNORDERED_OUT);
	out->data_in =
		sctp_counter(stats, FS_SCTP_ORDERED_IN) + sctp_counter(stats, FS_SCTP_UNORDERED_IN);
	out->again_out = sctp_counter(stats, FS_SCTP_AGAIN_OUT);
	out->again_in = sctp_counter(stats, FS_SCTP_AGAIN_IN);
	out->acks_out = sctp_counter(stats, FS_SCTP_ACKS_OUT);
	out->acks_in = sctp_counter(stats, FS_SCTP_ACKS_IN);
	out->others_out = sctp_counter(stats, FS_SCTP_OTHERS_OUT);
	out->others_in = sctp_counter(stats, FS_SCTP_OTHERS_IN);
	out->older = !!(s->tcp & FS_TCP_OLDER);
	out->known = 1;
}

/* Chunks are filled up to a multiple of four bytes (RFC 9260, section 3.2). */
static __always_inline void pad_chunk(struct fs_flow *flow, __u32 dir, __u64 bytes)
{
	__u32 more = -bytes & 3;

	if (more)
		__sync_fetch_and_add(dir == FS_SEND ? &flow->send_more : &flow->recv_more, more);
}

/* The association changes its state: the last time, when it is over. */
static __always_inline void sctp_changes(struct sock *sk)
{
	struct fs_sk *s = known_storage(sk);

	if (!s || !s->slot)
		return;
	sctp_sample(sk, s);
	mark_dirty(s->slot);
}

/* At start: what this socket's association has counted so far is not ours. */
static __always_inline void sctp_note_older(struct sock *sk)
{
	struct fs_sk *s = storage(sk);

	if (s && !s->slot)
		s->tcp = FS_TCP_OLDER;
}

#endif
