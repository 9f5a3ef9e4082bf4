//! What the standard library does not offer of sockets.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// The kernel's name for a socket (`SO_COOKIE`, socket(7)): unique while the machine runs.
///
/// # Errors
/// As `getsockopt(2)`.
pub fn cookie(socket: &impl AsFd) -> io::Result<u64> {
    let mut cookie = 0u64;
    let mut len: libc::socklen_t = 8;
    // SAFETY: the kernel writes at most `len` bytes into `cookie`, which has eight.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut len,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(cookie) }
}

/// Moves up to `max` bytes from a socket into a pipe without copying; how many it were.
///
/// # Errors
/// As `splice(2)`.
pub fn splice(from: &impl AsFd, into: &impl AsFd, max: usize) -> io::Result<usize> {
    let (from, into) = (from.as_fd().as_raw_fd(), into.as_fd().as_raw_fd());
    let (no_offset, none) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: null offsets mean the files' own positions.
    let moved = unsafe { libc::splice(from, no_offset, into, none, max, 0) };
    usize::try_from(moved).map_err(|_negative| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn sockets_have_different_cookies() {
        let (one, other) = UnixStream::pair().unwrap();
        assert_ne!(cookie(&one).unwrap(), cookie(&other).unwrap());
        assert_eq!(cookie(&one).unwrap(), cookie(&one).unwrap());
        assert!(cookie(&std::fs::File::open("/dev/null").unwrap()).is_err());
    }

    #[test]
    fn a_socket_is_emptied_into_a_pipe() {
        let (mut one, other) = UnixStream::pair().unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        one.write_all(b"spliced").unwrap();
        assert_eq!(splice(&other, &writer, 100).unwrap(), 7);
        let mut got = [0; 7];
        reader.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"spliced");
    }
}
