//! Calls that carry more than one buffer: batches, control messages, descriptors.

use std::io;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::os::fd::RawFd;

use super::checked;
use super::length;
use super::sized;

/// An all-zero value of a plain C structure.
fn zeroed<T: Plain>() -> T {
    // SAFETY: `Plain` types are made of integers and raw pointers, for which zero is valid.
    unsafe { std::mem::zeroed() }
}

/// Structures of integers and raw pointers only.
trait Plain {}
impl Plain for libc::msghdr {}
impl Plain for libc::mmsghdr {}

fn iovec(data: &[u8]) -> libc::iovec {
    // The kernel only reads through it on the sending side.
    libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() }
}

fn iovec_mut(room: &mut [u8]) -> libc::iovec {
    libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() }
}

/// Sends several datagrams by one `sendmmsg(2)` on a connected socket; the size of each.
///
/// # Errors
/// What the kernel said about the first one.
pub fn send_batch(fd: &impl AsFd, datagrams: &[&[u8]]) -> io::Result<Vec<usize>> {
    let mut parts: Vec<_> = datagrams.iter().map(|data| iovec(data)).collect();
    let mut messages: Vec<libc::mmsghdr> = parts.iter_mut().map(message).collect();
    let (raw, count) = (fd.as_fd().as_raw_fd(), length(messages.len())?);
    // SAFETY: `messages` holds `count` headers whose iovecs and buffers outlive the call.
    let done = checked(unsafe { libc::sendmmsg(raw, messages.as_mut_ptr(), count, 0) })?;
    Ok(sizes(&messages, done))
}

/// Receives up to as many datagrams as there are rooms by one `recvmmsg(2)`, waiting for the
/// first only; the size of each.
///
/// # Errors
/// What the kernel said.
pub fn recv_batch(fd: &impl AsFd, rooms: &mut [Vec<u8>]) -> io::Result<Vec<usize>> {
    let mut parts: Vec<_> = rooms.iter_mut().map(|room| iovec_mut(room)).collect();
    let mut messages: Vec<libc::mmsghdr> = parts.iter_mut().map(message).collect();
    let (raw, count) = (fd.as_fd().as_raw_fd(), length(messages.len())?);
    let (start, forever) = (messages.as_mut_ptr(), std::ptr::null_mut());
    // SAFETY: `messages` holds `count` headers whose iovecs and buffers outlive the call.
    let done =
        checked(unsafe { libc::recvmmsg(raw, start, count, libc::MSG_WAITFORONE, forever) })?;
    Ok(sizes(&messages, done))
}

fn message(part: &mut libc::iovec) -> libc::mmsghdr {
    let mut message: libc::mmsghdr = zeroed();
    message.msg_hdr.msg_iov = part;
    message.msg_hdr.msg_iovlen = 1;
    message
}

fn sizes(messages: &[libc::mmsghdr], done: i32) -> Vec<usize> {
    let done = usize::try_from(done).unwrap_or(0);
    messages.iter().take(done).map(|message| message.msg_len as usize).collect()
}

/// Reads one entry of the error queue (or another special queue); the payload's size.
///
/// # Errors
/// What `recvmsg(2)` said; `EAGAIN` if the queue is empty.
pub fn recv_control(fd: &impl AsFd, room: &mut [u8], flags: i32) -> io::Result<usize> {
    let mut control = [0_u64; 64];
    let mut part = iovec_mut(room);
    let mut header: libc::msghdr = zeroed();
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of_val(&control) as _;
    // SAFETY: every pointer in `header` covers its length and outlives the call.
    sized(unsafe { libc::recvmsg(fd.as_fd().as_raw_fd(), &raw mut header, flags) })
}

/// Bytes before the data of a control message, and of a message with one descriptor. The
/// kernel's layout on 64-bit machines: length (8), level (4), type (4), data, padding.
const CONTROL_HEADER: usize = 16;

/// Passes a descriptor over a Unix socket together with one byte.
///
/// # Errors
/// What `sendmsg(2)` said.
pub fn send_descriptor(over: &impl AsFd, passed: &impl AsFd) -> io::Result<()> {
    let passed = passed.as_fd().as_raw_fd().to_ne_bytes();
    send_control(over, b"!", [libc::SOL_SOCKET, libc::SCM_RIGHTS], &passed)?;
    Ok(())
}

/// Sends data with one control message of at most eight bytes; its level and type are `kind`.
///
/// # Errors
/// What `sendmsg(2)` said.
pub fn send_control(
    over: &impl AsFd,
    data: &[u8],
    kind: [i32; 2],
    value: &[u8],
) -> io::Result<usize> {
    let size = CONTROL_HEADER + value.len();
    let [level, kind] = kind.map(i32::to_ne_bytes);
    let value = value.iter().copied().chain([0; 8]);
    let flat = size.to_ne_bytes().into_iter().chain(level).chain(kind).chain(value);
    let bytes: Vec<u8> = flat.collect();
    let mut control = [0_u64; 3];
    for (slot, chunk) in control.iter_mut().zip(bytes.chunks_exact(8)) {
        *slot = u64::from_ne_bytes(chunk.try_into().unwrap_or_default());
    }
    let mut part = iovec(data);
    let mut header: libc::msghdr = zeroed();
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of_val(&control) as _;
    // SAFETY: every pointer in `header` covers its length and outlives the call.
    sized(unsafe { libc::sendmsg(over.as_fd().as_raw_fd(), &raw const header, 0) })
}

/// Takes the descriptor that [`send_descriptor`] passed.
///
/// # Errors
/// What `recvmsg(2)` said, or that no descriptor came.
pub fn recv_descriptor(over: &impl AsFd) -> io::Result<OwnedFd> {
    let mut control = [0_u64; 8];
    let mut byte = [0_u8; 1];
    let mut part = iovec_mut(&mut byte);
    let mut header: libc::msghdr = zeroed();
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of_val(&control) as _;
    let (raw, flags) = (over.as_fd().as_raw_fd(), libc::MSG_CMSG_CLOEXEC);
    // SAFETY: every pointer in `header` covers its length and outlives the call.
    sized(unsafe { libc::recvmsg(raw, &raw mut header, flags) })?;
    let missing = || io::Error::new(io::ErrorKind::InvalidData, "no descriptor was passed");
    if header.msg_controllen < CONTROL_HEADER + size_of::<RawFd>() {
        return Err(missing());
    }
    let word = control.get(2).ok_or_else(missing)?.to_ne_bytes();
    let [a, b, c, d, ..] = word;
    let fd = RawFd::from_ne_bytes([a, b, c, d]);
    // SAFETY: the kernel has just installed this descriptor for us and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
