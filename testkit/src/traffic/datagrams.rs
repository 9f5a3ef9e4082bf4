//! UDP and raw IP.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::thread;

use super::Plan;
use super::V4;
use super::Where;
use super::plain;
use crate::Doing;
use crate::End;
use crate::Error;
use crate::Report;
use crate::Result;
use crate::peer::Peer;
use crate::peer::datagram;
use crate::peer::datagram::Medium;
use crate::sys::socket;
use crate::sys::vectored;

/// Payload of requests; answers are longer by [`MORE`].
const SIZE: usize = 100;
/// What an answer has more than a request.
const MORE: usize = 23;
/// An IPv4 header without options, which raw sockets receive as well.
pub(super) const IPV4_HEADER: u64 = 20;
/// Datagrams sent without waiting, few enough for any receive buffer.
const BURST: u64 = 32;
/// `UDP_SEGMENT`.
const UDP_SEGMENT: i32 = 103;

/// Starts a datagram peer.
pub(super) fn peer(plan: &Plan, medium: &str, place: Where, receiving: &str) -> Result<Peer> {
    let bind = plan.listen(place).to_string();
    plan.start("datagram", &["--medium", medium, "--bind", &bind, "--receiving", receiving])
}

/// A UDP socket connected to the peer.
pub(super) fn client(plan: &Plan, peer: &Peer, place: Where) -> Result<(OwnedFd, End)> {
    let (fd, end) = datagram::open(Medium::Udp, "client", plan.here(place)?)?;
    let target = place.target(peer.address);
    socket::connect(&fd, target).doing("connecting a UDP socket")?;
    let local = socket::local(&fd)?;
    let family = if plain(local).is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let family = u16::try_from(family).unwrap_or(0);
    Ok((fd, End { family, ..end }.between(local, target)))
}

pub(super) fn report(end: End, peers: impl IntoIterator<Item = Peer>) -> Result<Report> {
    let mut ends = vec![end];
    for peer in peers {
        ends.extend(peer.finish()?);
    }
    Ok(Report::new("", ends))
}

/// One request on a connected socket, and its answer.
fn round(fd: &OwnedFd, end: &mut End, size: usize) -> Result<()> {
    end.sent(socket::send(fd, &vec![b'q'; size], 0).doing("sending a datagram")?);
    end.received(socket::recv(fd, &mut [0; 2048], 0).doing("receiving a datagram")?);
    Ok(())
}

/// Requests and answers on a connected socket.
pub(super) fn connected(plan: &Plan, place: Where) -> Result<Report> {
    ping_pong(plan, place, "from")
}

/// The peer looks before it reads.
pub(super) fn peek(plan: &Plan) -> Result<Report> {
    ping_pong(plan, V4, "peek")
}

fn ping_pong(plan: &Plan, place: Where, receiving: &str) -> Result<Report> {
    let mut peer = peer(plan, "udp", place, receiving)?;
    let (fd, mut end) = client(plan, &peer, place)?;
    peer.order(&[plan.rounds, (SIZE + MORE) as u64])?;
    for _ in 0..plan.rounds {
        round(&fd, &mut end, SIZE)?;
    }
    peer.done()?;
    report(end, [peer])
}

/// `sendto` and `recvfrom`.
pub(super) fn unconnected(plan: &Plan) -> Result<Report> {
    many_servers(plan, 1, |_fd| Ok(()))
}

/// One socket, many peers in turn. The peers are sockets of one process each.
pub(super) fn many_peers(plan: &Plan) -> Result<Report> {
    let (fd, mut end) = datagram::open(Medium::Udp, "client", plan.here(V4)?)?;
    end.local = Some(socket::local(&fd)?);
    // The same process holds all the other sockets: what counts is the number of addresses.
    let mut other = End { role: "others".to_owned(), ..end.clone() };
    other.local = None;
    let mut room = [0; 2048];
    for _ in 0..plan.rounds {
        let (there, _count) = datagram::open(Medium::Udp, "others", plan.here(V4)?)?;
        let to = socket::local(&there)?;
        end.sent(socket::send_to(&fd, &[b'm'; SIZE], to).doing("sending a datagram")?);
        let (got, from) = socket::recv_from(&there, &mut room, 0).doing("receiving a datagram")?;
        other.received(got);
        other.sent(socket::send_to(&there, &[b'n'; SIZE + MORE], from).doing("answering")?);
        let (got, _from) = socket::recv_from(&fd, &mut room, 0).doing("receiving an answer")?;
        end.received(got);
    }
    Ok(Report::new("", vec![end, other]))
}

/// Talks to some peers in turn by one socket, which is first `prepared`.
pub(super) fn many_servers(
    plan: &Plan,
    servers: usize,
    prepared: impl FnOnce(&OwnedFd) -> Result<()>,
) -> Result<Report> {
    let mut peers = Vec::new();
    for _ in 0..servers {
        peers.push(peer(plan, "udp", V4, "from")?);
    }
    let (fd, mut end) = datagram::open(Medium::Udp, "client", plan.here(V4)?)?;
    prepared(&fd)?;
    end.local = Some(socket::local(&fd)?);
    for peer in &mut peers {
        end.remote = Some(peer.address).filter(|_| servers == 1);
        peer.order(&[plan.rounds, (SIZE + MORE) as u64])?;
        for _ in 0..plan.rounds {
            end.sent(socket::send_to(&fd, &[b'q'; SIZE], peer.address).doing("sending")?);
            let (got, _from) = socket::recv_from(&fd, &mut [0; 2048], 0).doing("receiving")?;
            end.received(got);
        }
        peer.done()?;
    }
    report(end, peers)
}

