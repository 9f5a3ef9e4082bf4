//! Sockets, plainly.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::address::RawAddr;
use super::checked;
use super::length;
use super::sized;

/// No call of a generator waits longer than this, so that lost traffic ends as an error.
const PATIENCE: Duration = Duration::from_secs(120);

/// A close-on-exec socket whose calls time out after two minutes.
///
/// # Errors
/// What `socket(2)` said.
pub fn open(domain: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: no pointers are passed.
    let fd = checked(unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC, protocol) })?;
    // SAFETY: the kernel has just given us this descriptor and nobody else owns it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    set_timeout(&fd, PATIENCE)?;
    Ok(fd)
}

/// Bounds the time that send, receive, connect and accept calls wait.
///
/// # Errors
/// What `setsockopt(2)` said.
pub fn set_timeout(fd: &impl AsFd, patience: Duration) -> io::Result<()> {
    let seconds = i64::try_from(patience.as_secs()).unwrap_or(i64::MAX);
    let time = libc::timeval { tv_sec: seconds, tv_usec: patience.subsec_micros().into() };
    let size = length(size_of::<libc::timeval>())?;
    for option in [libc::SO_RCVTIMEO, libc::SO_SNDTIMEO] {
        let raw = fd.as_fd().as_raw_fd();
        let value = (&raw const time).cast();
        // SAFETY: `value` points to a timeval of `size` bytes that outlives the call.
        checked(unsafe { libc::setsockopt(raw, libc::SOL_SOCKET, option, value, size) })?;
    }
    Ok(())
}

/// Sets an integer socket option.
///
/// # Errors
/// What `setsockopt(2)` said.
pub fn set_option(fd: &impl AsFd, level: i32, option: i32, value: i32) -> io::Result<()> {
    set_bytes(fd, level, option, &value.to_ne_bytes())
}

/// Sets a socket option of any type, given as the kernel wants it.
///
/// # Errors
/// What `setsockopt(2)` said.
pub fn set_bytes(fd: &impl AsFd, level: i32, option: i32, value: &[u8]) -> io::Result<()> {
    let (raw, size, value) = (fd.as_fd().as_raw_fd(), length(value.len())?, value.as_ptr().cast());
    // SAFETY: `value` points to `size` bytes that outlive the call.
    checked(unsafe { libc::setsockopt(raw, level, option, value, size) })?;
    Ok(())
}

/// Reads the beginning of a socket option into `room`; how much of it there is.
///
/// # Errors
/// What `getsockopt(2)` said.
pub fn get_bytes(fd: &impl AsFd, level: i32, option: i32, room: &mut [u8]) -> io::Result<usize> {
    let (raw, mut size) = (fd.as_fd().as_raw_fd(), length(room.len())?);
    let value = room.as_mut_ptr().cast();
    // SAFETY: `value` has room for `size` bytes and both outlive the call.
    checked(unsafe { libc::getsockopt(raw, level, option, value, &raw mut size) })?;
    Ok(size as usize)
}

