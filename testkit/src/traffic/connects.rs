//! Connections that carry nothing, or that never come to be.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::thread;

use super::Plan;
use super::V4;
use super::icmp;
use crate::Doing;
use crate::End;
use crate::Error;
use crate::Report;
use crate::Result;
use crate::netns;
use crate::peer::stream;
use crate::sys::socket;

/// Connects to a port where nobody listens.
pub(super) fn refused(plan: &Plan) -> Result<Report> {
    let peer = plan.start("closed", &["--bind", &plan.listen(V4).to_string()])?;
    let mut end = End::here("client", libc::AF_INET, libc::IPPROTO_TCP);
    end.remote = Some(peer.address);
    for _ in 0..plan.rounds {
        attempt(peer.address, ErrorKind::ConnectionRefused)?;
        end.refused += 1;
    }
    peer.finish()?;
    Ok(Report::new("", vec![end]))
}

/// Connects, is accepted, closes; so does the other end.
pub(super) fn unused(plan: &Plan) -> Result<Report> {
    let mut peer = plan.start("sink", &["--bind", &plan.listen(V4).to_string()])?;
    let mut end = End::here("client", libc::AF_INET, libc::IPPROTO_TCP);
    end.remote = Some(peer.address);
    for _ in 0..plan.rounds {
        peer.order(&[1, 0])?;
        drop(stream::connected(peer.address)?);
        end.connected += 1;
        peer.done()?;
    }
    let mut ends = peer.finish()?;
    ends.iter_mut().for_each(|server| server.accepted = plan.rounds);
    ends.push(end);
    Ok(Report::new("", ends))
}

/// Connects at once to some ports of an address that never answers: in a namespace of its own,
/// where loopback leads to it and, not being a router, drops what is not for this machine.
pub(super) fn timed_out(plan: &Plan) -> Result<Report> {
    icmp::quiet_network("65536")?;
    netns::ip(&["route", "add", "203.0.113.0/24", "dev", "lo"])?;
    let mut end = End::here("client", libc::AF_INET, libc::IPPROTO_TCP);
    let ports = 0..u16::try_from(plan.rounds.min(8)).unwrap_or(8);
    let outcomes: Vec<Result<()>> = thread::scope(|scope| {
        let try_port = |port| {
            let target = SocketAddr::from(([203, 0, 113, 7], 4000 + port));
            scope.spawn(move || attempt(target, ErrorKind::TimedOut))
        };
        let running: Vec<_> = ports.map(try_port).collect();
        let panicked = || Error::Unexpected("a thread of the generator panicked".to_owned());
        running
            .into_iter()
            .map(|handle| handle.join().unwrap_or_else(|_panic| Err(panicked())))
            .collect()
    });
    for outcome in outcomes {
        outcome?;
        end.timed_out += 1;
    }
    Ok(Report::new("", vec![end]))
}

/// A connection that has to fail in this way.
fn attempt(target: SocketAddr, wanted: ErrorKind) -> Result<()> {
    let fd = socket::open(libc::AF_INET, libc::SOCK_STREAM, 0).doing("opening a TCP socket")?;
    // One repetition: given up after three seconds.
    socket::set_option(&fd, libc::IPPROTO_TCP, libc::TCP_SYNCNT, 1).doing("TCP_SYNCNT")?;
    match socket::connect(&fd, target) {
        Err(error) if error.kind() == wanted => Ok(()),
        Err(error) => Err(error).doing("connecting in vain"),
        Ok(()) => Err(Error::Unexpected(format!("somebody listens at {target}"))),
    }
}
