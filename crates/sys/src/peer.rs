//! The process at the other end of a Unix socket, to be sent a signal and nobody else.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::socket;

/// Whoever listens where a socket is connected to.
#[derive(Debug)]
pub struct Peer {
    pid: u32,
    handle: OwnedFd,
}

impl Peer {
    /// Finds out who has made the socket that `stream` is connected to. It lives: what it has at its
    /// end of the connection is still open once the process is held by a descriptor.
    ///
    /// # Errors
    /// `ESRCH` if it has ended, or is outside of the caller's pid namespace; else as
    /// `getsockopt(2)` and `pidfd_open(2)`.
    pub fn of(stream: &impl AsFd) -> io::Result<Self> {
        let gone = || io::Error::from_raw_os_error(libc::ESRCH);
        let pid = socket::peer(stream).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => gone(),
            _ => error,
        })?;
        // SAFETY: no memory is handed over; what is returned is a new descriptor or negative.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0);
        let fd = fd.ok_or_else(io::Error::last_os_error)?;
        // SAFETY: the descriptor is new and nobody else's.
        let handle = unsafe { OwnedFd::from_raw_fd(fd) };
        let mut ends = [PollFd::new(stream.as_fd(), PollFlags::empty())];
        poll(&mut ends, PollTimeout::ZERO)?;
        let over = PollFlags::POLLHUP | PollFlags::POLLERR;
        if ends.iter().filter_map(PollFd::revents).any(|events| events.intersects(over)) {
            return Err(gone());
        }
        Ok(Self { pid, handle })
    }

    /// Its process id, as the caller sees it.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends SIGHUP.
    ///
    /// # Errors
    /// As `pidfd_send_signal(2)`: `EPERM` without the right to, `ESRCH` once it has ended.
    pub fn hang_up(&self) -> io::Result<()> {
        let (fd, none) = (self.handle.as_raw_fd(), ptr::null::<libc::siginfo_t>());
        // SAFETY: a null pointer means what kill(2) would send.
        let result =
            unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, libc::SIGHUP, none, 0) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use nix::sys::signal::{SigHandler, Signal, signal};

    #[test]
    fn the_other_end_is_found_while_it_is_open() {
        let (one, other) = UnixStream::pair().unwrap();
        assert_eq!(Peer::of(&one).unwrap().pid(), std::process::id());
        drop(other);
        // Another test may be between fork and exec, with a copy of it.
        let is_gone = || Peer::of(&one).is_err_and(|it| it.raw_os_error() == Some(libc::ESRCH));
        let tries = (0..1_000).inspect(|_| std::thread::sleep(Duration::from_millis(5)));
        assert!(is_gone() || tries.into_iter().any(|_| is_gone()));
        assert!(Peer::of(&std::fs::File::open("/dev/null").unwrap()).is_err());
    }

    #[test]
    fn a_signal_reaches_it_and_nobody_after_it() {
        let mut command = Command::new("sleep");
        command.arg("60").stdin(Stdio::null());
        // Whoever runs the tests may ignore the signal, as nohup(1) does, and that is inherited.
        // SAFETY: one system call between fork and exec, which allocates nothing.
        unsafe {
            command.pre_exec(|| {
                signal(Signal::SIGHUP, SigHandler::SigDfl).map(drop).map_err(Into::into)
            })
        };
        let mut child = command.spawn().unwrap();
        // SAFETY: as in `Peer::of`.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, child.id(), 0) };
        // SAFETY: the descriptor is new and nobody else's.
        let handle = unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).unwrap()) };
        let peer = Peer { pid: child.id(), handle };
        peer.hang_up().unwrap();
        assert!(!child.wait().unwrap().success());
        assert_eq!(peer.hang_up().unwrap_err().raw_os_error(), Some(libc::ESRCH));
    }
}
