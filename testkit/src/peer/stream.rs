//! TCP peers, and sending and receiving of exact amounts.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::process::Stdio;

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
use crate::sys::tls;
use crate::sys::zerocopy::Window;

/// How a peer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Reading {
    /// `recv(2)`.
    Plain,
    /// `recv(2)` with MSG_PEEK first, then for good.
    Peek,
    /// `splice(2)` into a pipe.
    Splice,
    /// `recv(2)` with MSG_TRUNC: what comes is thrown away unseen.
    Discard,
    /// Pages mapped by TCP_ZEROCOPY_RECEIVE as far as they are whole.
    Mapped,
    /// `recv(2)`, but the last byte is urgent and taken by MSG_OOB.
    Urgent,
    /// `recv(2)` until the other end says that no more will come.
    ToEnd,
}

/// What a connection is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Dress {
    /// TCP.
    Tcp,
    /// Multipath TCP.
    Mptcp,
    /// SCTP with one socket for each association.
    Sctp,
    /// TCP under TLS by the kernel.
    Tls,
}

impl Dress {
    /// A socket of this kind for addresses like `address`.
    ///
    /// # Errors
    /// If the kernel has none.
    fn open(self, address: SocketAddr) -> Result<OwnedFd> {
        let domain = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let kind = libc::SOCK_STREAM;
        match self {
            Self::Tcp | Self::Tls => socket::open(domain, kind, 0).doing("opening a TCP socket"),
            Self::Mptcp => socket::open(domain, kind, libc::IPPROTO_MPTCP).supported("MPTCP"),
            Self::Sctp => open_sctp(domain, kind),
        }
    }

    /// What the kernel calls it.
    fn protocol(self) -> i32 {
        match self {
            Self::Tcp | Self::Tls => libc::IPPROTO_TCP,
            Self::Mptcp => libc::IPPROTO_MPTCP,
            Self::Sctp => libc::IPPROTO_SCTP,
        }
    }

    /// A connected socket.
    ///
    /// # Errors
    /// If nobody listens there.
    pub fn connected(self, address: SocketAddr) -> Result<OwnedFd> {
        let fd = self.open(address)?;
        socket::connect(&fd, address).doing("connecting")?;
        if self == Self::Tls {
            enable_tls(&fd)?;
        }
        Ok(fd)
    }

    /// A listening socket.
    ///
    /// # Errors
    /// If the address cannot be had.
    fn listener(self, address: SocketAddr) -> Result<OwnedFd> {
        let fd = self.open(address)?;
        socket::set_option(&fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1).doing("SO_REUSEADDR")?;
        socket::bind(&fd, address).doing("binding a socket")?;
        socket::listen(&fd).doing("listening")?;
        Ok(fd)
    }

    /// An empty count for a connected socket.
    ///
    /// # Errors
    /// If it is not connected.
    pub fn end(self, role: &str, fd: &impl AsFd) -> Result<End> {
        let (local, remote) = (socket::local(fd)?, socket::remote(fd)?);
        let v4 = local.ip().to_canonical().is_ipv4();
        let family = if v4 { libc::AF_INET } else { libc::AF_INET6 };
        Ok(End::here(role, family, self.protocol()).between(local, remote))
    }
}

/// Room for all that a scenario sends: SCTP promises more than its buffer takes and drops the rest,
/// on slow machines a fiftieth of all packets, which neither end counts.
const SCTP_ROOM: i32 = 4 << 20;

/// An SCTP socket; the kernel's module is loaded if it has to be and can be.
pub(super) fn open_sctp(domain: i32, kind: i32) -> Result<OwnedFd> {
    let open = || socket::open(domain, kind, libc::IPPROTO_SCTP);
    let fd = open().or_else(|_absent| with_module("sctp", open)).supported("SCTP")?;
    socket::set_option(&fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, SCTP_ROOM)
        .doing("SO_RCVBUF")?;
    Ok(fd)
}

/// Puts a connection under TLS by the kernel, whose module is loaded likewise.
///
/// # Errors
/// If the kernel has none.
pub fn enable_tls(fd: &OwnedFd) -> Result<()> {
    let attach = || tls::attach(fd);
    attach().or_else(|_absent| with_module("tls", attach)).supported("TLS by the kernel")?;
    tls::set_keys(fd).supported("AES-GCM for TLS by the kernel")
}

/// Tries to load a module of the kernel, then `again`, which tells whatever stood in the way.
fn with_module<T>(name: &str, again: impl Fn() -> std::io::Result<T>) -> std::io::Result<T> {
    drop(Command::new("modprobe").args(["-q", name]).stderr(Stdio::null()).status());
    again()
}

