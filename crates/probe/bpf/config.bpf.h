/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Knobs that user space sets before load, and the state it shares with the programs. */
#ifndef FS_CONFIG_H
#define FS_CONFIG_H

/*
 * Read-only once loaded, so that the verifier and the JIT see constants. The defaults are not zero
 * so that a tool which loads the object by itself (veristat) sees the real code.
 */
const volatile __u32 fs_max_flows = 65536;
const volatile __u32 fs_max_buckets = 1024;
const volatile __u32 fs_max_new_peers = 512; /* per socket and minute */
const volatile __u32 fs_ring_bytes = 2097152;
const volatile __u32 fs_names_bytes = 524288; /* 0: nothing is copied for the sake of names */

/* How many slots were ever handed out, besides those that came back through the free lists. */
__u32 fs_fresh_flows = 0;
__u32 fs_fresh_buckets = 0;

/* Entries of `orphans`: while there are none, which is nearly always, nobody looks there. */
__u32 fs_orphans = 0;

/*
 * Two ways to keep what a number is from multiplying the paths that the verifier walks.
 *
 * A copy to compare with: what the comparison tells about it is not told about the original, which
 * lives on. Costs nothing.
 */
static __always_inline __u64 opaque(__u64 number)
{
	asm volatile("%0 |= 0" : "+r"(number));
	return number;
}

/* Always 0, which the verifier does not know. */
volatile __u64 fs_zero = 0;

/*
 * A number of which nothing is known any more, so that the rounds of a loop which differ in nothing
 * else are walked once. Costs a load.
 */
static __always_inline __u64 any_number(__u64 number)
{
	return number | fs_zero;
}

/* Datagrams were received whose sender nobody asked for: see received.bpf.h. */
__u32 fs_senders_wanted = 0;

/* A socket that is bound to no address is used without connect: see own.bpf.h. */
__u32 fs_own_wanted = 0;

/* A socket of SCTP was seen; by user space: where its module keeps things, and that this is known. */
__u32 fs_sctp_wanted = 0;
__u32 fs_sctp_known = 0;
__u32 fs_sctp_at[FS_SCTP_MAX] = {};

/* TCP was read by other means than calls that receive; by user space: that is watched. */
__u32 fs_reads_wanted = 0;
__u32 fs_reads_watched = 0;

/* By user space: nothing is attached any more, and this is the last look at the sockets. */
__u32 fs_last_look = 0;

struct fs_usage fs_usage[FS_USAGE_MAX] = {};

/* enum fs_count. Written by all programs, read by user space. */
__u64 fs_counts[FS_COUNT_MAX] = {};

static __always_inline void count(enum fs_count what)
{
	__sync_fetch_and_add(&fs_counts[what], 1);
}

#endif
