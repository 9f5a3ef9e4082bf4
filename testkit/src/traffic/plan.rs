//! How much traffic, and between which addresses and network namespaces.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;

use crate::Doing;
use crate::Result;
use crate::peer::Peer;
use crate::sys::socket;

/// Size and place of the traffic. Amounts are chosen so that no two directions or processes move
/// the same number of bytes: a mix-up cannot pass for the truth.
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
    /// Named network namespace that peers are started in; `None` for the caller's own.
    pub peer_netns: Option<String>,
    /// Where peers listen for IPv4.
    pub bind4: Ipv4Addr,
    /// Where peers listen for IPv6.
    pub bind6: Ipv6Addr,
}

/// Address family of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    V4,
    V6,
    /// IPv4 by an AF_INET6 socket of the client.
    Mapped,
}

pub(super) use Where::V4;
pub(super) use Where::V6;
pub(super) const MAPPED: Where = Where::Mapped;

impl Where {
    /// What the client calls the server's address.
    pub(super) fn target(self, address: SocketAddr) -> SocketAddr {
        match (self, address.ip()) {
            (Self::Mapped, IpAddr::V4(v4)) => {
                SocketAddr::new(v4.to_ipv6_mapped().into(), address.port())
            }
            _ => address,
        }
    }
}

impl Plan {
    /// Bytes of the smaller direction.
    pub(super) fn back(&self) -> u64 {
        self.bytes / 3 + 11
    }

    /// Arguments that mark a process.
    pub(super) fn mark(&self) -> [&str; 2] {
        ["--tag", &self.tag]
    }

    /// True if the peers are anywhere but on loopback here.
    pub(super) fn is_routed(&self) -> bool {
        let here = self.bind4.is_loopback() && self.bind6.is_loopback();
        self.peer_netns.is_some() || !here
    }

    /// Where peers listen.
    pub(super) fn listen(&self, place: Where) -> SocketAddr {
        let ip: IpAddr = if place == V6 { self.bind6.into() } else { self.bind4.into() };
        SocketAddr::new(ip, 0)
    }

    /// Starts `peer KIND ARGS…` where the plan wants peers to be.
    pub(super) fn start(&self, kind: &str, args: &[&str]) -> Result<Peer> {
        Peer::start_in(self.peer_netns.as_deref(), kind, &[args, &self.mark()].concat())
    }

    /// The own address, with any port, that reaches the peers; unspecified for [`MAPPED`].
    pub(super) fn here(&self, place: Where) -> Result<SocketAddr> {
        if place == MAPPED {
            return Ok(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0));
        }
        let mut target = self.listen(place);
        // Connecting a datagram socket sends nothing but asks the routing table.
        target.set_port(9);
        let domain = if target.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let asking = socket::open(domain, libc::SOCK_DGRAM, 0).doing("opening a UDP socket")?;
        socket::connect(&asking, target).doing("looking for a route to the peers")?;
        let mut here = socket::local(&asking)?;
        here.set_port(0);
        Ok(here)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_reached_from_loopback() {
        let plan = Plan {
            tag: "x".to_owned(),
            bytes: 1,
            chunk: 1,
            rounds: 1,
            peer_netns: None,
            bind4: Ipv4Addr::LOCALHOST,
            bind6: Ipv6Addr::LOCALHOST,
        };
        assert!(!plan.is_routed());
        assert_eq!(plan.here(V4).unwrap(), "127.0.0.1:0".parse().unwrap());
        assert_eq!(plan.here(MAPPED).unwrap(), "[::]:0".parse().unwrap());
        assert!(Plan { bind4: Ipv4Addr::new(10, 0, 0, 1), ..plan }.is_routed());
    }
}
