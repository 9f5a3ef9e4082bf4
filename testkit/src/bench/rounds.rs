//! The loops. Both ends are in one thread: no scheduling noise, all of the cost in one place.

use std::os::fd::OwnedFd;
use std::process::Command;

use super::Stopwatch;
use crate::Doing;
use crate::End;
use crate::Error;
use crate::Report;
use crate::Result;
use crate::peer::datagram;
use crate::peer::datagram::Medium;
use crate::peer::stream;
use crate::sys::address::RawAddr;
use crate::sys::socket;

fn any() -> std::net::SocketAddr {
    std::net::SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A datagram of `size` bytes there and back, `rounds` times, over two UDP sockets, connected
/// unless each call is to name its peer.
///
/// # Errors
/// If a datagram gets lost.
pub fn udp_ping_pong(rounds: u64, size: usize, unconnected: bool) -> Result<Report> {
    let (left, end) = datagram::open(Medium::Udp, "both", any())?;
    let (right, _count) = datagram::open(Medium::Udp, "both", any())?;
    let (to_left, to_right) = (socket::local(&left)?, socket::local(&right)?);
    if unconnected {
        let ways = [(&left, &right, Some(to_right.into())), (&right, &left, Some(to_left.into()))];
        return ping_pong("udp-pingpong", ways, end, rounds, size);
    }
    socket::connect(&left, to_right).doing("connecting")?;
    socket::connect(&right, to_left).doing("connecting")?;
    ping_pong("udp-pingpong", [(&left, &right, None), (&right, &left, None)], end, rounds, size)
}

/// A message of `size` bytes (at least one) there and back, `rounds` times, over one TCP
/// connection.
///
/// # Errors
/// If the connection breaks.
pub fn tcp_ping_pong(rounds: u64, size: usize) -> Result<Report> {
    let listener = stream::listener(any())?;
    let left = stream::connected(socket::local(&listener)?)?;
    let right = socket::accept(&listener).doing("accepting")?;
    for fd in [&left, &right] {
        socket::set_option(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1).doing("TCP_NODELAY")?;
    }
    let (ways, end) = ([(&left, &right, None), (&right, &left, None)], stream::end("both", &left)?);
    ping_pong("tcp-pingpong", ways, end, rounds, size.max(1))
}

/// From where to where, and the address that each call names, if any.
type Way<'a> = (&'a OwnedFd, &'a OwnedFd, Option<RawAddr>);

fn ping_pong(
    kind: &str,
    ways: [Way<'_>; 2],
    mut end: End,
    rounds: u64,
    size: usize,
) -> Result<Report> {
    let (data, mut room) = (vec![b'p'; size], vec![0; size.max(1)]);
    let watch = Stopwatch::start()?;
    for _ in 0..rounds {
        for (from, to, address) in ways {
            let sent = match address {
                None => socket::send(from, &data, 0),
                Some(address) => socket::send_to(from, &data, address),
            };
            end.sent(sent.doing("sending")?);
            let got = match address {
                None => socket::recv(to, &mut room, 0),
                Some(_) => socket::recv_from(to, &mut room, 0).map(|(size, _from)| size),
            };
            end.received(got.doing("receiving")?);
        }
    }
    if end.sent != end.recv {
        return Err(broken());
    }
    watch.report(kind, rounds, end)
}

/// `bytes` bytes over one TCP connection in writes of `chunk`, each read before the next.
///
/// # Errors
/// If the connection breaks.
pub fn tcp_bulk(bytes: u64, chunk: usize) -> Result<Report> {
    let listener = stream::listener(any())?;
    let from = stream::connected(socket::local(&listener)?)?;
    let to = socket::accept(&listener).doing("accepting")?;
    // Room for a whole write, so that one thread can play both parts.
    let size = i32::try_from(chunk.saturating_mul(4)).unwrap_or(i32::MAX);
    socket::set_option(&from, libc::SOL_SOCKET, libc::SO_SNDBUF, size).doing("SO_SNDBUF")?;
    let mut end = stream::end("both", &from)?;
    let (data, mut room) = (vec![b't'; chunk.max(1)], vec![0; chunk.max(1)]);
    let watch = Stopwatch::start()?;
    let (mut left, mut rounds) = (bytes, 0);
    while left > 0 {
        let part = data.get(..stream::step(left, data.len())).unwrap_or_default();
        let sent = socket::send(&from, part, 0).doing("sending")?;
        end.sent(sent);
        let mut open = sent;
        while open > 0 {
            let got = socket::recv(&to, &mut room, 0).doing("receiving")?;
            end.received(got);
            open = open.checked_sub(got).filter(|_| got > 0).ok_or_else(broken)?;
        }
        left -= sent as u64;
        rounds += 1;
    }
    watch.report("tcp-bulk", rounds, end)
}

fn broken() -> Error {
    Error::Unexpected("the connection delivered something else than was sent".to_owned())
}

/// `rounds` connections, each: connect, accept, one byte there and one back, close.
///
/// # Errors
/// If a connection fails.
pub fn connect_close(rounds: u64) -> Result<Report> {
    let listener = stream::listener(any())?;
    let address = socket::local(&listener)?;
    let mut end = End::here("both", libc::AF_INET, libc::IPPROTO_TCP);
    let watch = Stopwatch::start()?;
    for _ in 0..rounds {
        let client = stream::connected(address)?;
        let server = socket::accept(&listener).doing("accepting")?;
        for (from, to) in [(&client, &server), (&server, &client)] {
            stream::send_all(from, &mut end, 1, 1)?;
            end.received(socket::recv(to, &mut [0; 1], 0).doing("receiving")?);
        }
        // The server closes last, so the client's port is the one that lingers; no linger at
        // all keeps long runs from using up the ports.
        let reset = libc::linger { l_onoff: 1, l_linger: 0 };
        socket::set_linger(&client, reset).doing("SO_LINGER")?;
        drop(client);
        drop(server);
    }
    watch.report("connect-close", rounds, end)
}

/// Starts the own program `rounds` times, one after the other, to do nothing.
///
/// # Errors
/// If it cannot be started.
pub fn exec_rate(rounds: u64) -> Result<Report> {
    let own = std::env::current_exe().doing("finding the own program")?;
    let end = End::here("starter", 0, 0);
    let watch = Stopwatch::start()?;
    for _ in 0..rounds {
        let status = Command::new(&own).arg("no-op").status().doing("starting a program")?;
        if !status.success() {
            return Err(Error::Unexpected(format!("no-op ended with {status}")));
        }
    }
    watch.report("exec-rate", rounds, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_there_comes_back() {
        let reports =
            [udp_ping_pong(3, 64, false), udp_ping_pong(3, 64, true), tcp_ping_pong(3, 64)];
        for report in reports.map(Result::unwrap) {
            let [end] = report.ends.as_slice() else { panic!("one process, one end") };
            assert_eq!((end.send_calls, end.recv_calls), (6, 6), "{}", report.kind);
            assert_eq!((end.sent, end.recv), (6 * 64, 6 * 64), "{}", report.kind);
        }
    }
}