/// Connected to one peer, some datagrams go to another.
pub(super) fn elsewhere(plan: &Plan) -> Result<Report> {
    let mut near = peer(plan, "udp", V4, "from")?;
    let mut far = peer(plan, "udp", V4, "from")?;
    let (fd, mut to_near) = client(plan, &near, V4)?;
    let local = socket::local(&fd)?;
    let mut to_far = End::here("client", libc::AF_INET, libc::IPPROTO_UDP);
    to_far = to_far.between(local, far.address);
    near.order(&[plan.rounds, (SIZE + MORE) as u64])?;
    far.order(&[plan.rounds, 0])?;
    for _ in 0..plan.rounds {
        round(&fd, &mut to_near, SIZE)?;
        let sent = socket::send_to(&fd, &[b'e'; SIZE + 7], far.address);
        to_far.sent(sent.doing("sending elsewhere")?);
    }
    near.done()?;
    far.done()?;
    let mut report = report(to_near, [near, far])?;
    report.ends.push(to_far);
    Ok(report)
}

/// Every other request is empty.
pub(super) fn zero(plan: &Plan) -> Result<Report> {
    let mut peer = peer(plan, "udp", V4, "from")?;
    let (fd, mut end) = client(plan, &peer, V4)?;
    peer.order(&[plan.rounds * 2, (SIZE + MORE) as u64])?;
    for _ in 0..plan.rounds {
        round(&fd, &mut end, 0)?;
        round(&fd, &mut end, SIZE)?;
    }
    peer.done()?;
    report(end, [peer])
}

/// The receiver does not ask who sent.
pub(super) fn no_address(plan: &Plan) -> Result<Report> {
    one_way(plan, "udp", V4, "plain", |peer| client(plan, peer, V4))
}

/// Raw IP: the receiver of IPv4 gets the headers as well.
pub(super) fn raw(plan: &Plan, place: Where) -> Result<Report> {
    let mut report = one_way(plan, "raw", place, "plain", |peer| {
        let (fd, end) = datagram::open(Medium::Raw, "client", plan.here(place)?)?;
        socket::connect(&fd, SocketAddr::new(peer.address.ip(), 0)).doing("connecting")?;
        Ok((fd, end))
    })?;
    if place == V4 {
        // The sender's own socket would get a copy too, but nobody reads it.
        report.extra = i64::try_from(plan.rounds * IPV4_HEADER).unwrap_or(0);
    }
    Ok(report)
}

fn one_way(
    plan: &Plan,
    medium: &str,
    place: Where,
    receiving: &str,
    client: impl FnOnce(&Peer) -> Result<(OwnedFd, End)>,
) -> Result<Report> {
    let mut peer = peer(plan, medium, place, receiving)?;
    let (fd, mut end) = client(&peer)?;
    let mut left = plan.rounds;
    while left > 0 {
        let burst = left.min(BURST);
        peer.order(&[burst, 0])?;
        for _ in 0..burst {
            end.sent(socket::send(&fd, &[b'o'; SIZE], 0).doing("sending a datagram")?);
        }
        peer.done()?;
        left -= burst;
    }
    report(end, [peer])
}

/// Four threads share the socket; each gets whichever answer comes first.
pub(super) fn threads(plan: &Plan) -> Result<Report> {
    const THREADS: u64 = 4;
    let mut peer = peer(plan, "udp", V4, "from")?;
    let (fd, mut end) = client(plan, &peer, V4)?;
    peer.order(&[plan.rounds * THREADS, (SIZE + MORE) as u64])?;
    let work = || {
        let mut own = End::default();
        for _ in 0..plan.rounds {
            round(&fd, &mut own, SIZE)?;
        }
        Ok(own)
    };
    let counts: Vec<Result<End>> = thread::scope(|scope| {
        let running: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        let panicked = || Error::Unexpected("a thread of the generator panicked".to_owned());
        running
            .into_iter()
            .map(|handle| handle.join().unwrap_or_else(|_panic| Err(panicked())))
            .collect()
    });
    for count in counts {
        end.absorb(&count?);
    }
    peer.done()?;
    report(end, [peer])
}

/// Eight datagrams a call.
pub(super) fn batch(plan: &Plan) -> Result<Report> {
    let mut peer = peer(plan, "udp", V4, "batch")?;
    let (fd, mut end) = client(plan, &peer, V4)?;
    let data = [b'b'; 2048];
    for _ in 0..plan.rounds {
        let lengths = (1_usize..=8).map(|n| n * 101);
        let datagrams: Vec<&[u8]> = lengths.filter_map(|length| data.get(..length)).collect();
        peer.order(&[8, 0])?;
        let sizes = vectored::send_batch(&fd, &datagrams).doing("sending a batch")?;
        if sizes.len() != datagrams.len() {
            return Err(Error::Unexpected(format!("only {} of 8 were sent", sizes.len())));
        }
        sizes.iter().for_each(|size| end.sent(*size));
        peer.done()?;
    }
    report(end, [peer])
}

/// One send of 9.5 segments, which arrive as ten datagrams.
pub(super) fn segments(plan: &Plan) -> Result<Report> {
    const SEGMENT: usize = 1000;
    let mut peer = peer(plan, "udp", V4, "plain")?;
    let (fd, mut end) = client(plan, &peer, V4)?;
    let size = i32::try_from(SEGMENT).unwrap_or(0);
    socket::set_option(&fd, libc::SOL_UDP, UDP_SEGMENT, size).doing("UDP_SEGMENT")?;
    for _ in 0..plan.rounds {
        peer.order(&[10, 0])?;
        let data = vec![b'g'; SEGMENT * 9 + SEGMENT / 2];
        end.sent(socket::send(&fd, &data, 0).doing("sending segments")?);
        peer.done()?;
    }
    report(end, [peer])
}
