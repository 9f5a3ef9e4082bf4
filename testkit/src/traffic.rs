//! The kinds of traffic, each of exactly known volume.

mod awkward;
mod blocks;
mod connects;
mod datagrams;
mod dressed;
mod frames;
mod handover;
mod icmp;
mod lineage;
mod many;
mod plan;
mod prefork;
mod rings;
mod special;
mod steps;
mod streams;
mod tcp_calls;
mod udp_calls;
mod udp_peers;
mod uring;

use crate::Error;
use crate::Report;
use crate::Result;
use crate::peer::stream::Dress;

use crate::report::plain;
pub use blocks::blocks;
pub use handover::after_exec;
pub use handover::receive_passed;
pub use lineage::launch;
pub use many::shortlived;
pub use many::spread;
use plan::MAPPED;
pub use plan::Plan;
use plan::V4;
use plan::V6;
use plan::Where;
pub use rings::Rings;
pub use rings::rings;
pub use steps::Moved;
pub use steps::steps;
use uring::Sending;

/// A kind of traffic: its name, and what makes it.
pub struct Kind {
    /// Name on the command line.
    pub name: &'static str,
    /// What is special about it.
    pub about: &'static str,
    /// Whether its peer may be in another network namespace, with a network in between.
    pub routed: bool,
    run: fn(&Plan) -> Result<Report>,
}

impl Kind {
    /// Makes the traffic.
    ///
    /// # Errors
    /// If it cannot be made here, or was not exactly as planned.
    pub fn run(&self, plan: &Plan) -> Result<Report> {
        if plan.is_routed() && !self.routed {
            let why = format!("{} needs both its ends on loopback", self.name);
            return Err(Error::Unsupported(why));
        }
        let mut report = (self.run)(plan)?;
        self.name.clone_into(&mut report.kind);
        report.agree()?;
        Ok(report)
    }
}

macro_rules! kinds {
    ($($name:literal, $place:ident, $run:expr, $about:literal;)*) => {
        &[$(Kind { name: $name, about: $about, routed: $place, run: $run },)*]
    };
}

/// [`Kind::routed`] of kinds whose ends may be anywhere.
const ROUTED: bool = true;
/// [`Kind::routed`] of kinds of one machine.
const LOCAL: bool = false;

