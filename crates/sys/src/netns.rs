//! Network namespaces.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

/// `NS_GET_USERNS` (ioctl_nsfs(2)), `_IO(0xb7, 1)`.
const NS_GET_USERNS: libc::Ioctl = 0xb701;

/// Inode number of the first user namespace (`PROC_USER_INIT_INO` in include/linux/proc_ns.h).
const INIT_USER_NAMESPACE: u64 = 0xefff_fffd;

/// Whether the network namespace of a process belongs to the machine's own root, rather than to a
/// user who made one for themselves and has every address and port in it.
///
/// # Errors
/// When the process is gone, or is another user's and the caller lacks `CAP_SYS_PTRACE`.
pub fn is_roots(pid: u32) -> io::Result<bool> {
    let file = File::open(format!("/proc/{pid}/ns/net"))?;
    // SAFETY: takes no argument, and gives a new descriptor or -1.
    let fd = unsafe { libc::ioctl(file.as_raw_fd(), NS_GET_USERNS) };
    if fd < 0 {
        let error = io::Error::last_os_error();
        // It belongs to a user namespace that is not ours or below: then not to root's, of which
        // every other is below.
        return if error.raw_os_error() == Some(libc::EPERM) { Ok(false) } else { Err(error) };
    }
    // SAFETY: just made, and nobody else's.
    let owner = File::from(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(owner.metadata()?.ino() == INIT_USER_NAMESPACE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sched::{CloneFlags, unshare};

    #[test]
    fn a_users_own_network_is_told_from_roots() {
        let me = std::process::id();
        assert!(is_roots(me).unwrap(), "the tests run as root");
        assert!(is_roots(u32::MAX).is_err());
        let (mut reader, writer) = io::pipe().unwrap();
        // A child, since the process is then another user's in everything.
        // SAFETY: the child calls nothing but system calls.
        match unsafe { nix::unistd::fork() }.unwrap() {
            nix::unistd::ForkResult::Child => {
                let both = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET;
                let done = [u8::from(unshare(both).is_ok())];
                nix::unistd::write(&writer, &done).ok();
                loop {
                    nix::unistd::pause();
                }
            }
            nix::unistd::ForkResult::Parent { child } => {
                let mut done = [0];
                io::Read::read_exact(&mut reader, &mut done).unwrap();
                let answer = is_roots(u32::try_from(child.as_raw()).unwrap());
                nix::sys::signal::kill(child, nix::sys::signal::Signal::SIGKILL).unwrap();
                nix::sys::wait::waitpid(child, None).unwrap();
                if done == [1] {
                    assert!(!answer.unwrap());
                }
            }
        }
    }
}
