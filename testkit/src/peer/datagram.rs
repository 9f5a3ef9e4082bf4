//! Datagram peers: UDP, raw IP and AF_PACKET.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use clap::ValueEnum;

use super::hello;
use super::obey;
use super::stream;
use crate::Doing;
use crate::End;
use crate::Error;
use crate::Result;
use crate::emit;
use crate::sys::address::RawAddr;
use crate::sys::interface;
use crate::sys::socket;
use crate::sys::vectored;

/// An EtherType set aside for local experiments.
pub const ETHERTYPE: u16 = 0x88b5;
/// An IP protocol number set aside for experiments.
pub const IP_PROTOCOL: i32 = 253;

/// Room of [`Receiving::Short`].
pub const SHORT: usize = 100;
/// `UDP_GRO`.
const UDP_GRO: i32 = 104;

/// What the datagrams travel over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Medium {
    /// UDP.
    Udp,
    /// UDP-Lite.
    UdpLite,
    /// SCTP with one socket for all associations.
    Sctp,
    /// Raw IP, protocol 253.
    Raw,
    /// Link-layer frames on the interface that has the address.
    Packet,
    /// The same, where the program sees the link-layer header too.
    Frames,
}

impl Medium {
    /// Without internet addresses.
    fn is_link_layer(self) -> bool {
        matches!(self, Self::Packet | Self::Frames)
    }
}

/// How a peer receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Receiving {
    /// `recvfrom(2)`.
    From,
    /// `recv(2)`: without asking for the address.
    Plain,
    /// `recvfrom(2)` with MSG_PEEK first, then for good.
    Peek,
    /// `recvmmsg(2)`.
    Batch,
    /// `recv(2)` of what `UDP_GRO` has put together: orders count bytes.
    Merged,
    /// `recv(2)` with MSG_TRUNC into [`SHORT`] bytes: it returns the datagram's whole length.
    Short,
}

/// An open, bound socket with its empty count.
///
/// # Errors
/// If it cannot be opened (raw and link-layer sockets need CAP_NET_RAW).
pub fn open(medium: Medium, role: &str, bind: SocketAddr) -> Result<(OwnedFd, End)> {
    let domain = if bind.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let (fd, end) = match medium {
        Medium::Udp => (
            socket::open(domain, libc::SOCK_DGRAM, 0).doing("opening a UDP socket")?,
            End::here(role, domain, libc::IPPROTO_UDP),
        ),
        Medium::Raw => (
            socket::open(domain, libc::SOCK_RAW, IP_PROTOCOL).doing("opening a raw socket")?,
            End::here(role, domain, IP_PROTOCOL),
        ),
        Medium::UdpLite => (
            socket::open(domain, libc::SOCK_DGRAM, libc::IPPROTO_UDPLITE).supported("UDP-Lite")?,
            End::here(role, domain, libc::IPPROTO_UDPLITE),
        ),
        Medium::Sctp => (
            stream::open_sctp(domain, libc::SOCK_SEQPACKET)?,
            End::here(role, domain, libc::IPPROTO_SCTP),
        ),
        Medium::Packet | Medium::Frames => {
            let whole = medium == Medium::Frames;
            let kind = if whole { libc::SOCK_RAW } else { libc::SOCK_DGRAM };
            let protocol = i32::from(ETHERTYPE.to_be());
            (
                socket::open(libc::AF_PACKET, kind, protocol)
                    .doing("opening an AF_PACKET socket")?,
                End::here(role, libc::AF_PACKET, 0),
            )
        }
    };
    // Room for what is sent before this process is scheduled.
    socket::set_option(&fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, 4 << 20)
        .or_else(|_unprivileged| {
            socket::set_option(&fd, libc::SOL_SOCKET, libc::SO_RCVBUF, 4 << 20)
        })
        .doing("SO_RCVBUF")?;
    if bind.ip().is_multicast() {
        // All receivers of a group have the same address.
        socket::set_option(&fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1).doing("SO_REUSEADDR")?;
    }
    if medium.is_link_layer() {
        socket::bind(&fd, frames_at(bind)?).doing("binding an AF_PACKET socket")?;
    } else {
        socket::bind(&fd, bind).doing("binding a datagram socket")?;
    }
    Ok((fd, end))
}