/// A listening TCP socket.
///
/// # Errors
/// If the address cannot be had.
pub fn listener(address: SocketAddr) -> Result<OwnedFd> {
    Dress::Tcp.listener(address)
}

/// A connected TCP socket.
///
/// # Errors
/// If nobody listens there.
pub fn connected(address: SocketAddr) -> Result<OwnedFd> {
    Dress::Tcp.connected(address)
}

/// An empty count for a connected TCP socket.
///
/// # Errors
/// If it is not connected.
pub fn end(role: &str, fd: &impl AsFd) -> Result<End> {
    Dress::Tcp.end(role, fd)
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
    match reading {
        Reading::Mapped => return recv_mapped(fd, end, bytes),
        Reading::Urgent => {
            recv_all(fd, end, bytes.saturating_sub(1), Reading::Plain)?;
            socket::wait_for(fd, libc::POLLPRI).doing("waiting for an urgent byte")?;
            end.received(socket::recv(fd, &mut [0; 1], libc::MSG_OOB).doing("MSG_OOB")?);
            return Ok(());
        }
        Reading::ToEnd => {
            recv_all(fd, end, bytes, Reading::Plain)?;
            let more = socket::recv(fd, &mut [0; 1], 0).doing("receiving the end")?;
            let expected = if more == 0 { Ok(()) } else { Err("more came than was ordered") };
            return expected.map_err(|why| Error::Unexpected(why.to_owned()));
        }
        Reading::Plain | Reading::Peek | Reading::Splice | Reading::Discard => {}
    }
    let flags = if reading == Reading::Discard { libc::MSG_TRUNC } else { 0 };
    let mut room = vec![0; 65_536];
    let pipe = if reading == Reading::Splice { Some(process::pipe()?) } else { None };
    let mut left = bytes;
    while left > 0 {
        let room = room.get_mut(..step(left, 65_536)).unwrap_or_default();
        if reading == Reading::Peek {
            socket::recv(fd, room, libc::MSG_PEEK).doing("peeking")?;
        }
        let got = match &pipe {
            None => socket::recv(fd, room, flags).doing("receiving")?,
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

/// Maps whole pages and copies what is between them.
fn recv_mapped(fd: &impl AsFd, end: &mut End, bytes: u64) -> Result<()> {
    const WINDOW: usize = 1 << 18;
    let window = Window::new(fd, WINDOW).supported("mapping a TCP socket")?;
    let (mut left, mut mapped) = (bytes, 0);
    while left > 0 {
        socket::wait_for(fd, libc::POLLIN).doing("waiting for data")?;
        let taken = window.receive(fd, step(left, WINDOW)).supported("TCP_ZEROCOPY_RECEIVE")?;
        let (pages, copy) = taken;
        if pages > 0 {
            end.received(pages);
            left -= pages as u64;
            mapped += pages;
        }
        let copy = step(left, copy);
        if copy > 0 {
            recv_all(fd, end, copy as u64, Reading::Plain)?;
            left -= copy as u64;
        }
    }
    if mapped == 0 && bytes > WINDOW as u64 {
        return Err(Error::Unexpected("not one page could be mapped".to_owned()));
    }
    Ok(())
}

/// `peer stream`: accepts one connection; order `UP DOWN` receives and then sends that much.
///
/// # Errors
/// If the traffic does not come as ordered.
pub fn serve(bind: SocketAddr, dress: Dress, reading: Reading, chunk: usize) -> Result<()> {
    let listener = dress.listener(bind)?;
    hello(socket::local(&listener)?)?;
    let mut connection: Option<(OwnedFd, End)> = None;
    obey(|order| {
        let &[up, down] = order else {
            return Err(Error::Unexpected("wanted: UP DOWN".to_owned()));
        };
        if connection.is_none() {
            let fd = socket::accept(&listener).doing("accepting")?;
            if dress == Dress::Tls {
                enable_tls(&fd)?;
            }
            let end = dress.end("server", &fd)?;
            connection = Some((fd, end));
        }
        if let Some((fd, end)) = &mut connection {
            recv_all(fd, end, up, reading)?;
            send_all(fd, end, down, chunk)?;
            if reading == Reading::ToEnd {
                socket::finish_sending(fd).doing("ending one direction")?;
            }
        }
        Ok(())
    })?;
    emit(&connection.into_iter().map(|(_fd, end)| end).collect::<Vec<_>>())
}