/// Waits until one of `events` (`POLL*`) is there.
///
/// # Errors
/// What `poll(2)` said; `TimedOut` if nothing came.
pub fn wait_for(fd: &impl AsFd, events: i16) -> io::Result<()> {
    let mut waiting = libc::pollfd { fd: fd.as_fd().as_raw_fd(), events, revents: 0 };
    let patience = i32::try_from(PATIENCE.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: one structure is passed and outlives the call.
    match checked(unsafe { libc::poll(&raw mut waiting, 1, patience) })? {
        0 => Err(io::ErrorKind::TimedOut.into()),
        _ => Ok(()),
    }
}

/// Sets what closing does with unsent data.
///
/// # Errors
/// What `setsockopt(2)` said.
pub fn set_linger(fd: &impl AsFd, linger: libc::linger) -> io::Result<()> {
    let size = length(size_of::<libc::linger>())?;
    let (raw, value) = (fd.as_fd().as_raw_fd(), (&raw const linger).cast());
    // SAFETY: `value` points to a linger structure of `size` bytes that outlives the call.
    checked(unsafe { libc::setsockopt(raw, libc::SOL_SOCKET, libc::SO_LINGER, value, size) })?;
    Ok(())
}

/// Binds to an address.
///
/// # Errors
/// What `bind(2)` said.
pub fn bind(fd: &impl AsFd, address: impl Into<RawAddr>) -> io::Result<()> {
    let address = address.into();
    let raw = fd.as_fd().as_raw_fd();
    // SAFETY: the pointer covers `len` readable bytes of `address`, which outlives the call.
    checked(unsafe { libc::bind(raw, address.bytes.as_ptr().cast(), address.len) })?;
    Ok(())
}

/// Connects to an address.
///
/// # Errors
/// What `connect(2)` said.
pub fn connect(fd: &impl AsFd, address: impl Into<RawAddr>) -> io::Result<()> {
    let address = address.into();
    let raw = fd.as_fd().as_raw_fd();
    // SAFETY: the pointer covers `len` readable bytes of `address`, which outlives the call.
    checked(unsafe { libc::connect(raw, address.bytes.as_ptr().cast(), address.len) })?;
    Ok(())
}

/// Ends a connection so that the socket can begin another.
///
/// # Errors
/// What `connect(2)` said.
pub fn disconnect(fd: &impl AsFd) -> io::Result<()> {
    connect(fd, RawAddr::none())
}

/// Starts listening.
///
/// # Errors
/// What `listen(2)` said.
pub fn listen(fd: &impl AsFd) -> io::Result<()> {
    // SAFETY: no pointers are passed.
    checked(unsafe { libc::listen(fd.as_fd().as_raw_fd(), 4096) })?;
    Ok(())
}

/// Accepts a connection; the new socket has the same timeouts.
///
/// # Errors
/// What `accept4(2)` said; `EINVAL` once the listener was shut down.
pub fn accept(fd: &impl AsFd) -> io::Result<OwnedFd> {
    let (raw, nowhere) = (fd.as_fd().as_raw_fd(), std::ptr::null_mut());
    // SAFETY: null address pointers mean that the peer's address is not wanted.
    let accepted =
        checked(unsafe { libc::accept4(raw, nowhere, std::ptr::null_mut(), libc::SOCK_CLOEXEC) })?;
    // SAFETY: the kernel has just given us this descriptor and nobody else owns it.
    let accepted = unsafe { OwnedFd::from_raw_fd(accepted) };
    set_timeout(&accepted, PATIENCE)?;
    Ok(accepted)
}

/// Shuts down both directions, waking every process that waits on the socket.
pub fn shutdown(fd: &impl AsFd) {
    // SAFETY: no pointers are passed. Unconnected sockets answer ENOTCONN but are woken as well.
    unsafe { libc::shutdown(fd.as_fd().as_raw_fd(), libc::SHUT_RDWR) };
}

/// Says that nothing more will be sent.
///
/// # Errors
/// What `shutdown(2)` said.
pub fn finish_sending(fd: &impl AsFd) -> io::Result<()> {
    // SAFETY: no pointers are passed.
    checked(unsafe { libc::shutdown(fd.as_fd().as_raw_fd(), libc::SHUT_WR) })?;
    Ok(())
}

/// Own address.
///
/// # Errors
/// What `getsockname(2)` said.
pub fn local(fd: &impl AsFd) -> io::Result<SocketAddr> {
    let mut address = RawAddr::empty();
    let raw = fd.as_fd().as_raw_fd();
    let bytes = address.bytes.as_mut_ptr().cast();
    // SAFETY: `bytes` has room for `len` bytes, and both outlive the call.
    checked(unsafe { libc::getsockname(raw, bytes, &raw mut address.len) })?;
    address.internet()
}

/// The other end's address.
///
/// # Errors
/// What `getpeername(2)` said.
pub fn remote(fd: &impl AsFd) -> io::Result<SocketAddr> {
    let mut address = RawAddr::empty();
    let raw = fd.as_fd().as_raw_fd();
    let bytes = address.bytes.as_mut_ptr().cast();
    // SAFETY: `bytes` has room for `len` bytes, and both outlive the call.
    checked(unsafe { libc::getpeername(raw, bytes, &raw mut address.len) })?;
    address.internet()
}

/// `send(2)` without SIGPIPE.
///
/// # Errors
/// What the kernel said.
pub fn send(fd: &impl AsFd, data: &[u8], flags: i32) -> io::Result<usize> {
    let (raw, flags) = (fd.as_fd().as_raw_fd(), flags | libc::MSG_NOSIGNAL);
    // SAFETY: pointer and length are those of `data`.
    sized(unsafe { libc::send(raw, data.as_ptr().cast(), data.len(), flags) })
}

/// `sendto(2)`.
///
/// # Errors
/// What the kernel said.
pub fn send_to(fd: &impl AsFd, data: &[u8], to: impl Into<RawAddr>) -> io::Result<usize> {
    send_flagged(fd, data, to, 0)
}

/// `sendto(2)` with flags and without SIGPIPE.
///
/// # Errors
/// What the kernel said.
pub fn send_flagged(
    fd: &impl AsFd,
    data: &[u8],
    to: impl Into<RawAddr>,
    flags: i32,
) -> io::Result<usize> {
    let (raw, to, flags) = (fd.as_fd().as_raw_fd(), to.into(), flags | libc::MSG_NOSIGNAL);
    let (start, target) = (data.as_ptr().cast(), to.bytes.as_ptr().cast());
    // SAFETY: both pointers cover the lengths that are passed with them.
    sized(unsafe { libc::sendto(raw, start, data.len(), flags, target, to.len) })
}

/// `recv(2)`: no address is asked for.
///
/// # Errors
/// What the kernel said.
pub fn recv(fd: &impl AsFd, room: &mut [u8], flags: i32) -> io::Result<usize> {
    let raw = fd.as_fd().as_raw_fd();
    // SAFETY: pointer and length are those of `room`.
    sized(unsafe { libc::recv(raw, room.as_mut_ptr().cast(), room.len(), flags) })
}

/// `recvfrom(2)`: the sender's address in the kernel's layout (empty after a shutdown).
///
/// # Errors
/// What the kernel said.
pub fn recv_from(fd: &impl AsFd, room: &mut [u8], flags: i32) -> io::Result<(usize, RawAddr)> {
    let (raw, mut from) = (fd.as_fd().as_raw_fd(), RawAddr::empty());
    let (start, source) = (room.as_mut_ptr().cast(), from.bytes.as_mut_ptr().cast());
    // SAFETY: both pointers have room for the lengths that are passed with them.
    let size =
        sized(unsafe { libc::recvfrom(raw, start, room.len(), flags, source, &raw mut from.len) })?;
    Ok((size, from))
}

/// Moves up to `max` bytes between a pipe and anything else without copying.
///
/// # Errors
/// What `splice(2)` said.
pub fn splice(from: &impl AsFd, to: &impl AsFd, max: usize) -> io::Result<usize> {
    let (from, to) = (from.as_fd().as_raw_fd(), to.as_fd().as_raw_fd());
    let (no_offset, none) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: null offsets mean the files' own positions.
    sized(unsafe { libc::splice(from, no_offset, to, none, max, libc::SPLICE_F_MOVE) })
}

/// Sends up to `max` bytes of a file from its current position.
///
/// # Errors
/// What `sendfile(2)` said.
pub fn sendfile(to: &impl AsFd, from: &impl AsFd, max: usize) -> io::Result<usize> {
    let (from, to) = (from.as_fd().as_raw_fd(), to.as_fd().as_raw_fd());
    // SAFETY: a null offset means the file's own position.
    sized(unsafe { libc::sendfile(to, from, std::ptr::null_mut(), max) })
}
