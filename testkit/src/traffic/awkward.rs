//! What a program may do to a socket to make it hard to watch.

use super::Plan;
use super::V4;
use super::datagrams;
use super::streams;
use crate::Doing;
use crate::Report;
use crate::Result;
use crate::peer::stream;
use crate::peer::stream::Reading;
use crate::sys::memory;
use crate::sys::socket;

/// Its option memory is used up before it moves anything; two peers.
pub(super) fn datagrams_without_room(plan: &Plan) -> Result<Report> {
    datagrams::many_servers(plan, 2, |fd| memory::use_up(fd).doing("using up option memory"))
}

/// The same for a connection, which is then read by splice.
pub(super) fn stream_without_room(plan: &Plan) -> Result<Report> {
    let mut peer = streams::peer(plan, V4, "plain")?;
    let fd = stream::connected(peer.address)?;
    memory::use_up(&fd).doing("using up option memory")?;
    let mut end = stream::end("client", &fd)?;
    for reading in [Reading::Splice, Reading::Plain, Reading::Splice] {
        peer.order(&[plan.back(), plan.bytes])?;
        stream::send_all(&fd, &mut end, plan.back(), plan.chunk)?;
        stream::recv_all(&fd, &mut end, plan.bytes, reading)?;
        peer.done()?;
    }
    let mut ends = vec![end];
    ends.extend(peer.finish()?);
    Ok(Report::new("", ends))
}

/// One socket, disconnected and connected again to another peer, read by splice both times.
pub(super) fn reconnect(plan: &Plan) -> Result<Report> {
    let mut ends = Vec::new();
    let mut first = streams::peer(plan, V4, "plain")?;
    let fd = stream::connected(first.address)?;
    let mut second = streams::peer(plan, V4, "plain")?;
    for (peer, bytes) in [(&mut first, plan.bytes), (&mut second, plan.back())] {
        if !ends.is_empty() {
            socket::disconnect(&fd).doing("disconnecting")?;
            socket::connect(&fd, peer.address).doing("connecting again")?;
        }
        let mut end = stream::end("client", &fd)?;
        peer.order(&[bytes / 2, bytes])?;
        stream::send_all(&fd, &mut end, bytes / 2, plan.chunk)?;
        stream::recv_all(&fd, &mut end, bytes, Reading::Splice)?;
        peer.done()?;
        ends.push(end);
    }
    drop(fd);
    ends.extend(first.finish()?);
    ends.extend(second.finish()?);
    Ok(Report::new("", ends))
}
