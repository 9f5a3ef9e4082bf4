//! TCP in its many dresses.

use std::io::Read;
use std::io::Seek;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::thread;

use super::Plan;
use super::V4;
use super::Where;
use crate::Doing;
use crate::End;
use crate::Error;
use crate::Report;
use crate::Result;
use crate::peer::Peer;
use crate::peer::stream;
use crate::peer::stream::Reading;
use crate::sys::process;
use crate::sys::socket;
use crate::sys::vectored;

/// Starts a stream peer.
pub(super) fn peer(plan: &Plan, place: Where, reading: &str) -> Result<Peer> {
    let (chunk, bind) = (plan.chunk.to_string(), plan.listen(place).to_string());
    plan.start("stream", &["--bind", &bind, "--reading", reading, "--chunk", &chunk])
}

/// Starts a peer, connects, orders `up` and `down`, lets `client` move them; both ends.
pub(super) fn exchange(
    plan: &Plan,
    place: Where,
    reading: &str,
    client: impl FnOnce(&OwnedFd, &mut End) -> Result<()>,
) -> Result<Report> {
    let mut peer = peer(plan, place, reading)?;
    let fd = stream::connected(place.target(peer.address))?;
    let mut end = stream::end("client", &fd)?;
    peer.order(&[plan.bytes, plan.back()])?;
    client(&fd, &mut end)?;
    peer.done()?;
    let mut ends = vec![end];
    ends.extend(peer.finish()?);
    Ok(Report::new("", ends))
}

/// `send` and `recv`, both ways.
pub(super) fn plain(plan: &Plan, place: Where) -> Result<Report> {
    exchange(plan, place, "plain", |fd, end| both_ways(plan, fd, end))
}

pub(super) fn both_ways(plan: &Plan, fd: &OwnedFd, end: &mut End) -> Result<()> {
    stream::send_all(fd, end, plan.bytes, plan.chunk)?;
    stream::recv_all(fd, end, plan.back(), Reading::Plain)
}

/// The peer looks before it reads.
pub(super) fn peek(plan: &Plan) -> Result<Report> {
    exchange(plan, V4, "peek", |fd, end| both_ways(plan, fd, end))
}

/// The peer splices from the socket.
pub(super) fn splice_recv(plan: &Plan) -> Result<Report> {
    exchange(plan, V4, "splice", |fd, end| both_ways(plan, fd, end))
}

/// A file to a socket.
pub(super) fn sendfile(plan: &Plan) -> Result<Report> {
    exchange(plan, V4, "plain", |fd, end| {
        let file = file_of(plan.bytes)?;
        let mut left = plan.bytes;
        while left > 0 {
            let max = stream::step(left, plan.chunk);
            let sent = socket::sendfile(fd, &file, max).doing("sendfile")?;
            end.sent(sent);
            left -= sent as u64;
        }
        stream::recv_all(fd, end, plan.back(), Reading::Plain)
    })
}

/// A file to a pipe to a socket.
pub(super) fn splice_send(plan: &Plan) -> Result<Report> {
    exchange(plan, V4, "plain", |fd, end| {
        let file = file_of(plan.bytes)?;
        let (reader, writer) = process::pipe()?;
        let mut left = plan.bytes;
        while left > 0 {
            let max = stream::step(left, 65_536);
            let mut piped = socket::splice(&file, &writer, max).doing("splice from a file")?;
            left -= piped as u64;
            while piped > 0 {
                let sent = socket::splice(&reader, fd, piped).doing("splice to a socket")?;
                end.sent(sent);
                piped -= sent;
            }
        }
        stream::recv_all(fd, end, plan.back(), Reading::Plain)
    })
}

fn file_of(bytes: u64) -> Result<std::fs::File> {
    let mut file = process::memory_file().doing("making a file in memory")?;
    std::io::copy(&mut std::io::repeat(b'f').take(bytes), &mut file).doing("filling a file")?;
    file.flush().doing("filling a file")?;
    file.rewind().doing("rewinding a file")?;
    Ok(file)
}

/// Sends without copying and reads the completions from the error queue.
pub(super) fn zerocopy(plan: &Plan) -> Result<Report> {
    exchange(plan, V4, "plain", |fd, end| {
        send_without_copying(fd, end, plan.bytes, plan.chunk)?;
        stream::recv_all(fd, end, plan.back(), Reading::Plain)?;
        completions(fd)
    })
}

/// Sends exactly `bytes` without copying them; completions may be left to read.
pub(super) fn send_without_copying(
    fd: &OwnedFd,
    end: &mut End,
    bytes: u64,
    chunk: usize,
) -> Result<()> {
    socket::set_option(fd, libc::SOL_SOCKET, libc::SO_ZEROCOPY, 1).doing("SO_ZEROCOPY")?;
    let data = vec![b'0'; chunk];
    let mut left = bytes;
    while left > 0 {
        let part = data.get(..stream::step(left, data.len())).unwrap_or_default();
        match socket::send(fd, part, libc::MSG_ZEROCOPY) {
            Ok(sent) => {
                end.sent(sent);
                left -= sent as u64;
            }
            // Too many completions wait to be read.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => completions(fd)?,
            Err(error) => return Err(error).doing("sending without copying"),
        }
    }
    Ok(())
}

/// Empties the error queue.
pub(super) fn completions(fd: &impl AsFd) -> Result<()> {
    let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
    loop {
        match vectored::recv_control(fd, &mut [0; 64], flags) {
            Ok(_size) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error).doing("reading the error queue"),
        }
    }
}

/// Four threads send at once, then receive at once.
pub(super) fn threads(plan: &Plan) -> Result<Report> {
    const THREADS: u64 = 4;
    exchange(plan, V4, "plain", |fd, end| {
        let shares = |total: u64| {
            (0..THREADS).map(move |n| total / THREADS + u64::from(n < total % THREADS))
        };
        share(fd, end, shares(plan.bytes), |fd, end, bytes| {
            stream::send_all(fd, end, bytes, plan.chunk)
        })?;
        share(fd, end, shares(plan.back()), |fd, end, bytes| {
            stream::recv_all(fd, end, bytes, Reading::Plain)
        })
    })
}

/// Runs `work` in one thread per share and adds up what they counted.
fn share(
    fd: &OwnedFd,
    end: &mut End,
    shares: impl Iterator<Item = u64>,
    work: impl Fn(&OwnedFd, &mut End, u64) -> Result<()> + Sync,
) -> Result<()> {
    let counts: Vec<Result<End>> = thread::scope(|scope| {
        let running: Vec<_> = shares
            .map(|bytes| {
                let work = &work;
                scope.spawn(move || {
                    let mut own = End::default();
                    work(fd, &mut own, bytes)?;
                    Ok(own)
                })
            })
            .collect();
        let ended = |handle: thread::ScopedJoinHandle<'_, Result<End>>| {
            handle.join().unwrap_or_else(|_panic| {
                Err(Error::Unexpected("a thread of the generator panicked".to_owned()))
            })
        };
        running.into_iter().map(ended).collect()
    });
    for count in counts {
        end.absorb(&count?);
    }
    Ok(())
}
