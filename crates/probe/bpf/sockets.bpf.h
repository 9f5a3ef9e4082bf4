/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Life of a socket besides its calls: reads of TCP, the end, and the walks over all of them. */
#ifndef FS_SOCKETS_H
#define FS_SOCKETS_H

/* On demand. Fires whenever the kernel has moved copied_seq for a reader, since 4.15. */
SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(fs_tcp_read, struct sock *sk)
{
	tcp_bytes_read(sk);
	return 0;
}

static __always_inline int state_changes(struct sock *sk, int from, int to)
{
	if (sk->sk_protocol == IPPROTO_SCTP)
		sctp_changes(sk);
	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	switch (to) {
	case TCP_SYN_SENT:
	case TCP_LISTEN:
	case TCP_ESTABLISHED:
	case TCP_FIN_WAIT1:
	case TCP_CLOSE_WAIT:
	case TCP_LAST_ACK:
	case TCP_CLOSE:
		tcp_changes(sk, from, to);
	}
	if (to == TCP_CLOSE)
		tcp_complete_early(sk, from);
	return 0;
}

/* Fires for every change of state of every TCP socket (and DCCP's, SCTP's, MPTCP's). */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(fs_tcp_state, struct sock *sk, int from, int to)
{
	return state_changes(sk, from, to);
}

/* A second chance, as in again.bpf.h; but to hear the same twice changes nothing here. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(fs_tcp_state_again, struct sock *sk, int from, int to)
{
	return state_changes(sk, from, to);
}

/*
 * Last close of any inet socket that user space made. Every call on it has ended: each held the
 * file, and the last of them let go before this. TCP goes on until it is destroyed.
 */
SEC("cgroup/sock_release")
int fs_release(struct bpf_sock *ctx)
{
	struct fs_sk *s;
	__u32 slot;

	if (ctx->protocol == IPPROTO_TCP)
		return 1;
	s = bpf_sk_storage_get(&sockets, ctx, 0, 0);
	if (s) {
		slot = s->slot;
		/* An association may change its state after this, when the slot is another's. */
		if (ctx->protocol == IPPROTO_SCTP)
			s->slot = 0;
		closed(slot);
	}
	if (fs_orphans)
		closed(orphan_ends(bpf_get_socket_cookie(ctx)));
	return 1;
}

/*
 * TCP has done with a socket, and so has user space: nothing is read, sent or acknowledged any
 * more. Exists since 4.16.
 */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(fs_tcp_destroy, struct sock *sk)
{
	struct fs_sk *s = known_storage(sk);

	if (!s)
		return 0;
	/* The change of state was missed. Else what TCP counted may be wiped out by now. */
	if (s->slot && !(s->tcp & FS_TCP_ENDED)) {
		s->tcp |= FS_TCP_ENDED;
		tcp_sample(sk, s, s->slot);
	}
	tcp_complete(sk, s);
	closed(s->slot);
	if (s->flags & FS_SK_ORPHAN)
		orphan_ends(bpf_get_socket_cookie(sk));
	return 0;
}

/*
 * At start: processes that are there already, each by its leader; by another thread where the
 * leader has ended before the others. Arguments are read from /proc: another task's memory is out
 * of reach here.
 */
SEC("iter/task")
int fs_iter_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct seq_file *seq = ctx->meta->seq;
	struct fs_scratch *room;
	__u32 key = 1;

	if (!task || task->flags & PF_KTHREAD || !task->mm)
		return 0;
	if (task->pid != task->tgid && task->group_leader->mm)
		return 0;
	room = bpf_map_lookup_elem(&scratch, &key);
	if (!room)
		return 0;
	read_process(&room->proc, task, FS_EVENT_SNAPSHOT);
	bpf_seq_write(seq, &room->proc, proc_size(&room->proc));
	return 0;
}

/* At start: how far the connections that are open already have come. */
SEC("iter/task_file")
int fs_iter_files(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct socket *sock;
	struct sock *sk;

	if (!ctx->task || !file)
		return 0;
	sock = bpf_sock_from_file(file);
	if (!sock)
		return 0;
	sk = sock->sk;
	if (!sk || !watched(sk->__sk_common.skc_family))
		return 0;
	if (sk->sk_protocol == IPPROTO_TCP)
		tcp_note_older(sk);
	else if (sk->sk_protocol == IPPROTO_SCTP)
		sctp_note_older(sk);
	return 0;
}

/*
 * On demand: which flows still have a socket (AF_PACKET, AF_XDP and kernel sockets end unseen), and whether
 * TCP is read in ways that are to be watched.
 */
SEC("iter/bpf_sk_storage_map")
int fs_iter_sockets(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct fs_sk *s = ctx->value;
	struct sock *sk = ctx->sk;
	struct fs_marks *marks;
	struct tcp_sock *tp;
	__u32 slot, group;

	if (!s || !sk)
		return 0;
	tp = fs_reads_wanted && !fs_last_look ? NULL : bpf_skc_to_tcp_sock(sk);
	if (tp && fs_last_look)
		tcp_complete_so_far(s, tp, sk);
	else if (tp && tcp_is_behind(s, tp, sk))
		fs_reads_wanted = 1;
	if (s->tcp & FS_TCP_SUBFLOW && bpf_skc_to_tcp_sock(sk))
		subflow_looked_at(sk, s);
	slot = s->slot;
	group = slot / FS_MARKS;
	marks = bpf_map_lookup_elem(&alive, &group);
	if (marks)
		marks->mark[slot % FS_MARKS] = FS_MARK_MOVED;
	return 0;
}

#endif
