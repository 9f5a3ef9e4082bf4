/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What programs are told by their C library: getaddrinfo(3) and gethostbyname(3) with its kin, at
 * the functions' entry and return in every library that user space names. They are the same for
 * glibc and musl. Not seen: programs that carry their library in themselves (static ones), that
 * resolve names by other means, and 32-bit ones. Since 5.17, as cookies of uprobes since 5.15.
 *
 * A program may deceive here as with its payload: only about the names that it uses itself.
 */
#ifndef FS_RESOLVER_H
#define FS_RESOLVER_H

#if defined(__TARGET_ARCH_x86)
#define USER_ARG1(regs) ((regs)->di)
#define USER_ARG4(regs) ((regs)->cx)
#define USER_ARG5(regs) ((regs)->r8)
#define USER_ARG6(regs) ((regs)->r9)
#define USER_RESULT(regs) ((regs)->ax)
/* The call's return address is on the stack at its entry, and no longer at its end. */
#define USER_FRAME(regs) ((regs)->sp)
#define USER_FRAME_AT_END(regs) ((regs)->sp - 8)
#elif defined(__TARGET_ARCH_arm64)
#define USER_ARG1(regs) ((regs)->regs[0])
#define USER_ARG4(regs) ((regs)->regs[3])
#define USER_ARG5(regs) ((regs)->regs[4])
#define USER_ARG6(regs) ((regs)->regs[5])
#define USER_RESULT(regs) ((regs)->regs[0])
#define USER_FRAME(regs) ((regs)->sp)
#define USER_FRAME_AT_END(regs) ((regs)->sp)
#endif

/* Entries of an answer that are looked at: without a socket type each address comes three times. */
#define FS_ANSWERS 48

/* struct addrinfo of a 64-bit program, as far as it matters: netdb.h. */
struct fs_addrinfo {
	__s32 flags;
	__s32 family;
	__s32 type;
	__s32 protocol;
	__u64 len;
	__u64 addr;
	__u64 name;
	__u64 next;
};

/* struct hostent, likewise. */
struct fs_hostent {
	__u64 name;
	__u64 aliases;
	__s32 family;
	__s32 len;
	__u64 list;
};

/* sockaddr_in and sockaddr_in6, up to the address. */
struct fs_user_sockaddr {
	__u16 family;
	__u16 port;
	__u32 addr4; /* of IPv6: flow information */
	__u8 addr6[16];
};

#ifdef USER_FRAME
/* An answer on its way from the program's memory. */
struct fs_answer {
	struct fs_looked *out;
	__u64 at;     /* the next entry */
	__u64 len;    /* of a hostent's addresses */
	__u64 last[2];
	__u32 count;
	__u32 failed;
};

/* One more address; not if it is that of the entry before. */
static __always_inline void add_told(struct fs_answer *answer, __u64 high, __u64 low)
{
	__u32 at = any_number(answer->count);

	if (at && answer->last[0] == high && answer->last[1] == low)
		return;
	if (at >= FS_TOLD_MAX)
		return;
	answer->out->addrs[at][0] = high;
	answer->out->addrs[at][1] = low;
	answer->last[0] = high;
	answer->last[1] = low;
	answer->count = at + 1;
}

static __always_inline void add_told4(struct fs_answer *answer, __u32 addr)
{
	add_told(answer, 0, (__u64)addr << 32 | bpf_htonl(0xffff));
}

static __always_inline long cannot_read(struct fs_answer *answer)
{
	answer->failed = 1;
	return 1;
}

static long next_addrinfo(__u32 nth, void *context)
{
	struct fs_answer *answer = context;
	struct fs_user_sockaddr addr = {};
	struct fs_addrinfo info;
	__u64 words[2];

	if (!answer->at)
		return 1;
	if (bpf_probe_read_user(&info, sizeof(info), (void *)answer->at))
		return cannot_read(answer);
	answer->at = info.next;
	if (info.family == AF_INET) {
		if (bpf_probe_read_user(&addr, 8, (void *)info.addr))
			return cannot_read(answer);
		add_told4(answer, addr.addr4);
	} else if (info.family == AF_INET6) {
		if (bpf_probe_read_user(&addr, sizeof(addr), (void *)info.addr))
			return cannot_read(answer);
		__builtin_memcpy(words, addr.addr6, sizeof(words));
		add_told(answer, words[0], words[1]);
	}
	return 0;
}

static long next_of_hostent(__u32 nth, void *context)
{
	struct fs_answer *answer = context;
	__u64 words[2] = {};
	__u64 addr;

	if (bpf_probe_read_user(&addr, sizeof(addr), (void *)answer->at))
		return cannot_read(answer);
	if (!addr)
		return 1;
	answer->at += sizeof(addr);
	if (answer->len == 4) {
		if (bpf_probe_read_user(words, 4, (void *)addr))
			return cannot_read(answer);
		add_told4(answer, words[0]);
	} else {
		if (bpf_probe_read_user(words, 16, (void *)addr))
			return cannot_read(answer);
		add_told(answer, words[0], words[1]);
	}
	return 0;
}

