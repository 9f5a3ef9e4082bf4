//! Sockets with more than one other end, or one that is hard to see: every conversation is an end
//! of its own in these reports.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;

use super::MAPPED;
use super::Plan;
use super::V4;
use super::datagrams;
use crate::Doing;
use crate::End;
use crate::Error;
use crate::Report;
use crate::Result;
use crate::peer::Peer;
use crate::peer::datagram;
use crate::peer::datagram::Medium;
use crate::sys::socket;

/// A group for administrative use.
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 70, 83);

/// Two senders, whose receiver never asks who they are.
pub(super) fn unasked(plan: &Plan) -> Result<Report> {
    let mut peer = datagrams::peer(plan, "udp", V4, "plain")?;
    let (one, mut of_one) = datagrams::client(plan, &peer, V4)?;
    let (other, mut of_other) = datagrams::client(plan, &peer, V4)?;
    for _ in 0..plan.rounds {
        for (fd, end, size) in [(&one, &mut of_one, 100), (&other, &mut of_other, 133)] {
            peer.order(&[1, 0])?;
            end.sent(socket::send(fd, &vec![b'w'; size], 0).doing("sending a datagram")?);
            peer.done()?;
        }
    }
    let mut ends = Vec::new();
    for server in peer.finish()? {
        if server.recv != of_one.sent + of_other.sent {
            return Err(Error::Unexpected(format!("{server:?} is not all that was sent")));
        }
        for client in [&of_one, &of_other] {
            let (recv, recv_calls) = (client.sent, client.send_calls);
            ends.push(End { remote: client.local, recv, recv_calls, ..server.clone() });
        }
    }
    ends.extend([of_one, of_other]);
    Ok(Report::new("", ends))
}

/// One AF_INET6 socket, not connected, and two IPv4 servers called by their mapped addresses.
pub(super) fn mapped(plan: &Plan) -> Result<Report> {
    by_one_socket(plan, |address| MAPPED.target(address))
}

/// The same, called by AF_INET addresses.
pub(super) fn foreign(plan: &Plan) -> Result<Report> {
    by_one_socket(plan, |address| address)
}

fn by_one_socket(plan: &Plan, called: impl Fn(SocketAddr) -> SocketAddr) -> Result<Report> {
    let (fd, _of_ipv6) = datagram::open(Medium::Udp, "client", plan.here(MAPPED)?)?;
    let own = SocketAddr::new(plan.here(V4)?.ip(), socket::local(&fd)?.port());
    let mut ends = Vec::new();
    for (size, reply) in [(150_usize, 190), (170, 240)] {
        let mut peer = datagrams::peer(plan, "udp", V4, "from")?;
        let end = End::here("client", libc::AF_INET, libc::IPPROTO_UDP);
        let mut end = end.between(own, peer.address);
        peer.order(&[plan.rounds, reply])?;
        for _ in 0..plan.rounds {
            let sent = socket::send_to(&fd, &vec![b'q'; size], called(peer.address));
            end.sent(sent.doing("sending a datagram")?);
            let (got, _from) = socket::recv_from(&fd, &mut [0; 2048], 0).doing("receiving")?;
            end.received(got);
        }
        peer.done()?;
        ends.push(end);
        let servers = peer.finish()?.into_iter();
        ends.extend(servers.map(|server| End { remote: Some(own), ..server }));
    }
    Ok(Report::new("", ends))
}

/// Two receivers of one group get every datagram.
pub(super) fn multicast(plan: &Plan) -> Result<Report> {
    let mut receivers = vec![receiver(plan, 0)?];
    let port = receivers.iter().map(|peer| peer.address.port()).sum();
    receivers.push(receiver(plan, port)?);
    let group = SocketAddr::new(GROUP.into(), port);
    let here = plan.here(V4)?;
    let (fd, mut end) = datagram::open(Medium::Udp, "client", here)?;
    if let IpAddr::V4(interface) = here.ip() {
        socket::set_bytes(&fd, libc::SOL_IP, libc::IP_MULTICAST_IF, &interface.octets())
            .doing("choosing an interface for multicast")?;
    }
    end = end.between(socket::local(&fd)?, group);
    for _ in 0..plan.rounds {
        receivers.iter_mut().try_for_each(|peer| peer.order(&[1, 0]))?;
        end.sent(socket::send_to(&fd, &[b'g'; 180], group).doing("sending to a group")?);
        receivers.iter_mut().try_for_each(Peer::done)?;
    }
    let extra = i64::try_from(end.sent).unwrap_or(0);
    let own = end.local;
    let mut report = datagrams::report(end, receivers)?;
    report.ends.iter_mut().skip(1).for_each(|receiver| receiver.remote = own);
    report.extra = extra;
    Ok(report)
}

fn receiver(plan: &Plan, port: u16) -> Result<Peer> {
    let (bind, join) = (SocketAddr::new(GROUP.into(), port).to_string(), plan.bind4.to_string());
    let args = ["--medium", "udp", "--bind", &bind, "--receiving", "from", "--join", &join];
    plan.start("datagram", &args)
}
