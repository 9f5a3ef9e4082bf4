//! Ways to hand datagrams to the kernel and to get them back.

use super::Plan;
use super::V4;
use super::datagrams;
use super::icmp;
use crate::Doing;
use crate::End;
use crate::Report;
use crate::Result;
use crate::peer::datagram;
use crate::peer::datagram::Medium;
use crate::peer::datagram::SHORT;
use crate::sys::socket;
use crate::sys::vectored;

/// `UDP_SEGMENT`, and the size of segments here.
const UDP_SEGMENT: i32 = 103;
const SEGMENT: u16 = 1000;
/// What is given to the kernel at once, and the datagrams that come of it.
const TRAIN: usize = 9_500;
const CARS: u64 = 10;

/// UDP-Lite, both ways.
pub(super) fn lite(plan: &Plan) -> Result<Report> {
    let (fd, end) = datagram::open(Medium::UdpLite, "client", plan.here(V4)?)?;
    let mut peer = datagrams::peer(plan, "udp-lite", V4, "from")?;
    socket::connect(&fd, peer.address).doing("connecting UDP-Lite")?;
    let mut end = end.between(socket::local(&fd)?, peer.address);
    peer.order(&[plan.rounds, 345])?;
    for _ in 0..plan.rounds {
        end.sent(socket::send(&fd, &[b'l'; 210], 0).doing("sending a datagram")?);
        end.received(socket::recv(&fd, &mut [0; 2048], 0).doing("receiving a datagram")?);
    }
    peer.done()?;
    datagrams::report(end, [peer])
}

/// The kernel cuts at the sender and puts together at the receiver.
pub(super) fn merged(plan: &Plan) -> Result<Report> {
    let mut peer = datagrams::peer(plan, "udp", V4, "merged")?;
    let (fd, mut end) = datagrams::client(plan, &peer, V4)?;
    socket::set_option(&fd, libc::SOL_UDP, UDP_SEGMENT, SEGMENT.into()).supported("UDP_SEGMENT")?;
    for _ in 0..plan.rounds {
        peer.order(&[TRAIN as u64, 0])?;
        end.sent(socket::send(&fd, &[b'g'; TRAIN], 0).doing("sending segments")?);
        peer.done()?;
    }
    datagrams::report(end, [peer])
}

/// The size of segments comes with each call, and fragments are not allowed: as QUIC's libraries do.
pub(super) fn segments_by_call(plan: &Plan) -> Result<Report> {
    let mut peer = datagrams::peer(plan, "udp", V4, "plain")?;
    let (fd, mut end) = datagrams::client(plan, &peer, V4)?;
    let discover = (libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE);
    socket::set_option(&fd, libc::SOL_IP, discover.0, discover.1).doing("refusing fragments")?;
    let (kind, size) = ([libc::SOL_UDP, UDP_SEGMENT], SEGMENT.to_ne_bytes());
    for _ in 0..plan.rounds {
        peer.order(&[CARS, 0])?;
        let sent = vectored::send_control(&fd, &[b'c'; TRAIN], kind, &size);
        end.sent(sent.supported("UDP_SEGMENT")?);
        peer.done()?;
    }
    datagrams::report(end, [peer])
}

/// Three calls make one datagram.
pub(super) fn corked(plan: &Plan) -> Result<Report> {
    let mut peer = datagrams::peer(plan, "udp", V4, "plain")?;
    let (fd, mut end) = datagrams::client(plan, &peer, V4)?;
    for _ in 0..plan.rounds {
        peer.order(&[1, 0])?;
        for (size, flags) in [(100, libc::MSG_MORE), (57, libc::MSG_MORE), (43, 0)] {
            end.sent(socket::send(&fd, &vec![b'm'; size], flags).doing("sending a part")?);
        }
        peer.done()?;
    }
    datagrams::report(end, [peer])
}

/// Datagrams of several packets each. Loopback has to be made as narrow as a network for that,
/// in a namespace of its own.
pub(super) fn fragmented(plan: &Plan) -> Result<Report> {
    if !plan.is_routed() {
        icmp::quiet_network("1500")?;
    }
    let mut peer = datagrams::peer(plan, "udp", V4, "from")?;
    let (fd, mut end) = datagrams::client(plan, &peer, V4)?;
    peer.order(&[plan.rounds, 7_000])?;
    for _ in 0..plan.rounds {
        end.sent(socket::send(&fd, &[b'f'; 8_000], 0).doing("sending a datagram")?);
        end.received(socket::recv(&fd, &mut [0; 9_000], 0).doing("receiving a datagram")?);
    }
    peer.done()?;
    datagrams::report(end, [peer])
}

/// The receiver has room for a third of each datagram, but is told its length: `copied_bytes`
/// says what it got of what its calls returned.
pub(super) fn truncated(plan: &Plan) -> Result<Report> {
    let mut peer = datagrams::peer(plan, "udp", V4, "short")?;
    let (fd, mut end) = datagrams::client(plan, &peer, V4)?;
    for _ in 0..plan.rounds {
        peer.order(&[1, 0])?;
        end.sent(socket::send(&fd, &[b't'; SHORT * 3], 0).doing("sending a datagram")?);
        peer.done()?;
    }
    let mut report = datagrams::report(end, [peer])?;
    let copied = report.ends.iter().skip(1).map(|end: &End| end.recv_calls * SHORT as u64);
    report.figures.insert("copied_bytes".to_owned(), copied.sum::<u64>() as f64);
    Ok(report)
}
