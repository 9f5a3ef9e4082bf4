//! A descriptor to every file that is executed, before it can be gone: `FAN_OPEN_EXEC` on whole
//! file systems. Needs `CAP_SYS_ADMIN`.
//!
//! The kernel opens the file for us when an event is read, even one that nothing leads to any
//! more. What waits unread keeps its file system busy, so read at once.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Events read at a time; each is a descriptor.
const AT_ONCE: usize = 128;

/// `sizeof(struct fanotify_event_metadata)`.
const METADATA: usize = 24;

/// Marks that do not keep inodes in memory (Linux 5.19).
const FAN_MARK_EVICTABLE: u32 = 0x200;

/// Files that were opened to be executed: programs, scripts, and the interpreters of both
/// (`ld.so`).
#[derive(Debug)]
pub struct ExecWatcher {
    fd: OwnedFd,
}

/// What a read brought.
#[derive(Debug, Default)]
pub struct Executed {
    /// Files, oldest first, opened for reading.
    pub files: Vec<File>,
    /// Events without a file: it could not be opened, or events were lost.
    pub lost: u64,
}

impl ExecWatcher {
    /// Starts with no file system watched. The queue has no bound: whoever reads seldom pays with
    /// kernel memory (a few hundred bytes an event).
    ///
    /// # Errors
    /// `ENOSYS` without fanotify in the kernel, `EPERM` without `CAP_SYS_ADMIN`, `EMFILE` past
    /// `/proc/sys/fs/fanotify/max_user_groups`.
    pub fn new() -> io::Result<Self> {
        let flags = libc::FAN_CLASS_NOTIF
            | libc::FAN_CLOEXEC
            | libc::FAN_NONBLOCK
            | libc::FAN_UNLIMITED_QUEUE
            | libc::FAN_UNLIMITED_MARKS;
        let opened = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_LARGEFILE | libc::O_NOATIME;
        // SAFETY: takes numbers only.
        let fd = unsafe { libc::fanotify_init(flags, opened.cast_unsigned()) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just opened, and nobody else's.
        Ok(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Watches the whole file system that this descriptor (`O_PATH` will do) is on, through
    /// whatever mount and mount namespace it is used. Again does nothing.
    ///
    /// # Errors
    /// `EACCES` where the file is not ours to read (a FUSE mount of another user), `ENODEV` or
    /// `EOPNOTSUPP` where a file system cannot be watched.
    pub fn watch_file_system(&self, on: BorrowedFd<'_>) -> io::Result<()> {
        self.mark(libc::FAN_MARK_ADD | libc::FAN_MARK_FILESYSTEM, on)
    }

    /// Tells nothing of this file any more, until it is written to: what is in it is known.
    ///
    /// # Errors
    /// `ENOSPC` past `/proc/sys/fs/fanotify/max_user_marks`, and as above.
    pub fn ignore(&self, file: BorrowedFd<'_>) -> io::Result<()> {
        let flags = libc::FAN_MARK_ADD | libc::FAN_MARK_IGNORED_MASK;
        match self.mark(flags | FAN_MARK_EVICTABLE, file) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => self.mark(flags, file),
            other => other,
        }
    }

    /// What waits, at most 128 files; nothing when there is nothing left.
    ///
    /// # Errors
    /// As `read(2)`; `EMFILE` when there is no room for more descriptors.
    pub fn read(&self) -> io::Result<Executed> {
        let mut buffer = [0u8; AT_ONCE * METADATA];
        let len = match nix::unistd::read(&self.fd, &mut buffer) {
            Ok(len) => len,
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => 0,
            Err(errno) => return Err(errno.into()),
        };
        let mut executed = Executed::default();
        for fd in descriptors(buffer.get(..len).unwrap_or_default()) {
            if fd < 0 {
                executed.lost += 1;
                continue;
            }
            // SAFETY: the kernel has opened it for whoever reads the event, which is us, once.
            executed.files.push(File::from(unsafe { OwnedFd::from_raw_fd(fd) }));
        }
        Ok(executed)
    }

    fn mark(&self, flags: u32, on: BorrowedFd<'_>) -> io::Result<()> {
        let path = CString::new(format!("/proc/self/fd/{}", on.as_raw_fd()))?;
        let (fd, at) = (self.fd.as_raw_fd(), libc::AT_FDCWD);
        // SAFETY: the group is open; the path is NUL-terminated and outlives the call.
        let done =
            unsafe { libc::fanotify_mark(fd, flags, libc::FAN_OPEN_EXEC, at, path.as_ptr()) };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

impl AsFd for ExecWatcher {
    /// Readable when something was executed.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The descriptor in each event; negative for none.
fn descriptors(events: &[u8]) -> impl Iterator<Item = RawFd> {
    // struct fanotify_event_metadata: length, versions, mask, descriptor, pid. Without FAN_REPORT_*
    // nothing follows.
    events.chunks_exact(METADATA).map(|event| {
        let fd = event.get(16..).and_then(<[u8]>::first_chunk);
        fd.map_or(libc::FAN_NOFD, |fd| RawFd::from_ne_bytes(*fd))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::process::Command;

    fn copies(dir: &std::path::Path, numbers: std::ops::Range<u32>) -> Vec<std::path::PathBuf> {
        let make = |n| {
            let path = dir.join(format!("tool{n}"));
            std::fs::copy("/bin/true", &path).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
            path
        };
        numbers.map(make).collect()
    }

    fn inodes(watcher: &ExecWatcher) -> Vec<u64> {
        let mut seen = Vec::new();
        loop {
            let executed = watcher.read().unwrap();
            assert_eq!(executed.lost, 0);
            if executed.files.is_empty() {
                return seen;
            }
            seen.extend(executed.files.iter().map(|file| file.metadata().unwrap().ino()));
        }
    }

    #[test]
    fn what_was_executed_and_removed_is_still_to_be_had() {
        let dir = tempfile::tempdir().unwrap();
        let Ok(watcher) = ExecWatcher::new() else {
            assert!(!nix::unistd::geteuid().is_root());
            return;
        };
        watcher.watch_file_system(File::open(dir.path()).unwrap().as_fd()).unwrap();
        let mut want = Vec::new();
        for path in copies(dir.path(), 0..300) {
            want.push(std::fs::metadata(&path).unwrap().ino());
            assert!(Command::new(&path).status().unwrap().success());
            std::fs::remove_file(&path).unwrap();
        }
        let seen = inodes(&watcher);
        // An inode's number may be used again, and others on this file system execute as well.
        assert!(want.iter().all(|inode| seen.contains(inode)));
    }

    #[test]
    fn what_is_known_is_told_again_once_it_was_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let Ok(watcher) = ExecWatcher::new() else { return };
        let path = copies(dir.path(), 0..1).remove(0);
        let file = File::open(&path).unwrap();
        let inode = file.metadata().unwrap().ino();
        watcher.watch_file_system(file.as_fd()).unwrap();
        watcher.ignore(file.as_fd()).unwrap();
        drop(file);
        let run = || assert!(Command::new(&path).status().unwrap().success());
        run();
        assert!(!inodes(&watcher).contains(&inode));
        let mut contents = std::fs::read(&path).unwrap();
        contents.push(0);
        std::fs::write(&path, contents).unwrap();
        run();
        assert!(inodes(&watcher).contains(&inode));
    }

    #[test]
    fn half_an_event_is_none() {
        let mut event = [0u8; METADATA];
        event[16..20].copy_from_slice(&7i32.to_ne_bytes());
        assert_eq!(descriptors(&[event, event].concat()).collect::<Vec<_>>(), [7, 7]);
        for len in 0..METADATA {
            assert_eq!(descriptors(&event[..len]).count(), 0);
        }
    }
}
