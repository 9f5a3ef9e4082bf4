// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * femtosnitch, kernel side. SEC() functions are shells; the logic is in the headers, by topic:
 *
 *   abi       what user space sees            maps, config   where it lies
 *   owner     who                             peer           to whom
 *   flow      the ledger (hot path)           slots          how it is shared out
 *   storage   what belongs to a socket        call, tcp      what a call means for the ledger
 *   sample    what TCP itself counted         connection     its begin and end
 *   wire      headers of large datagrams      sockets        the hooks of a socket's life
 *   process   exec, fork, exit                front_*        the two ways to see calls
 *   mptcp, sctp  what these counted           account        one call and the ledger
 *   payload   bytes that may tell names       syscall        where the program has them
 *   own       the address here                received       the address there
 *   resolver  what C libraries tell programs
 *   xdp       bytes that pass no call         again          calls that a first program missed
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "abi.h"
#include "config.bpf.h"
#include "maps.bpf.h"

#include "compat.bpf.h"

#include "owner.bpf.h"
#include "peer.bpf.h"

#include "slots.bpf.h"
#include "storage.bpf.h"

#include "sample.bpf.h"
#include "wire.bpf.h"

#include "flow.bpf.h"

#include "mptcp.bpf.h"

#include "connection.bpf.h"

#include "sctp.bpf.h"

#include "syscall.bpf.h"

#include "payload.bpf.h"

#include "account.bpf.h"

#include "call.bpf.h"

#include "tcp.bpf.h"

#include "xdp.bpf.h"

#include "resolver.bpf.h"

#include "again.bpf.h"
#include "front_fexit.bpf.h"
#include "front_tracepoint.bpf.h"
#include "process.bpf.h"
#include "own.bpf.h"
#include "received.bpf.h"
#include "sockets.bpf.h"

/* Types that no map is made of; named here so that they reach Rust. */
const struct fs_fork *_emit_fork __attribute__((unused));
const struct fs_exit *_emit_exit __attribute__((unused));
const struct fs_looked *_emit_looked __attribute__((unused));
const struct fs_payload *_emit_payload __attribute__((unused));
const struct fs_sctp *_emit_sctp __attribute__((unused));
const volatile enum fs_limits _emit_limits = FS_DATA_MAX;
const volatile enum fs_payload_flags _emit_payload_flags = FS_PAYLOAD_ROOTS;
const volatile enum fs_payload_kind _emit_payload_kind = FS_PAYLOAD_REPLY;
const volatile enum fs_lookup _emit_lookup = FS_LOOKUP_ADDRINFO;
const volatile enum fs_count _emit_count = FS_COUNT_MAX;
const volatile enum fs_flow_flags _emit_flow_flags = FS_FLOW_EXTRA;
const volatile enum fs_usage_of _emit_usage = FS_USAGE_FLOWS;
const volatile enum fs_tcp_flags _emit_tcp_flags = FS_TCP_ACTIVE;
const volatile enum fs_sctp_at _emit_sctp_at = FS_SCTP_EP;
const volatile enum fs_mark _emit_mark = FS_MARK_MOVED;
const volatile enum fs_proc_flags _emit_proc_flags = FS_PROC_MEMFD;
const volatile enum fs_event_kind _emit_event_kind = FS_EVENT_EXEC;

char LICENSE[] SEC("license") = "Dual BSD/GPL";
