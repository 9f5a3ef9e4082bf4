/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Headers of datagrams. One a call is user space's arithmetic; here is what a datagram larger than
 * a packet costs besides. What the kernel does not say at a socket call is derived from the MTU.
 */
#ifndef FS_WIRE_H
#define FS_WIRE_H

#define SOCK_RAW 3
#define IPPROTO_RAW 255
/* No larger datagram is looked at more closely: IPv6's least MTU without its headers. */
#define FS_ONE_PACKET 1232
#define ETHERNET_MTU 1500
#define LOOPBACK_MTU 65536
#define ETHERNET_HEADER 14

/* True for 127.0.0.0/8, ::1, and what goes to an address of the socket's own. */
static __always_inline bool stays_here(const struct fs_flow *flow)
{
	if (!(flow->raddr[0] | flow->raddr[1]))
		return false;
	if (flow->raddr[0] == flow->laddr[0] && flow->raddr[1] == flow->laddr[1])
		return true;
	if (!flow->raddr[0])
		return ((const __u8 *)&flow->raddr[1])[4] == 127 ||
		       flow->raddr[1] == bpf_cpu_to_be64(1);
	return false;
}

static __always_inline bool is_v4(const struct fs_flow *flow)
{
	return flow->family == AF_INET ||
	       (!flow->raddr[0] && (flow->raddr[1] & bpf_cpu_to_be64(0xffffffff00000000ULL)) ==
					   bpf_cpu_to_be64(0x0000ffff00000000ULL));
}

/* For `segment`: the call's bytes go with those of the next ones, in one datagram. */
#define CORKED 0xffffffff
/* For `segment`: cut into segments, of which is known only that each fits into a packet. */
#define AS_LARGE_AS_FITS 0xfffffffe

#define IP_PMTUDISC_DO 2
#define IP_PMTUDISC_OMIT 5

/*
 * Header bytes of a datagram beyond those of one packet. `segment`: what the program has it cut
 * into (UDP_SEGMENT), or 0; `mtu`: of the route, or 0. Not static: so the verifier looks at it once.
 */
__noinline __u32 further_headers(const struct fs_flow *flow, __u32 size, __u32 segment, __u32 mtu)
{
	__u32 room;
	bool v4;

	if (!flow)
		return 0;
	v4 = is_v4(flow);
	if (segment == CORKED)
		return -((v4 ? 20 : 40) + 8);
	if (!mtu)
		mtu = stays_here(flow) ? LOOPBACK_MTU : ETHERNET_MTU;
	if (mtu < 576)
		mtu = 576;
	if (segment == AS_LARGE_AS_FITS)
		segment = mtu - (v4 ? 20 : 40) - 8;
	if (segment && size > segment)
		return (size - 1) / segment * ((v4 ? 20 : 40) + 8);
	if (flow->protocol == IPPROTO_UDP || flow->protocol == IPPROTO_UDPLITE)
		size += 8;
	if (size + (v4 ? 20 : 40) <= mtu)
		return 0;
	/* RFC 791, RFC 8200: fragments but the last hold a multiple of eight bytes. */
	room = v4 ? (mtu - 20) & ~7u : (mtu - 48) & ~7u;
	if (!room)
		return 0;
	return v4 ? (size - 1) / room * 20 : (size - 1) / room * 48 + 8;
}

/* True if the kernel refuses to send what would have to be cut into fragments. */
static __always_inline bool never_fragments(struct sock *sk, const struct fs_flow *flow)
{
	struct inet_sock *inet = (void *)sk;
	struct ipv6_pinfo *v6 = is_v4(flow) ? NULL : BPF_CORE_READ(inet, pinet6);
	__u32 discover;

	/* A number of three bits in older kernels. */
	if (v6)
		discover = BPF_CORE_READ_BITFIELD_PROBED(v6, pmtudisc);
	else
		discover = BPF_CORE_READ(inet, pmtudisc);
	return discover >= IP_PMTUDISC_DO && discover != IP_PMTUDISC_OMIT;
}

/*
 * What one datagram of UDP is cut into: by UDP_SEGMENT on the socket, which says how large, or in a
 * control message of the call, which no hook sees. But what is too large for a packet and may not
 * be cut into fragments can have left in no other way.
 */
static __always_inline __u32 udp_segment(struct sock *sk, const struct fs_flow *flow, __u32 dir)
{
	__u32 segment = BPF_CORE_READ((struct udp_sock *)sk, gso_size);

	if (!segment && dir == FS_SEND && never_fragments(sk, flow))
		return AS_LARGE_AS_FITS;
	return segment;
}

/*
 * Further frames that this call sent from the ring which a program shares with an AF_PACKET socket:
 * each has a link header of its own.
 */
static __always_inline __u32 further_frames(struct sock *sk, struct fs_sk *s, __u32 bytes)
{
	struct packet_sock *po = (void *)sk;
	__u32 before = s->ring_head;
	__u32 head, size, frames;

	if (!bpf_core_type_exists(struct packet_sock) || !BPF_CORE_READ(po, tx_ring.pg_vec))
		return 0;
	head = BPF_CORE_READ(po, tx_ring.head);
	size = BPF_CORE_READ(po, tx_ring.frame_max) + 1;
	s->ring_head = head;
	frames = head > before ? head - before : size - before + head;
	/* Another thread's call has told of these frames already. */
	if (frames > size || bytes / ETHERNET_HEADER < frames)
		return 0;
	return frames ? frames - 1 : 0;
}

static __always_inline void add_headers(struct sock *sk, struct fs_sk *s, struct fs_flow *flow,
					__u32 dir, __u64 bytes)
{
	__u32 segment = 0;
	__u32 more;

	if (flow->flags & (FS_FLOW_BUCKET | FS_FLOW_EXE))
		return;
	if (flow->family == AF_PACKET) {
		/* Less is on the wire than was moved; a SOCK_DGRAM has no such headers. */
		more = dir == FS_SEND && flow->flags & FS_FLOW_RAW
			       ? -ETHERNET_HEADER * further_frames(sk, s, bytes)
			       : 0;
	} else {
		if (bytes & FS_MORE_FOLLOWS)
			segment = CORKED;
		else if (flow->protocol == IPPROTO_UDP)
			segment = udp_segment(sk, flow, dir);
		more = further_headers(flow, bytes, segment,
				       BPF_CORE_READ(sk, sk_dst_cache, dev, mtu));
	}
	if (more)
		__sync_fetch_and_add(dir == FS_SEND ? &flow->send_more : &flow->recv_more, more);
}

static __always_inline bool header_included(struct sock *sk, __u16 family, __u16 type,
					    __u16 protocol)
{
	return family == AF_INET && type == SOCK_RAW &&
	       (protocol == IPPROTO_RAW || inet_hdrincl(sk));
}

#endif
