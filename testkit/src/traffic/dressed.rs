//! What looks like TCP or UDP to a program and is another protocol.

use super::Plan;
use super::V4;
use super::datagrams;
use crate::Doing;
use crate::Report;
use crate::Result;
use crate::peer::datagram;
use crate::peer::datagram::Medium;
use crate::peer::stream;
use crate::peer::stream::Dress;
use crate::peer::stream::Reading;
use crate::sys::socket;

/// A stream both ways.
pub(super) fn stream(plan: &Plan, dress: Dress, name: &str) -> Result<Report> {
    if dress == Dress::Sctp {
        // What is missing is said before a peer is.
        drop(datagram::open(Medium::Sctp, "client", plan.here(V4)?)?);
    }
    if dress == Dress::Tls {
        tls_is_there(plan)?;
    }
    let (chunk, bind) = (plan.chunk.to_string(), plan.listen(V4).to_string());
    let mut peer = plan.start("stream", &["--bind", &bind, "--dress", name, "--chunk", &chunk])?;
    let fd = dress.connected(peer.address)?;
    let mut end = dress.end("client", &fd)?;
    peer.order(&[plan.bytes, plan.back()])?;
    stream::send_all(&fd, &mut end, plan.bytes, plan.chunk)?;
    stream::recv_all(&fd, &mut end, plan.back(), Reading::Plain)?;
    peer.done()?;
    let mut ends = vec![end];
    ends.extend(peer.finish()?);
    Ok(Report::new("", ends))
}

/// Tries TLS on a connection with ourselves.
fn tls_is_there(plan: &Plan) -> Result<()> {
    let listener = stream::listener(plan.here(V4)?)?;
    let fd = stream::connected(socket::local(&listener)?)?;
    stream::enable_tls(&fd)
}

/// SCTP messages, one socket for all associations.
pub(super) fn messages(plan: &Plan) -> Result<Report> {
    let (fd, end) = datagram::open(Medium::Sctp, "client", plan.here(V4)?)?;
    let mut peer = datagrams::peer(plan, "sctp", V4, "from")?;
    let mut end = end.between(socket::local(&fd)?, peer.address);
    peer.order(&[plan.rounds, 390])?;
    for _ in 0..plan.rounds {
        end.sent(socket::send_to(&fd, &[b's'; 260], peer.address).doing("sending a message")?);
        let (got, _from) = socket::recv_from(&fd, &mut [0; 2048], 0).doing("receiving")?;
        end.received(got);
    }
    peer.done()?;
    let own = end.local;
    let mut report = datagrams::report(end, [peer])?;
    report.ends.iter_mut().skip(1).for_each(|server| server.remote = own);
    Ok(report)
}
