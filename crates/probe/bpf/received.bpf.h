/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who sent a datagram that is received without asking: recv(2) on an unconnected socket passes no
 * hook that sees an address. The kernel takes the packet from the socket's queue, though. Every
 * receiver of UDP pays for this, so it is attached only once it is wanted.
 */
#ifndef FS_RECEIVED_H
#define FS_RECEIVED_H

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd

static __always_inline bool sender_in(const struct sk_buff *skb, struct fs_peer *peer)
{
	const unsigned char *head = BPF_CORE_READ(skb, head);
	const unsigned char *ip = head + BPF_CORE_READ(skb, network_header);
	const unsigned char *udp = head + BPF_CORE_READ(skb, transport_header);
	__be16 network = BPF_CORE_READ(skb, protocol);
	bool v4 = network == bpf_htons(ETH_P_IP);
	__u8 protocol = 0, source[16] = {};
	__be16 port = 0;

	if (!v4 && network != bpf_htons(ETH_P_IPV6))
		return false;
	if (bpf_probe_read_kernel(&protocol, sizeof(protocol),
				  ip + (v4 ? IPV4_PROTOCOL : IPV6_NEXT)))
		return false;
	if (protocol != IPPROTO_UDP && protocol != IPPROTO_UDPLITE)
		return false;
	if (bpf_probe_read_kernel(&port, sizeof(port), udp))
		return false;
	if (v4) {
		if (bpf_probe_read_kernel(source, 4, ip + IPV4_SOURCE))
			return false;
		peer_v4(peer, *(__be32 *)source, port);
	} else {
		if (bpf_probe_read_kernel(source, 16, ip + IPV6_SOURCE))
			return false;
		peer_v6(peer, source, port);
	}
	return true;
}

/* The address that it was sent to; a group's is not this machine's. */
static __always_inline bool receiver_in(const struct sk_buff *skb, struct fs_peer *own)
{
	const unsigned char *ip = BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, network_header);
	bool v4 = BPF_CORE_READ(skb, protocol) == bpf_htons(ETH_P_IP);
	const __u8 *bytes = (const __u8 *)own->addr;

	if (!address_at(ip + (v4 ? IPV4_DESTINATION : IPV6_DESTINATION), v4, own))
		return false;
	return v4 ? bytes[12] < 224 : bytes[0] != 0xff;
}

SEC("fexit/__skb_recv_udp")
int BPF_PROG(fs_received, struct sock *sk, unsigned int flags, int *off, int *err,
	     struct sk_buff *skb)
{
	struct fs_peer peer = {}, own = {};
	struct fs_sk *s;

	/* A connected socket has but one sender. */
	if (!skb || sk->__sk_common.skc_dport || !sender_in(skb, &peer))
		return 0;
	s = storage(sk);
	if (!s)
		return 0;
	stash(s, FS_RECV, &peer);
	if (!has_own_address(sk) && receiver_in(skb, &own))
		note_own(s, &own);
	return 0;
}

#endif