/// Everybody on the interface that has this address.
///
/// # Errors
/// If none has it.
pub fn frames_at(address: SocketAddr) -> Result<RawAddr> {
    let index = interface::with_address(address.ip()).doing("looking for an interface")?;
    Ok(RawAddr::packet(index, ETHERTYPE))
}

/// `peer datagram`: order `N REPLY` receives N datagrams and answers each with REPLY bytes
/// (if not 0). `join` is the interface's address where a multicast group is to be heard.
///
/// # Errors
/// If a datagram does not come within the time limit.
pub fn serve(
    medium: Medium,
    bind: SocketAddr,
    receiving: Receiving,
    join: Option<Ipv4Addr>,
) -> Result<()> {
    let (fd, mut end) = open(medium, "server", bind)?;
    let address = if medium.is_link_layer() { bind } else { socket::local(&fd)? };
    if receiving == Receiving::Merged {
        socket::set_option(&fd, libc::SOL_UDP, UDP_GRO, 1).supported("UDP_GRO")?;
    }
    if let (IpAddr::V4(group), Some(interface)) = (bind.ip(), join) {
        let request = [group.octets(), interface.octets()].concat();
        socket::set_bytes(&fd, libc::SOL_IP, libc::IP_ADD_MEMBERSHIP, &request)
            .doing("joining a multicast group")?;
    }
    if medium == Medium::Sctp {
        socket::listen(&fd).doing("listening")?;
    }
    if medium != Medium::Raw && !medium.is_link_layer() {
        end.local = Some(crate::report::plain(address));
    }
    hello(address)?;
    obey(|order| {
        let &[count, reply] = order else {
            return Err(Error::Unexpected("wanted: N REPLY".to_owned()));
        };
        let mut left = count;
        while left > 0 {
            left = left.saturating_sub(take(&fd, &mut end, receiving, left, reply)?);
        }
        Ok(())
    })?;
    emit(&[end])
}

/// Receives at least one datagram; how many it were.
fn take(fd: &OwnedFd, end: &mut End, how: Receiving, most: u64, reply: u64) -> Result<u64> {
    let mut room = vec![0; 65_536];
    match how {
        Receiving::Plain => {
            end.received(socket::recv(fd, &mut room, 0).doing("receiving")?);
            Ok(1)
        }
        Receiving::Merged => {
            let got = socket::recv(fd, &mut room, 0).doing("receiving")?;
            end.received(got);
            if got as u64 > most {
                return Err(Error::Unexpected(format!("{got} bytes came instead of {most}")));
            }
            Ok(got as u64)
        }
        Receiving::Short => {
            let room = room.get_mut(..SHORT).unwrap_or_default();
            end.received(socket::recv(fd, room, libc::MSG_TRUNC).doing("receiving")?);
            Ok(1)
        }
        Receiving::Batch => {
            let count = usize::try_from(most).unwrap_or(usize::MAX).min(16);
            let mut rooms = vec![vec![0; 9_000]; count];
            let sizes = vectored::recv_batch(fd, &mut rooms).doing("receiving a batch")?;
            sizes.iter().for_each(|size| end.received(*size));
            Ok(sizes.len() as u64)
        }
        Receiving::From | Receiving::Peek => {
            if how == Receiving::Peek {
                socket::recv_from(fd, &mut room, libc::MSG_PEEK).doing("peeking")?;
            }
            let (size, from) = socket::recv_from(fd, &mut room, 0).doing("receiving")?;
            end.received(size);
            if reply > 0 {
                let answer = vec![b'y'; usize::try_from(reply).unwrap_or(0)];
                end.sent(socket::send_to(fd, &answer, from).doing("answering")?);
            }
            Ok(1)
        }
    }
}