/* True if there is an address that could be read. */
static __always_inline bool read_answer(struct fs_looked *out, __u64 cookie, __u64 at)
{
	struct fs_answer answer = { .out = out, .at = at };
	struct fs_hostent host;

	if (cookie == FS_LOOKUP_ADDRINFO) {
		bpf_loop(FS_ANSWERS, next_addrinfo, &answer, 0);
	} else if (bpf_probe_read_user(&host, sizeof(host), (void *)at)) {
		answer.failed = 1;
	} else if (host.len == 4 || host.len == 16) {
		answer.at = host.list;
		answer.len = host.len;
		bpf_loop(FS_ANSWERS, next_of_hostent, &answer, 0);
	}
	if (answer.failed)
		count(FS_COUNT_LOOKUPS_UNREADABLE);
	out->count = answer.count;
	return answer.count;
}

/* True if there is a whole name of more than nothing. */
static __always_inline bool read_asked(char *name, __u64 at, __u32 *len)
{
	long read = bpf_probe_read_user_str(name, FS_ASKED_MAX, (void *)at);

	/* One that fills it is cut off, and no name of a host is so long. */
	if (read <= 1 || read >= FS_ASKED_MAX)
		return false;
	*len = read - 1;
	return true;
}

static __always_inline struct fs_call_key call_key(__u64 frame)
{
	struct fs_call_key key = { .task = bpf_get_current_pid_tgid(), .frame = frame };

	return key;
}

SEC("uprobe")
int fs_asked(struct pt_regs *regs)
{
	struct fs_call_key key = call_key(USER_FRAME(regs));
	struct fs_asking asking = {};
	/* Each on its own: the verifier wants the registers read at offsets that it knows. */
	__u64 fourth = opaque(USER_ARG4(regs));
	__u64 fifth = opaque(USER_ARG5(regs));
	__u64 sixth = opaque(USER_ARG6(regs));

	asking.name_at = USER_ARG1(regs);
	if (!asking.name_at)
		return 0;
	switch (bpf_get_attach_cookie(regs)) {
	case FS_LOOKUP_ADDRINFO:
		asking.result_at = fourth;
		break;
	case FS_LOOKUP_HOST_R:
		asking.result_at = fifth;
		break;
	case FS_LOOKUP_HOST2_R:
		asking.result_at = sixth;
		break;
	}
	/* Of a constant that nobody has looked at the memory may not be there yet: then later. */
	if (!read_asked(asking.name, asking.name_at, &asking.len))
		asking.len = 0;
	bpf_map_update_elem(&askings, &key, &asking, BPF_ANY);
	return 0;
}

static __always_inline void told(struct pt_regs *regs, struct fs_asking *asking)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 cookie = bpf_get_attach_cookie(regs);
	__u64 result = USER_RESULT(regs);
	struct fs_looked *out;

	if (cookie == FS_LOOKUP_HOST ? !result : (__u32)result != 0)
		return;
	if (cookie != FS_LOOKUP_HOST &&
	    bpf_probe_read_user(&result, sizeof(result), (void *)asking->result_at)) {
		count(FS_COUNT_LOOKUPS_UNREADABLE);
		return;
	}
	/* gethostbyname_r(3) found nothing. */
	if (!result)
		return;
	if (!asking->len && !read_asked(asking->name, asking->name_at, &asking->len))
		return;
	out = bpf_ringbuf_reserve(&payloads, sizeof(*out), 0);
	if (!out) {
		count(FS_COUNT_PAYLOADS_LOST);
		return;
	}
	if (!read_answer(out, cookie, result)) {
		bpf_ringbuf_discard(out, BPF_RB_NO_WAKEUP);
		return;
	}
	out->kind = FS_PAYLOAD_LOOKED;
	out->len = asking->len;
	owner_of(task, &out->who);
	out->uid = BPF_CORE_READ(task, cred, uid.val);
	out->netns = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
	out->_pad = 0;
	__builtin_memcpy(out->name, asking->name, sizeof(out->name));
	count(FS_COUNT_LOOKUPS);
	bpf_ringbuf_submit(out, wake_if_filling());
}

SEC("uretprobe")
int fs_told(struct pt_regs *regs)
{
	struct fs_call_key key = call_key(USER_FRAME_AT_END(regs));
	struct fs_asking *asking = bpf_map_lookup_elem(&askings, &key);

	if (!asking)
		return 0;
	told(regs, asking);
	bpf_map_delete_elem(&askings, &key);
	return 0;
}
#endif

#endif
