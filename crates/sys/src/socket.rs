//! What the standard library does not offer of sockets.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

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

/// Connects to a socket with a path, also to one that its owner alone may connect to: as that user,
/// where we may become them (`CAP_SETUID`). To the other end we are still who we are. For a thread
/// that does nothing else meanwhile with files.
///
/// # Errors
/// As `connect(2)`.
pub fn connect_as_owner(path: &Path) -> io::Result<UnixStream> {
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
        done => return done,
    }
    let owner = nix::unistd::Uid::from_raw(std::fs::metadata(path)?.uid());
    // Of this thread alone; if it may not, nothing changes.
    let own = nix::unistd::setfsuid(owner);
    let connected = UnixStream::connect(path);
    nix::unistd::setfsuid(own);
    connected
}

/// The process at the other end of a Unix socket: who listens, who connected, or who made the pair.
///
/// # Errors
/// As `getsockopt(2)`; `NotFound` for one that we cannot see.
pub fn peer(socket: &impl AsFd) -> io::Result<u32> {
    let peer = nix::sys::socket::getsockopt(socket, nix::sys::socket::sockopt::PeerCredentials)?;
    u32::try_from(peer.pid()).ok().filter(|pid| *pid != 0).ok_or(io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;

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

    #[test]
    fn a_socket_of_its_owner_alone_is_connected_to_by_who_may_become_them() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let _server = UnixListener::bind(&path).unwrap();
        assert_eq!(peer(&connect_as_owner(&path).unwrap()).unwrap(), std::process::id());
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        std::os::unix::fs::chown(&path, Some(65_534), Some(65_534)).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        // A thread's own capabilities, as the daemon has them.
        let without = std::thread::spawn(move || {
            crate::caps::reduce_to(&[crate::caps::Cap::Setuid]).unwrap();
            let refused = UnixStream::connect(&path).unwrap_err();
            let connected = connect_as_owner(&path).map(drop);
            let uid = nix::unistd::setfsuid(nix::unistd::Uid::from_raw(u32::MAX));
            (refused.kind(), connected.map_err(|error| error.kind()), uid.as_raw())
        });
        assert_eq!(without.join().unwrap(), (io::ErrorKind::PermissionDenied, Ok(()), 0));
        let nobody = connect_as_owner(&dir.path().join("none")).unwrap_err();
        assert_eq!(nobody.kind(), io::ErrorKind::NotFound);
    }
}