/// Every kind of traffic.
pub const KINDS: &[Kind] = kinds![
    "tcp4", ROUTED, |plan| streams::plain(plan, V4), "TCP over IPv4, both ways";
    "tcp6", ROUTED, |plan| streams::plain(plan, V6), "TCP over IPv6, both ways";
    "tcp-mapped", ROUTED, |plan| streams::plain(plan, MAPPED), "IPv4 TCP over an AF_INET6 socket";
    "tcp-peek", ROUTED, streams::peek, "the receiver peeks before it reads";
    "tcp-threads", ROUTED, streams::threads, "four threads share one socket";
    "sendfile", ROUTED, streams::sendfile, "file to socket";
    "splice-send", ROUTED, streams::splice_send, "file to pipe to socket";
    "splice-recv", ROUTED, streams::splice_recv, "socket to pipe at the receiver";
    "zerocopy", ROUTED, streams::zerocopy, "MSG_ZEROCOPY with its completions read";
    "uring", ROUTED, |plan| uring::stream(plan, Sending::Plain), "io_uring send and receive";
    "uring-sqpoll", ROUTED, |plan| uring::stream(plan, Sending::Polled), "io_uring polled by a kernel thread";
    "uring-zc", ROUTED, |plan| uring::stream(plan, Sending::ZeroCopy), "io_uring zero-copy send";
    "vmsplice", ROUTED, tcp_calls::vmsplice, "memory to pipe to socket";
    "tcp-zerocopy-recv", ROUTED, tcp_calls::mapped, "TCP_ZEROCOPY_RECEIVE at the receiver";
    "tcp-trunc", ROUTED, tcp_calls::discarded, "the receiver discards by MSG_TRUNC";
    "tcp-oob", ROUTED, tcp_calls::urgent, "urgent bytes among others";
    "tcp-halfclose", ROUTED, tcp_calls::half_closed, "each direction is shut down by itself";
    "tcp-fastopen", ROUTED, tcp_calls::fast_open, "connections that begin with data";
    "mptcp", ROUTED, |plan| dressed::stream(plan, Dress::Mptcp, "mptcp"), "multipath TCP";
    "ktls", ROUTED, |plan| dressed::stream(plan, Dress::Tls, "tls"), "TLS by the kernel";
    "sctp-stream", ROUTED, |plan| dressed::stream(plan, Dress::Sctp, "sctp"), "one-to-one SCTP";
    "sctp-datagram", ROUTED, dressed::messages, "one-to-many SCTP";
    "connect-refused", ROUTED, connects::refused, "connections to a closed port";
    "connect-unused", ROUTED, connects::unused, "connections that carry nothing";
    "connect-timeout", LOCAL, connects::timed_out, "connections that nobody answers";
    "udp4", ROUTED, |plan| datagrams::connected(plan, V4), "connected UDP over IPv4";
    "udp6", ROUTED, |plan| datagrams::connected(plan, V6), "connected UDP over IPv6";
    "udp-mapped", ROUTED, |plan| datagrams::connected(plan, MAPPED), "IPv4 UDP over an AF_INET6 socket";
    "udp-unconnected", ROUTED, datagrams::unconnected, "sendto and recvfrom";
    "udp-elsewhere", ROUTED, datagrams::elsewhere, "sendto another address on a connected socket";
    "udp-zero", ROUTED, datagrams::zero, "empty datagrams among others";
    "udp-noaddr", ROUTED, datagrams::no_address, "recv without an address on an unconnected socket";
    "udp-peek", ROUTED, datagrams::peek, "the receiver peeks before it reads";
    "udp-threads", ROUTED, datagrams::threads, "four threads share one socket";
    "udp-batch", ROUTED, datagrams::batch, "sendmmsg and recvmmsg";
    "udp-gso", ROUTED, datagrams::segments, "one send cut into datagrams by the kernel";
    "udplite4", ROUTED, udp_calls::lite, "UDP-Lite over IPv4";
    "udp-gro", ROUTED, udp_calls::merged, "cut by the kernel, put together by the kernel";
    "udp-gso-cmsg", ROUTED, udp_calls::segments_by_call, "UDP_SEGMENT as a control message";
    "udp-corked", ROUTED, udp_calls::corked, "several sends make one datagram";
    "udp-fragmented", ROUTED, udp_calls::fragmented, "datagrams of several packets";
    "udp-trunc", ROUTED, udp_calls::truncated, "MSG_TRUNC with too little room";
    "udp-recv-plain", ROUTED, udp_peers::unasked, "two senders, recv without an address";
    "udp-mapped-unconnected", ROUTED, udp_peers::mapped, "sendto mapped addresses";
    "udp-v4-on-v6", ROUTED, udp_peers::foreign, "AF_INET addresses on an AF_INET6 socket";
    "udp-multicast", ROUTED, udp_peers::multicast, "one sender, two receivers";
    "errqueue", LOCAL, special::errors, "ICMP errors read from the error queue";
    "timestamps", ROUTED, special::timestamps, "sent datagrams read back with their timestamps";
    "raw4", ROUTED, |plan| datagrams::raw(plan, V4), "raw IPv4, protocol 253";
    "raw6", ROUTED, |plan| datagrams::raw(plan, V6), "raw IPv6, protocol 253";
    "packet", ROUTED, special::frames, "link-layer frames to everybody on one interface";
    "packet-recv", ROUTED, frames::whole, "whole frames, recvfrom";
    "packet-txring", ROUTED, frames::ring, "frames sent by PACKET_TX_RING";
    "icmp-ping", ROUTED, icmp::ping_socket, "unprivileged ping socket";
    "icmp-raw", ROUTED, icmp::raw_socket, "echo request by a raw socket";
    "fork", ROUTED, handover::fork, "parent and child use one connection in turn";
    "scm-rights", ROUTED, handover::scm_rights, "a connection passed to another program";
    "exec", ROUTED, handover::exec, "a connection kept over execve";
    "prefork-tcp", LOCAL, prefork::tcp, "four processes accept from one listener";
    "prefork-udp", LOCAL, prefork::udp, "four processes share one UDP socket";
    "udp-no-room", ROUTED, awkward::datagrams_without_room, "a socket whose option memory is used up";
    "splice-no-room", ROUTED, awkward::stream_without_room, "the same, a connection read by splice";
    "tcp-reconnect", ROUTED, awkward::reconnect, "one socket makes two connections";
    "many-peers", LOCAL, datagrams::many_peers, "one UDP socket talks to many peers";
];

/// The kind of that name.
///
/// # Errors
/// If there is none; the message lists them.
pub fn kind(name: &str) -> Result<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name).ok_or_else(|| {
        let names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
        Error::Unexpected(format!("no traffic {name:?}; there is: {}", names.join(", ")))
    })
}
