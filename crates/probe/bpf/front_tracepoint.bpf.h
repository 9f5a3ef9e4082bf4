/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tracepoint front, Linux >= 6.3 (commit 6e6eda44b939): every socket call of every family ends
 * here, io_uring, sendfile, sendmmsg and AF_PACKET rings included. The address is not in sight;
 * the peer hooks below supply it.
 */
static __always_inline int send_ends(struct sock *sk, __u16 family, int ret)
{
	if (nothing_moved(sk, FS_SEND, ret))
		call_without_bytes(sk, FS_SEND);
	else
		call_done(sk, family, FS_SEND, with_what_follows(sk, ret), NULL);
	return 0;
}

static __always_inline int recv_ends(struct sock *sk, __u16 family, int ret, int flags)
{
	/* A peek moves nothing; the error queue returns what was sent long ago. */
	if (nothing_moved(sk, FS_RECV, ret) || flags & (MSG_PEEK | MSG_ERRQUEUE))
		call_without_bytes(sk, FS_RECV);
	else
		call_done(sk, family, FS_RECV, ret, NULL);
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(fs_send, struct sock *sk, int ret, int flags)
{
	__u16 family = sk->__sk_common.skc_family;

	if (!watched(family))
		return family == AF_XDP ? xdp_called(sk, FS_SEND) : 0;
	done_once(sk, FS_SEND, ret);
	return send_ends(sk, family, ret);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(fs_recv, struct sock *sk, int ret, int flags)
{
	__u16 family = sk->__sk_common.skc_family;

	if (!watched(family))
		return family == AF_XDP ? xdp_called(sk, FS_RECV) : 0;
	done_once(sk, FS_RECV, ret);
	return recv_ends(sk, family, ret, flags);
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(fs_send_again, struct sock *sk, int ret, int flags)
{
	__u16 family = sk->__sk_common.skc_family;

	if (!watched(family) || done_before(sk, FS_SEND, ret))
		return 0;
	return send_ends(sk, family, ret);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(fs_recv_again, struct sock *sk, int ret, int flags)
{
	__u16 family = sk->__sk_common.skc_family;

	if (!watched(family) || done_before(sk, FS_RECV, ret))
		return 0;
	return recv_ends(sk, family, ret, flags);
}

/* Addresses of datagrams. These fire only if the caller gave an address or asked for it. */
static __always_inline int peer_seen(struct bpf_sock_addr *ctx, enum fs_dir dir,
				     const struct fs_peer *peer)
{
	struct bpf_sock *sk = ctx->sk;
	struct fs_sk *s;

	if (!sk)
		return 1;
	s = storage_of(sk, ctx);
	if (s)
		stash(s, dir, peer);
	return 1; /* let it pass */
}

static __always_inline int peer_seen4(struct bpf_sock_addr *ctx, enum fs_dir dir)
{
	struct fs_peer peer;

	peer_v4(&peer, ctx->user_ip4, (__be16)ctx->user_port);
	return peer_seen(ctx, dir, &peer);
}

static __always_inline int peer_seen6(struct bpf_sock_addr *ctx, enum fs_dir dir)
{
	__u32 addr[4] = { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3] };
	struct fs_peer peer;

	peer_v6(&peer, addr, (__be16)ctx->user_port);
	return peer_seen(ctx, dir, &peer);
}

SEC("cgroup/sendmsg4")
int fs_peer_send4(struct bpf_sock_addr *ctx)
{
	return peer_seen4(ctx, FS_SEND);
}

SEC("cgroup/sendmsg6")
int fs_peer_send6(struct bpf_sock_addr *ctx)
{
	return peer_seen6(ctx, FS_SEND);
}

SEC("cgroup/recvmsg4")
int fs_peer_recv4(struct bpf_sock_addr *ctx)
{
	return peer_seen4(ctx, FS_RECV);
}

SEC("cgroup/recvmsg6")
int fs_peer_recv6(struct bpf_sock_addr *ctx)
{
	return peer_seen6(ctx, FS_RECV);
}

/*
 * Raw and ping sockets have no such cgroup hooks. Where the kernel has function tracing their own
 * entry points tell the address; nobody else pays for that.
 */
static __always_inline int raw_peer(struct sock *sk, enum fs_dir dir, const void *name, int len)
{
	struct fs_peer peer = {};
	struct fs_sk *s;

	if (!peer_in_buffer(name, len, &peer))
		return 0;
	s = storage(sk);
	if (s)
		stash(s, dir, &peer);
	return 0;
}

static __always_inline int raw_send(struct sock *sk, struct msghdr *msg)
{
	return raw_peer(sk, FS_SEND, BPF_CORE_READ(msg, msg_name), BPF_CORE_READ(msg, msg_namelen));
}

/*
 * The header's own length is filled in later, from addr_len; since 7.x there is no such argument,
 * and the header has it.
 */
static __always_inline int raw_recv(void *ctx, struct sock *sk, struct msghdr *msg)
{
	const int *addr_len = NULL;
	__u64 ret = 0;
	int len = 0;

	if (bpf_get_func_ret(ctx, &ret) || (int)ret < 0)
		return 0;
	if (bpf_get_func_arg_cnt(ctx) <= 4)
		len = BPF_CORE_READ(msg, msg_namelen);
	else if (bpf_get_func_arg(ctx, 4, (__u64 *)&addr_len) ||
		 bpf_probe_read_kernel(&len, sizeof(len), addr_len))
		return 0;
	return raw_peer(sk, FS_RECV, BPF_CORE_READ(msg, msg_name), len);
}

SEC("fentry/raw_sendmsg")
int BPF_PROG(fs_raw_send4, struct sock *sk, struct msghdr *msg, size_t len)
{
	return raw_send(sk, msg);
}

SEC("fentry/rawv6_sendmsg")
int BPF_PROG(fs_raw_send6, struct sock *sk, struct msghdr *msg, size_t len)
{
	return raw_send(sk, msg);
}

SEC("fentry/ping_v4_sendmsg")
int BPF_PROG(fs_ping_send4, struct sock *sk, struct msghdr *msg, size_t len)
{
	return raw_send(sk, msg);
}

SEC("fentry/ping_v6_sendmsg")
int BPF_PROG(fs_ping_send6, struct sock *sk, struct msghdr *msg, size_t len)
{
	return raw_send(sk, msg);
}

SEC("fexit/raw_recvmsg")
int BPF_PROG(fs_raw_recv4, struct sock *sk, struct msghdr *msg)
{
	return raw_recv(ctx, sk, msg);
}

SEC("fexit/rawv6_recvmsg")
int BPF_PROG(fs_raw_recv6, struct sock *sk, struct msghdr *msg)
{
	return raw_recv(ctx, sk, msg);
}

SEC("fexit/ping_recvmsg")
int BPF_PROG(fs_ping_recv, struct sock *sk, struct msghdr *msg)
{
	return raw_recv(ctx, sk, msg);
}
