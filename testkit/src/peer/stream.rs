//! TCP peers, and sending and receiving of exact amounts.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;

use clap::ValueEnum;

use super::hello;
use super::obey;
use crate::Doing;
use crate::End;
use crate::Error;
use crate::Result;
use crate::emit;
use crate::sys::process;
use crate::sys::socket;

/// How a peer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Reading {
    /// `recv(2)`.
    Plain,
    /// `recv(2)` with MSG_PEEK first, then for good.
    Peek,
    /// `splice(2)` into a pipe.
    Splice,
}

/// A listening TCP socket.
///
/// # Errors
/// If the address cannot be had.
pub fn listener(address: SocketAddr) -> Result<OwnedFd> {
    let domain = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let fd = socket::open(domain, libc::SOCK_STREAM, 0).doing("opening a TCP socket")?;
    socket::set_option(&fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1).doing("SO_REUSEADDR")?;
    socket::bind(&fd, address).doing("binding a TCP socket")?;
    socket::listen(&fd).doing("listening")?;
    Ok(fd)
}

/// A connected TCP socket.
///
/// # Errors
/// If nobody listens there.
pub fn connected(address: SocketAddr) -> Result<OwnedFd> {
    let domain = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let fd = socket::open(domain, libc::SOCK_STREAM, 0).doing("opening a TCP socket")?;
    socket::connect(&fd, address).doing("connecting")?;
    Ok(fd)
}

/// An empty count for a connected TCP socket.
///
/// # Errors
/// If it is not connected.
pub fn end(role: &str, fd: &impl AsFd) -> Result<End> {
    let (local, remote) = (socket::local(fd)?, socket::remote(fd)?);
    let v4 = local.ip().to_canonical().is_ipv4();
    let family = if v4 { libc::AF_INET } else { libc::AF_INET6 };
    Ok(End::here(role, family, libc::IPPROTO_TCP).between(local, remote))
}

/// Sends exactly `bytes`, at most `chunk` a call.
///
/// # Errors
/// If the connection breaks.
pub fn send_all(fd: &impl AsFd, end: &mut End, bytes: u64, chunk: usize) -> Result<()> {
    let data = vec![b'x'; chunk.max(1)];
    let mut left = bytes;
    while left > 0 {
        let part = data.get(..step(left, data.len())).unwrap_or_default();
        let sent = socket::send(fd, part, 0).doing("sending")?;
        end.sent(sent);
        left -= sent as u64;
    }
    Ok(())
}

/// The smaller of what is left and what fits.
#[must_use]
pub fn step(left: u64, room: usize) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(room)
}

/// Receives exactly `bytes`.
///
/// # Errors
/// If the connection ends before.
pub fn recv_all(fd: &impl AsFd, end: &mut End, bytes: u64, reading: Reading) -> Result<()> {
    let mut room = vec![0; 65_536];
    let pipe = if reading == Reading::Splice { Some(process::pipe()?) } else { None };
    let mut left = bytes;
    while left > 0 {
        let room = room.get_mut(..step(left, 65_536)).unwrap_or_default();
        if reading == Reading::Peek {
            socket::recv(fd, room, libc::MSG_PEEK).doing("peeking")?;
        }
        let got = match &pipe {
            None => socket::recv(fd, room, 0).doing("receiving")?,
            Some((_reader, writer)) => socket::splice(fd, writer, room.len()).doing("splicing")?,
        };
        if got == 0 {
            return Err(Error::Unexpected(format!("connection ended with {left} bytes to come")));
        }
        if let Some((mut reader, _writer)) = pipe.as_ref().map(|(r, w)| (r, w)) {
            let emptied = room.get_mut(..got).unwrap_or_default();
            std::io::Read::read_exact(&mut reader, emptied).doing("emptying the pipe")?;
        }
        end.received(got);
        left -= got as u64;
    }
    Ok(())
}

/// `peer stream`: accepts one connection; order `UP DOWN` receives and then sends that much.
///
/// # Errors
/// If the traffic does not come as ordered.
pub fn serve(bind: SocketAddr, reading: Reading, chunk: usize) -> Result<()> {
    let listener = listener(bind)?;
    hello(socket::local(&listener)?)?;
    let mut connection: Option<(OwnedFd, End)> = None;
    obey(|order| {
        let &[up, down] = order else {
            return Err(Error::Unexpected("wanted: UP DOWN".to_owned()));
        };
        if connection.is_none() {
            let fd = socket::accept(&listener).doing("accepting")?;
            let end = end("server", &fd)?;
            connection = Some((fd, end));
        }
        if let Some((fd, end)) = &mut connection {
            recv_all(fd, end, up, reading)?;
            send_all(fd, end, down, chunk)?;
        }
        Ok(())
    })?;
    emit(&connection.into_iter().map(|(_fd, end)| end).collect::<Vec<_>>())
}

/// `peer sink`: order `N REPLY` accepts N connections, one after the other, answers the first
/// bytes of each with REPLY bytes (if not 0) and reads it to its end.
///
/// # Errors
/// If a connection breaks.
pub fn serve_many(bind: SocketAddr) -> Result<()> {
    let listener = listener(bind)?;
    let address = socket::local(&listener)?;
    hello(address)?;
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let mut total = End::here("server", family, libc::IPPROTO_TCP);
    total.local = Some(address);
    let mut room = vec![0; 65_536];
    obey(|order| {
        let &[count, reply] = order else {
            return Err(Error::Unexpected("wanted: N REPLY".to_owned()));
        };
        for _ in 0..count {
            let fd = socket::accept(&listener).doing("accepting")?;
            let mut answered = reply == 0;
            loop {
                let got = socket::recv(&fd, &mut room, 0).doing("receiving")?;
                if got == 0 {
                    break;
                }
                total.received(got);
                if !answered {
                    answered = true;
                    send_all(&fd, &mut total, reply, 65_536)?;
                }
            }
        }
        Ok(())
    })?;
    emit(&[total])
}
