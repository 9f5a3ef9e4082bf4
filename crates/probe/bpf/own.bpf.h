/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which address of this machine a datagram has, where the socket is bound to none and not
 * connected: the route, or a control message, decides for each. No socket call shows it; the
 * packet does, on its way out. Every sender of UDP pays for this, so it is attached only once there
 * is such a socket.
 */
#ifndef FS_OWN_H
#define FS_OWN_H

/* Where the fields are in the headers (RFC 791, 8200, 768). */
#define IPV4_PROTOCOL 9
#define IPV4_SOURCE 12
#define IPV4_DESTINATION 16
#define IPV6_NEXT 6
#define IPV6_SOURCE 8
#define IPV6_DESTINATION 24
#define UDP_DESTINATION 2

/* True if bind(2) or connect(2) gave it an address. */
static __always_inline bool has_own_address(struct sock *sk)
{
	const struct in6_addr *v6 = &sk->__sk_common.skc_v6_rcv_saddr;

	if (sk->__sk_common.skc_family == AF_INET)
		return sk->__sk_common.skc_rcv_saddr;
	return *(__u64 *)&v6->in6_u.u6_addr32[0] | *(__u64 *)&v6->in6_u.u6_addr32[2];
}

static __always_inline bool address_at(const unsigned char *at, bool v4, struct fs_peer *out)
{
	__u8 bytes[16] = {};

	if (bpf_probe_read_kernel(bytes, v4 ? 4 : 16, at))
		return false;
	if (v4)
		peer_v4(out, *(__be32 *)bytes, 0);
	else
		peer_v6(out, bytes, 0);
	return true;
}

/* Leaves the address for whoever describes a flow in this call. */
static __always_inline void note_own(struct fs_sk *s, const struct fs_peer *own)
{
	s->own.addr[0] = own->addr[0];
	s->own.addr[1] = own->addr[1];
	s->own.task = (__u64)bpf_get_current_task_btf();
}

/* A flow that began before its address was known. */
static __always_inline void fill_in_own(struct sock *sk, struct fs_sk *s, struct fs_pair *pair,
					const struct fs_peer *own)
{
	struct fs_flow *flow = flow_at(s->slot);
	struct fs_extra_key key = {};
	__u32 *slot;

	if (!s->slot || !flow)
		return;
	owner_of(bpf_get_current_task_btf(), &pair->who);
	if (!same_owner(&flow->who, &pair->who) || !same_peer(flow, &pair->peer)) {
		if (!(s->flags & FS_SK_SHARED))
			return;
		key.cookie = bpf_get_socket_cookie(sk);
		key.who = pair->who;
		key.raddr[0] = pair->peer.addr[0];
		key.raddr[1] = pair->peer.addr[1];
		key.rport = pair->peer.port;
		slot = bpf_map_lookup_elem(&extras, &key);
		flow = slot ? flow_at(*slot) : NULL;
	}
	if (!flow || !is_unspecified(flow->laddr))
		return;
	flow->laddr[0] = own->addr[0];
	flow->laddr[1] = own->addr[1];
}

/* A packet that a socket call has made, on its way out. */
static __always_inline int packet_leaves(struct sk_buff *skb, bool v4)
{
	const unsigned char *head = BPF_CORE_READ(skb, head);
	const unsigned char *ip = head + BPF_CORE_READ(skb, network_header);
	const unsigned char *udp = head + BPF_CORE_READ(skb, transport_header);
	struct sock *sk = skb->sk;
	struct fs_pair pair = {};
	struct fs_peer own = {};
	struct fs_sk *s;
	__be16 port = 0;

	/* A connected socket has its address. TCP does not come this way. */
	if (!sk || sk->__sk_common.skc_dport || has_own_address(sk))
		return 0;
	/* One that was given a peer; not the kernel's own, which answer for nobody. */
	s = known_storage(sk);
	if (!s || !address_at(ip + (v4 ? IPV4_SOURCE : IPV6_SOURCE), v4, &own) ||
	    !address_at(ip + (v4 ? IPV4_DESTINATION : IPV6_DESTINATION), v4, &pair.peer))
		return 0;
	note_own(s, &own);
	if (has_ports(sk->sk_protocol) &&
	    !bpf_probe_read_kernel(&port, sizeof(port), udp + UDP_DESTINATION))
		pair.peer.port = bpf_ntohs(port);
	fill_in_own(sk, s, &pair, &own);
	return 0;
}

SEC("fentry/ip_send_skb")
int BPF_PROG(fs_sent4, struct net *net, struct sk_buff *skb)
{
	return packet_leaves(skb, true);
}

SEC("fentry/ip6_send_skb")
int BPF_PROG(fs_sent6, struct sk_buff *skb)
{
	return packet_leaves(skb, false);
}

#endif
