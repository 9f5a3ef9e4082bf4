//! Which conversation bytes belong to.

use std::fmt;
use std::net::IpAddr;

/// One end of a flow. `addr` is `None` where the kernel could not say (a datagram received
/// without an address buffer, a link-layer socket, the overflow bucket).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Address; an IPv4-mapped IPv6 address has already become IPv4.
    pub addr: Option<IpAddr>,
    /// Port, host byte order; 0 where the protocol has none or it is unknown.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.addr {
            None if self.port == 0 => f.write_str("?"),
            None => write!(f, "?:{}", self.port),
            Some(addr) if self.port == 0 => write!(f, "{addr}"),
            Some(IpAddr::V4(addr)) => write!(f, "{addr}:{}", self.port),
            Some(IpAddr::V6(addr)) => write!(f, "[{addr}]:{}", self.port),
        }
    }
}

/// A conversation as the socket layer knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FlowKey {
    /// The kernel's socket cookie (`SO_COOKIE`): unique while the machine runs.
    pub cookie: u64,
    /// `AF_*`; [`FlowKey::AF_INET`] also for an IPv4 conversation over an `AF_INET6` socket.
    pub family: u16,
    /// `IPPROTO_*`, 0 where unknown (AF_PACKET, AF_XDP); 262 is `IPPROTO_MPTCP`.
    pub protocol: u16,
    /// This machine's end.
    pub local: Endpoint,
    /// The other end.
    pub remote: Endpoint,
    /// Inode number of the socket's network namespace.
    pub netns: u32,
}

impl FlowKey {
    /// `AF_INET`.
    pub const AF_INET: u16 = 2;
    /// `AF_INET6`.
    pub const AF_INET6: u16 = 10;
    /// `AF_PACKET`.
    pub const AF_PACKET: u16 = 17;
    /// `AF_XDP`: frames pass by rings, not by calls, and their bytes cannot be known.
    pub const AF_XDP: u16 = 44;
    /// `IPPROTO_ICMP`.
    pub const ICMP: u16 = 1;
    /// `IPPROTO_TCP`.
    pub const TCP: u16 = 6;
    /// `IPPROTO_UDP`.
    pub const UDP: u16 = 17;
    /// `IPPROTO_ICMPV6`.
    pub const ICMPV6: u16 = 58;
    /// `IPPROTO_UDPLITE`.
    pub const UDPLITE: u16 = 136;
    /// `IPPROTO_SCTP`.
    pub const SCTP: u16 = 132;
}

/// The usual name of an `IPPROTO_*` number (or of AF_PACKET and AF_XDP), or the number itself.
#[must_use]
pub fn protocol_name(family: u16, protocol: u16) -> String {
    let name = match (family, protocol) {
        (FlowKey::AF_PACKET, _) => "packet",
        (FlowKey::AF_XDP, _) => "xdp",
        (_, 1) => "icmp",
        (_, 2) => "igmp",
        (_, 6) => "tcp",
        (_, 17) => "udp",
        (_, 33) => "dccp",
        (_, 47) => "gre",
        (_, 50) => "esp",
        (_, 51) => "ah",
        (_, 58) => "icmpv6",
        (_, 89) => "ospf",
        (_, 115) => "l2tp",
        (_, 132) => "sctp",
        (_, 136) => "udplite",
        (_, 255) => "raw",
        (_, 262) => "mptcp",
        (_, other) => return other.to_string(),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_read_like_addresses() {
        let v6 = Endpoint { addr: Some("::1".parse().unwrap()), port: 443 };
        assert_eq!(v6.to_string(), "[::1]:443");
        let v4 = Endpoint { addr: Some("192.0.2.1".parse().unwrap()), port: 0 };
        assert_eq!(v4.to_string(), "192.0.2.1");
        assert_eq!(Endpoint::default().to_string(), "?");
        assert_eq!(Endpoint { addr: None, port: 53 }.to_string(), "?:53");
    }

    #[test]
    fn protocols_have_their_usual_names() {
        assert_eq!(protocol_name(2, 6), "tcp");
        assert_eq!(protocol_name(17, 0), "packet");
        assert_eq!(protocol_name(44, 0), "xdp");
        assert_eq!(protocol_name(2, 253), "253");
    }
}
