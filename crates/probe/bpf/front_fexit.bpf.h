/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * fexit front, for kernels before 6.3: the protocol families' own entry points. Together they see
 * each call once, with its message header, so the peer needs no other hook. Loaded only where the
 * tracepoint front is missing; the two never feed the ledger at the same time.
 */

static __always_inline int fexit_done(struct socket *sock, struct msghdr *msg, enum fs_dir dir,
				      int flags, int ret)
{
	struct sock *sk = sock->sk;
	const struct fs_peer *named = NULL;
	struct fs_peer peer = {};
	__u16 family;
	__u64 bytes;

	if (!sk || nothing_moved(sk, dir, ret))
		return 0;
	if (dir == FS_RECV && flags & (MSG_PEEK | MSG_ERRQUEUE))
		return 0;
	family = sk->__sk_common.skc_family;
	if (!watched(family))
		return 0;
	bytes = dir == FS_SEND ? with_what_follows(sk, ret) : (__u32)ret;
	if (family != AF_PACKET && sk->sk_protocol != IPPROTO_TCP && msg &&
	    peer_in_message(msg, &peer))
		named = &peer;
	call_done(sk, family, dir, bytes, named);
	return 0;
}

SEC("fexit/inet_sendmsg")
int BPF_PROG(fs_inet_sendmsg, struct socket *sock, struct msghdr *msg, size_t size, int ret)
{
	return fexit_done(sock, msg, FS_SEND, 0, ret);
}

SEC("fexit/inet6_sendmsg")
int BPF_PROG(fs_inet6_sendmsg, struct socket *sock, struct msghdr *msg, size_t size, int ret)
{
	return fexit_done(sock, msg, FS_SEND, 0, ret);
}

SEC("fexit/inet_recvmsg")
int BPF_PROG(fs_inet_recvmsg, struct socket *sock, struct msghdr *msg, size_t size, int flags,
	     int ret)
{
	return fexit_done(sock, msg, FS_RECV, flags, ret);
}

SEC("fexit/inet6_recvmsg")
int BPF_PROG(fs_inet6_recvmsg, struct socket *sock, struct msghdr *msg, size_t size, int flags,
	     int ret)
{
	return fexit_done(sock, msg, FS_RECV, flags, ret);
}

/* IPv6 raw and ping sockets receive here, not through inet6_recvmsg. */
SEC("fexit/sock_common_recvmsg")
int BPF_PROG(fs_common_recvmsg, struct socket *sock, struct msghdr *msg, size_t size, int flags,
	     int ret)
{
	return fexit_done(sock, msg, FS_RECV, flags, ret);
}

SEC("fexit/packet_sendmsg")
int BPF_PROG(fs_packet_sendmsg, struct socket *sock, struct msghdr *msg, size_t len, int ret)
{
	return fexit_done(sock, msg, FS_SEND, 0, ret);
}

SEC("fexit/packet_recvmsg")
int BPF_PROG(fs_packet_recvmsg, struct socket *sock, struct msghdr *msg, size_t len, int flags,
	     int ret)
{
	return fexit_done(sock, msg, FS_RECV, flags, ret);
}

/*
 * sendfile(2) and splice(2) before 6.5. Only TCP and UDP have a sendpage of their own; for the
 * others the kernel comes back through sendmsg, which was counted above.
 */
SEC("fexit/inet_sendpage")
int BPF_PROG(fs_inet_sendpage, struct socket *sock, void *page, int offset, size_t size, int flags,
	     int ret)
{
	struct sock *sk = sock->sk;

	if (!sk || (sk->sk_protocol != IPPROTO_TCP && sk->sk_protocol != IPPROTO_UDP))
		return 0;
	return fexit_done(sock, NULL, FS_SEND, 0, ret);
}

/*
 * AF_XDP moves nothing here, whatever is returned: see xdp.bpf.h. recvfrom(2), which few use to wake
 * the kernel, would cost one more large program.
 */
SEC("fexit/xsk_sendmsg")
int BPF_PROG(fs_xdp_sendmsg, struct socket *sock)
{
	return sock->sk ? xdp_called(sock->sk, FS_SEND) : 0;
}
