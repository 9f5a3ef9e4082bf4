//! The kinds of traffic, each of exactly known volume.

mod awkward;
mod datagrams;
mod handover;
mod icmp;
mod lineage;
mod many;
mod plan;
mod prefork;
mod special;
mod steps;
mod streams;
mod uring;

use crate::Error;
use crate::Report;
use crate::Result;

use crate::report::plain;
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
pub use steps::Moved;
pub use steps::steps;

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
    "uring", ROUTED, |plan| uring::stream(plan, false), "io_uring send and receive";
    "uring-sqpoll", ROUTED, |plan| uring::stream(plan, true), "io_uring polled by a kernel thread";
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
    "errqueue", LOCAL, special::errors, "ICMP errors read from the error queue";
    "timestamps", ROUTED, special::timestamps, "sent datagrams read back with their timestamps";
    "raw4", ROUTED, |plan| datagrams::raw(plan, V4), "raw IPv4, protocol 253";
    "raw6", ROUTED, |plan| datagrams::raw(plan, V6), "raw IPv6, protocol 253";
    "packet", ROUTED, special::frames, "link-layer frames to everybody on one interface";
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
