/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * AF_XDP: frames go through rings that a program shares with the kernel, past every socket call.
 * How many bytes they are no hook can tell. That there is such a socket, and whose it is, can be
 * told: it has a flow without bytes.
 */
#ifndef FS_XDP_H
#define FS_XDP_H

/* A call that only wakes the kernel (sendto(2), recvfrom(2)); the frames lie in the rings. */
static __noinline int xdp_called(struct sock *sk, enum fs_dir dir)
{
	const struct fs_peer nobody = {};

	return call_slow(sk, storage(sk), dir, 0, &nobody);
}

/* The socket was tied to a device by the current task: from here on frames may move. */
static __always_inline void xdp_bound(struct sock *sk)
{
	struct fs_sk *s = storage(sk);

	if (!s || s->slot)
		return;
	flow_without_bytes(sk, s, FS_SEND);
	if (s->slot) /* a bucket is not the socket's own */
		mark_dirty(s->slot);
}

/* `task`, which is not the current one, has a descriptor of the socket. */
static __always_inline void xdp_held(struct sock *sk, struct task_struct *task)
{
	struct fs_sk *s = storage(sk);
	struct fs_pair pair = {};
	struct fs_flow *flow;
	__u32 slot;

	if (!s || s->slot)
		return;
	owner_of(task, &pair.who);
	over_socket(&pair, sk, FS_SEND);
	slot = first_slot(s, &pair);
	flow = flow_at(slot);
	if (!slot || slot != s->slot || !flow)
		return;
	charge(flow, task->cred->uid.val, BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id));
	mark_dirty(slot);
}

/* At start and now and then: sockets that nothing else has told of. */
SEC("iter/task_file")
int fs_iter_rings(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *sock;
	struct sock *sk;

	if (!task || !file)
		return 0;
	sock = bpf_sock_from_file(file);
	if (!sock)
		return 0;
	sk = sock->sk;
	if (sk && sk->__sk_common.skc_family == AF_XDP)
		xdp_held(sk, task);
	return 0;
}

/* Without it, a socket that is never used by a call is found by the next walk over all files. */
SEC("fexit/xsk_bind")
int BPF_PROG(fs_xdp_bind, struct socket *sock, void *addr, int len, int ret)
{
	struct sock *sk = sock->sk;

	if (sk && !ret)
		xdp_bound(sk);
	return 0;
}

#endif
