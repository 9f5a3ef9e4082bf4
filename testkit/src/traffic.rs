//! The kinds of traffic, each of exactly known volume.

mod awkward;
mod datagrams;
mod handover;
mod icmp;
mod lineage;
mod many;
mod prefork;
mod special;
mod steps;
mod streams;
mod uring;

use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;

use crate::Error;
use crate::Report;
use crate::Result;

use crate::report::plain;
pub use handover::after_exec;
pub use handover::receive_passed;
pub use lineage::launch;
pub use many::shortlived;
pub use many::spread;
pub use steps::Moved;
pub use steps::steps;

/// Size of the traffic. Amounts are chosen so that no two directions or processes move the
/// same number of bytes: a mix-up cannot pass for the truth.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Marks every process of this run in its arguments.
    pub tag: String,
    /// Bytes of the larger direction (streams).
    pub bytes: u64,
    /// Bytes a call (streams).
    pub chunk: usize,
    /// Rounds (datagrams), connections (prefork).
    pub rounds: u64,
}

impl Plan {
    /// Bytes of the smaller direction.
    fn back(&self) -> u64 {
        self.bytes / 3 + 11
    }

    /// Arguments that mark a peer.
    fn mark(&self) -> [&str; 2] {
        ["--tag", &self.tag]
    }
}

/// A kind of traffic: its name, and what makes it.
pub struct Kind {
    /// Name on the command line.
    pub name: &'static str,
    /// What is special about it.
    pub about: &'static str,
    run: fn(&Plan) -> Result<Report>,
}

impl Kind {
    /// Makes the traffic.
    ///
    /// # Errors
    /// If it cannot be made here, or was not exactly as planned.
    pub fn run(&self, plan: &Plan) -> Result<Report> {
        let mut report = (self.run)(plan)?;
        self.name.clone_into(&mut report.kind);
        report.agree()?;
        Ok(report)
    }
}

macro_rules! kinds {
    ($($name:literal, $run:expr, $about:literal;)*) => {
        &[$(Kind { name: $name, about: $about, run: $run },)*]
    };
}

/// Every kind of traffic.
pub const KINDS: &[Kind] = kinds![
    "tcp4", |plan| streams::plain(plan, V4), "TCP over IPv4, both ways";
    "tcp6", |plan| streams::plain(plan, V6), "TCP over IPv6, both ways";
    "tcp-mapped", |plan| streams::plain(plan, MAPPED), "IPv4 TCP over an AF_INET6 socket";
    "tcp-peek", streams::peek, "the receiver peeks before it reads";
    "tcp-threads", streams::threads, "four threads share one socket";
    "sendfile", streams::sendfile, "file to socket";
    "splice-send", streams::splice_send, "file to pipe to socket";
    "splice-recv", streams::splice_recv, "socket to pipe at the receiver";
    "zerocopy", streams::zerocopy, "MSG_ZEROCOPY with its completions read";
    "uring", |plan| uring::stream(plan, false), "io_uring send and receive";
    "uring-sqpoll", |plan| uring::stream(plan, true), "io_uring polled by a kernel thread";
    "udp4", |plan| datagrams::connected(plan, V4), "connected UDP over IPv4";
    "udp6", |plan| datagrams::connected(plan, V6), "connected UDP over IPv6";
    "udp-mapped", |plan| datagrams::connected(plan, MAPPED), "IPv4 UDP over an AF_INET6 socket";
    "udp-unconnected", datagrams::unconnected, "sendto and recvfrom";
    "udp-elsewhere", datagrams::elsewhere, "sendto another address on a connected socket";
    "udp-zero", datagrams::zero, "empty datagrams among others";
    "udp-noaddr", datagrams::no_address, "recv without an address on an unconnected socket";
    "udp-peek", datagrams::peek, "the receiver peeks before it reads";
    "udp-threads", datagrams::threads, "four threads share one socket";
    "udp-batch", datagrams::batch, "sendmmsg and recvmmsg";
    "udp-gso", datagrams::segments, "one send cut into datagrams by the kernel";
    "errqueue", special::errors, "ICMP errors read from the error queue";
    "timestamps", special::timestamps, "sent datagrams read back with their timestamps";
    "raw4", |plan| datagrams::raw(plan, V4), "raw IPv4, protocol 253";
    "raw6", |plan| datagrams::raw(plan, V6), "raw IPv6, protocol 253";
    "packet", special::frames, "link-layer frames on the loopback interface";
    "icmp-ping", icmp::ping_socket, "unprivileged ping socket, in an own namespace";
    "icmp-raw", icmp::raw_socket, "echo request by a raw socket, in an own namespace";
    "fork", handover::fork, "parent and child use one connection in turn";
    "scm-rights", handover::scm_rights, "a connection passed to another program";
    "exec", handover::exec, "a connection kept over execve";
    "prefork-tcp", prefork::tcp, "four processes accept from one listener";
    "prefork-udp", prefork::udp, "four processes share one UDP socket";
    "udp-no-room", awkward::datagrams_without_room, "a socket whose option memory is used up";
    "splice-no-room", awkward::stream_without_room, "the same, a connection read by splice";
    "tcp-reconnect", awkward::reconnect, "one socket makes two connections";
    "many-peers", datagrams::many_peers, "one UDP socket talks to many peers";
];

/// Where the server listens and what the client connects to.
#[derive(Debug, Clone, Copy)]
struct Where {
    bind: &'static str,
    /// Turns the server's address into the client's target.
    mapped: bool,
}

const V4: Where = Where { bind: "127.0.0.1:0", mapped: false };
const V6: Where = Where { bind: "[::1]:0", mapped: false };
const MAPPED: Where = Where { bind: "127.0.0.1:0", mapped: true };

impl Where {
    fn target(self, address: SocketAddr) -> SocketAddr {
        match address.ip() {
            std::net::IpAddr::V4(v4) if self.mapped => {
                SocketAddr::new(v4.to_ipv6_mapped().into(), address.port())
            }
            _ => address,
        }
    }

    /// An address of the client's own family with any port.
    fn any(self) -> SocketAddr {
        if self.mapped {
            SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0)
        } else if self.bind.starts_with('[') {
            SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 0)
        } else {
            SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0)
        }
    }
}

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
