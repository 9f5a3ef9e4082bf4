/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Finding what belongs to a socket. */
#ifndef FS_STORAGE_H
#define FS_STORAGE_H

static __noinline struct fs_sk *orphan(__u64 cookie, bool create)
{
	struct fs_sk *s = bpf_map_lookup_elem(&orphans, &cookie);
	struct fs_sk fresh = { .flags = FS_SK_ORPHAN };

	if (s || !create)
		return s;
	if (!bpf_map_update_elem(&orphans, &cookie, &fresh, BPF_NOEXIST))
		__sync_fetch_and_add(&fs_orphans, 1);
	return bpf_map_lookup_elem(&orphans, &cookie);
}

/*
 * Takes any kind of socket pointer, and whatever bpf_get_socket_cookie() takes for it. A socket
 * once in `orphans` is to stay there, or half of what is known of it would be lost.
 */
static __always_inline struct fs_sk *storage_of(void *sk, void *whose)
{
	bool rare = fs_orphans;
	struct fs_sk *s =
		bpf_sk_storage_get(&sockets, sk, 0, rare ? 0 : BPF_SK_STORAGE_GET_F_CREATE);
	__u64 cookie;

	if (s)
		return s;
	cookie = bpf_get_socket_cookie(whose);
	if (rare) {
		s = orphan(cookie, false);
		if (s)
			return s;
		s = bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
		if (s)
			return s;
	}
	/* Creation also fails if another CPU has just done it. */
	s = bpf_sk_storage_get(&sockets, sk, 0, 0);
	return s ?: orphan(cookie, true);
}

static __always_inline struct fs_sk *storage(struct sock *sk)
{
	return storage_of(sk, sk);
}

/* The same for a socket of which something may be known, but need not. */
static __always_inline struct fs_sk *known_storage(struct sock *sk)
{
	struct fs_sk *s = bpf_sk_storage_get(&sockets, sk, 0, 0);

	return s || !fs_orphans ? s : orphan(bpf_get_socket_cookie(sk), false);
}

/* Takes an orphan out; gives its slot. */
static __noinline __u32 orphan_ends(__u64 cookie)
{
	struct fs_sk *s = bpf_map_lookup_elem(&orphans, &cookie);
	__u32 slot = s ? s->slot : 0;

	if (s && !bpf_map_delete_elem(&orphans, &cookie))
		__sync_fetch_and_add(&fs_orphans, -1);
	return slot;
}

#endif
