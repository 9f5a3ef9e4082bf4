/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What TCP itself counted of a connection. */
#ifndef FS_SAMPLE_H
#define FS_SAMPLE_H

enum fs_tcp_state {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT = 2,
	TCP_SYN_RECV = 3,
	TCP_FIN_WAIT1 = 4,
	TCP_FIN_WAIT2 = 5,
	TCP_CLOSE = 7,
	TCP_CLOSE_WAIT = 8,
	TCP_LAST_ACK = 9,
	TCP_LISTEN = 10,
	TCP_CLOSING = 11,
};

#define SOCK_DONE 1

/* MPTCP's own options are on each segment, if the other end speaks it. */
static __always_inline void subflow_sample(struct tcp_sock *tp, struct fs_tcp *out)
{
	struct mptcp_subflow_context *context = BPF_CORE_READ(tp, inet_conn.icsk_ulp_data);

	out->data_segs_out = tp->data_segs_out;
	if (!context || !(BPF_CORE_READ_BITFIELD_PROBED(context, mp_capable) |
			  BPF_CORE_READ_BITFIELD_PROBED(context, mp_join)))
		out->flags &= ~FS_TCP_SUBFLOW;
}

/*
 * Takes TCP's counters down for user space; before the mark that makes it look. The socket lock is
 * not needed: each is one load, and the next call, or the end, brings them up to date.
 */
static __always_inline void tcp_sample(struct sock *sk, const struct fs_sk *s, __u32 slot)
{
	struct fs_tcp *out = bpf_map_lookup_elem(&tcp_totals, &slot);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	if (!out || !tp)
		return;
	out->bytes_sent = tp->bytes_sent - s->sent_before;
	out->bytes_received = tp->bytes_received - s->received_before;
	out->segs_out = tp->segs_out - s->out_before;
	out->segs_in = tp->segs_in - s->in_before;
	out->retrans = tp->total_retrans - s->retrans_before;
	out->srtt_us = tp->srtt_us >> 3;
	out->header_len = tp->tcp_header_len;
	out->flags = s->tcp;
	/* Later the kernel also counts acknowledgements that it has no use for. */
	if (sk->__sk_common.skc_state == TCP_ESTABLISHED)
		out->drops = sk->sk_drops.counter - s->drops_before;
	out->data_segs_in = tp->data_segs_in - s->data_in_before;
	if (s->tcp & FS_TCP_SUBFLOW)
		subflow_sample(tp, out);
}

/* From here on `s` counts: what TCP has counted so far is not ours. */
static __always_inline void tcp_begin_counting(struct sock *sk, struct fs_sk *s,
					       struct tcp_sock *tp)
{
	s->drops_before = sk->sk_drops.counter;
	s->sent_before = tp->bytes_sent;
	s->received_before = tp->bytes_received;
	s->out_before = tp->segs_out;
	s->in_before = tp->segs_in;
	s->data_in_before = tp->data_segs_in;
	s->retrans_before = tp->total_retrans;
}

/* One more connection by the same socket, whose counters begin anew: the totals go on. */
static __always_inline void tcp_go_on_counting(struct fs_sk *s, struct tcp_sock *tp)
{
	__u32 slot = s->slot;
	struct fs_tcp *out = bpf_map_lookup_elem(&tcp_totals, &slot);

	if (!out || !slot)
		return;
	s->sent_before = tp->bytes_sent - out->bytes_sent;
	s->received_before = tp->bytes_received - out->bytes_received;
	s->out_before = tp->segs_out - out->segs_out;
	s->in_before = tp->segs_in - out->segs_in;
	s->data_in_before = tp->data_segs_in - out->data_segs_in;
	s->retrans_before = tp->total_retrans - out->retrans;
}

#endif
