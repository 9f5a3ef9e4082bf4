//! Link-layer frames with their headers.

use super::Plan;
use super::V4;
use super::datagrams;
use crate::Doing;
use crate::End;
use crate::Error;
use crate::Report;
use crate::Result;
use crate::peer::datagram;
use crate::peer::datagram::ETHERTYPE;
use crate::sys::ring::Ring;
use crate::sys::socket;

/// Frames a call.
const TRAIN: u64 = 5;

/// A frame to everybody.
pub(super) fn frame(payload: usize) -> Vec<u8> {
    let header = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 1], &ETHERTYPE.to_be_bytes()].concat();
    [header, vec![b'r'; payload]].concat()
}

/// `sendto(2)` and `recvfrom(2)` of whole frames.
pub(super) fn whole(plan: &Plan) -> Result<Report> {
    let mut peer = datagrams::peer(plan, "frames", V4, "from")?;
    let fd = socket::open(libc::AF_PACKET, libc::SOCK_RAW, 0).doing("opening AF_PACKET")?;
    let everybody = datagram::frames_at(plan.here(V4)?)?;
    let mut end = End::here("client", libc::AF_PACKET, 0);
    for _ in 0..plan.rounds {
        peer.order(&[1, 0])?;
        let sent = socket::send_to(&fd, &frame(165), everybody);
        end.sent(sent.doing("sending a frame")?);
        peer.done()?;
    }
    datagrams::report(end, [peer])
}

/// `PACKET_TX_RING`: a call sends what lies in the ring.
pub(super) fn ring(plan: &Plan) -> Result<Report> {
    let mut peer = datagrams::peer(plan, "frames", V4, "plain")?;
    let fd = socket::open(libc::AF_PACKET, libc::SOCK_RAW, 0).doing("opening AF_PACKET")?;
    let here = datagram::frames_at(plan.here(V4)?)?;
    let mut ring = Ring::new(&fd).supported("PACKET_TX_RING")?;
    socket::bind(&fd, here).doing("binding AF_PACKET")?;
    let mut end = End::here("client", libc::AF_PACKET, 0);
    for _ in 0..plan.rounds {
        peer.order(&[TRAIN, 0])?;
        for number in 0..TRAIN {
            let size = 100 + usize::try_from(number).unwrap_or(0);
            if !ring.queue(&frame(size)).doing("queueing a frame")? {
                return Err(Error::Unexpected("the ring is full".to_owned()));
            }
        }
        end.sent(ring.send().doing("sending a ring")?);
        peer.done()?;
    }
    datagrams::report(end, [peer])
}
