//! Being told when a file that was hashed changes, wherever it is seen from, without keeping it
//! open. Needs `CAP_SYS_ADMIN` for more than a few files.
//!
//! Files are named by their handle (`name_to_handle_at(2)`): an event carries one, so that even
//! deletion can be told, and none is ever opened by the kernel on our behalf.

mod event;
mod exec;

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

pub use event::{Change, FileKey};
pub use exec::{ExecWatcher, Executed};

/// What is worth hashing again for. A write through a shared mapping shows at the close of the
/// descriptor it was made with, if at all: compare size and ctime before relying on a digest.
const MASK: u64 = libc::FAN_MODIFY
    | libc::FAN_CLOSE_WRITE
    | libc::FAN_ATTRIB
    | libc::FAN_DELETE_SELF
    | libc::FAN_MOVE_SELF;

/// Room for some hundred events a read.
const READ: usize = 16 * 1024;

/// The longest handle the kernel makes (`MAX_HANDLE_SZ`).
const HANDLE: u32 = 128;

/// A set of watched files and the queue of what happened to them: at most
/// `/proc/sys/fs/fanotify/max_queued_events`, then one [`Change::Overflow`].
#[derive(Debug)]
pub struct Watcher {
    fd: OwnedFd,
}

impl Watcher {
    /// Starts with nothing watched.
    ///
    /// # Errors
    /// `ENOSYS` without fanotify in the kernel, `EINVAL` before 5.1, `EPERM` without privilege
    /// before 5.13, `EMFILE` past `/proc/sys/fs/fanotify/max_user_groups`.
    pub fn new() -> io::Result<Self> {
        let base =
            libc::FAN_CLASS_NOTIF | libc::FAN_CLOEXEC | libc::FAN_NONBLOCK | libc::FAN_REPORT_FID;
        match init(base | libc::FAN_UNLIMITED_MARKS) {
            Err(err) if err.raw_os_error() == Some(libc::EPERM) => init(base),
            other => other,
        }
        .map(|fd| Self { fd })
    }

    /// Watches the file this descriptor is open on, until [`Watcher::unwatch`] or until it is
    /// deleted. Watching again does nothing. The kernel keeps the inode in memory meanwhile.
    ///
    /// # Errors
    /// `ENODEV`, `EOPNOTSUPP` or `EXDEV` on a file system that has no handles for its files (a
    /// FUSE mount, a btrfs subvolume): such a file has to be compared instead. `ENOSPC` past
    /// `/proc/sys/fs/fanotify/max_user_marks`.
    pub fn watch(&self, file: BorrowedFd<'_>) -> io::Result<FileKey> {
        let key = file_key(file)?;
        self.mark(libc::FAN_MARK_ADD, file)?;
        Ok(key)
    }

    /// Stops watching it.
    ///
    /// # Errors
    /// `ENOENT` when it was not watched.
    pub fn unwatch(&self, file: BorrowedFd<'_>) -> io::Result<()> {
        self.mark(libc::FAN_MARK_REMOVE, file)
    }

    /// Stops watching everything. What is queued stays.
    ///
    /// # Errors
    /// None is known.
    pub fn clear(&self) -> io::Result<()> {
        self.raw_mark(libc::FAN_MARK_FLUSH, 0, libc::AT_FDCWD, None)
    }

    /// Everything that is queued, up to a few hundred events: empty when there is nothing left.
    ///
    /// # Errors
    /// As `read(2)`.
    pub fn read(&self) -> io::Result<Vec<Change>> {
        let mut buffer = vec![0u8; READ];
        match nix::unistd::read(&self.fd, &mut buffer) {
            Ok(len) => Ok(event::parse(buffer.get(..len).unwrap_or_default())),
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => Ok(Vec::new()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn mark(&self, action: u32, file: BorrowedFd<'_>) -> io::Result<()> {
        // A descriptor is named through /proc: fanotify_mark takes no empty path.
        let path = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
        self.raw_mark(action, MASK, libc::AT_FDCWD, Some(&path))
    }

    fn raw_mark(&self, action: u32, mask: u64, at: i32, path: Option<&CStr>) -> io::Result<()> {
        let path = path.map_or(std::ptr::null(), CStr::as_ptr);
        // SAFETY: the group is open; the path is null or NUL-terminated and outlives the call.
        let done = unsafe { libc::fanotify_mark(self.fd.as_raw_fd(), action, mask, at, path) };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

impl AsFd for Watcher {
    /// Readable when something is queued.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn init(flags: u32) -> io::Result<OwnedFd> {
    let file_flags = libc::O_RDONLY | libc::O_CLOEXEC;
    // SAFETY: takes numbers only.
    let fd = unsafe { libc::fanotify_init(flags, file_flags.cast_unsigned()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given this descriptor to us and to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The name under which events will speak of this file.
fn file_key(file: BorrowedFd<'_>) -> io::Result<FileKey> {
    let (kind, handle) = match handle(file, libc::AT_EMPTY_PATH | libc::AT_HANDLE_FID) {
        // Before 6.5 there are only handles that can also be opened.
        Err(err) if err.raw_os_error() == Some(libc::EINVAL) => handle(file, libc::AT_EMPTY_PATH)?,
        other => other?,
    };
    Ok(FileKey::new(file_system_id(file)?, kind, &handle))
}

#[repr(C)]
struct RawHandle {
    bytes: u32,
    kind: i32,
    data: [u8; HANDLE as usize],
}

fn handle(file: BorrowedFd<'_>, flags: i32) -> io::Result<(i32, Vec<u8>)> {
    let mut raw = RawHandle { bytes: HANDLE, kind: 0, data: [0; HANDLE as usize] };
    let mut mount = 0;
    // SAFETY: the path is NUL-terminated; `raw` is laid out as `struct file_handle` with the room
    // that its first field says.
    let done = unsafe {
        libc::name_to_handle_at(
            file.as_raw_fd(),
            c"".as_ptr(),
            (&raw mut raw).cast(),
            &raw mut mount,
            flags,
        )
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((raw.kind, raw.data.get(..raw.bytes as usize).unwrap_or(&raw.data).to_vec()))
}

fn file_system_id(file: BorrowedFd<'_>) -> io::Result<[u8; 8]> {
    let mut out = std::mem::MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: the descriptor is open and `out` has room for a statfs.
    if unsafe { libc::fstatfs(file.as_raw_fd(), out.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: every bit pattern is a valid statfs, and it was zeroed before the kernel filled it.
    let out = unsafe { out.assume_init() };
    // SAFETY: fsid_t is two ints, whose fields libc keeps private.
    Ok(unsafe { std::mem::transmute::<libc::fsid_t, [u8; 8]>(out.f_fsid) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, OpenOptions, Permissions};
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    // These need CAP_SYS_ADMIN, as the daemon does.
    fn watched(dir: &tempfile::TempDir, name: &str, watcher: &Watcher) -> (PathBuf, FileKey) {
        let path = dir.path().join(name);
        std::fs::write(&path, "before").unwrap();
        let key = watcher.watch(File::open(&path).unwrap().as_fd()).unwrap();
        (path, key)
    }

    #[test]
    fn each_kind_of_change_is_told_for_the_right_file() {
        let dir = tempfile::tempdir().unwrap();
        let watcher = Watcher::new().unwrap();
        let (a, key_a) = watched(&dir, "a", &watcher);
        let (b, key_b) = watched(&dir, "b", &watcher);
        assert_ne!(key_a, key_b);
        assert_eq!(watcher.read().unwrap(), []);
        File::open(&a).unwrap();
        assert_eq!(watcher.read().unwrap(), [], "reading changes nothing");

        OpenOptions::new().write(true).open(&a).unwrap().write_all(b"x").unwrap();
        let change = |key: &FileKey, gone| Change::Changed { key: key.clone(), gone, writer: None };
        let writer = Some(std::process::id());
        let written = Change::Changed { key: key_a.clone(), gone: false, writer };
        assert_eq!(watcher.read().unwrap(), [written]);

        std::fs::set_permissions(&b, Permissions::from_mode(0o755)).unwrap();
        assert_eq!(watcher.read().unwrap(), [change(&key_b, false)]);

        std::fs::rename(&b, dir.path().join("c")).unwrap();
        assert_eq!(watcher.read().unwrap(), [change(&key_b, false)]);

        std::fs::remove_file(&a).unwrap();
        let told = watcher.read().unwrap();
        assert!(told.contains(&change(&key_a, true)), "{told:?}");
        assert!(told.iter().all(|it| matches!(it, Change::Changed { key, .. } if *key == key_a)));
    }

    #[test]
    fn a_replaced_file_and_a_copy_under_another_mount_are_told() {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let watcher = Watcher::new().unwrap();
        let (path, key) = watched(&dir, "tool", &watcher);
        let running = File::open(&path).unwrap();
        std::fs::write(dir.path().join("new"), "after").unwrap();
        std::fs::rename(dir.path().join("new"), &path).unwrap();
        // Still open elsewhere, so not gone yet: its link count changed.
        assert_eq!(
            watcher.read().unwrap(),
            [Change::Changed { key: key.clone(), gone: false, writer: None }]
        );
        drop(running);
        // A child that another test forks at this moment may have it for a while.
        let gone = Change::Changed { key, gone: true, writer: None };
        let told = || watcher.read().is_ok_and(|told| told.contains(&gone));
        assert!((0..1000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(1));
            told()
        }));
    }

    #[test]
    fn unwatched_files_are_silent() {
        let dir = tempfile::tempdir().unwrap();
        let watcher = Watcher::new().unwrap();
        let (a, _) = watched(&dir, "a", &watcher);
        let (b, _) = watched(&dir, "b", &watcher);
        let file = File::open(&a).unwrap();
        watcher.unwatch(file.as_fd()).unwrap();
        assert_eq!(watcher.unwatch(file.as_fd()).unwrap_err().raw_os_error(), Some(libc::ENOENT));
        std::fs::write(&a, "x").unwrap();
        assert_eq!(watcher.read().unwrap(), []);
        watcher.clear().unwrap();
        std::fs::write(&b, "x").unwrap();
        assert_eq!(watcher.read().unwrap(), []);
    }

    #[test]
    fn a_file_without_a_name_is_told_or_refused_but_never_ignored() {
        let watcher = Watcher::new().unwrap();
        let mut file = tempfile::tempfile_in("/dev/shm").unwrap();
        // Whether such a file can be watched is the kernel's to say.
        if let Ok(key) = watcher.watch(file.as_fd()) {
            file.write_all(b"x").unwrap();
            let writer = Some(std::process::id());
            assert_eq!(watcher.read().unwrap(), [Change::Changed { key, gone: false, writer }]);
        }
    }

    #[test]
    fn too_many_events_end_in_one_overflow() {
        let limit = std::fs::read_to_string("/proc/sys/fs/fanotify/max_queued_events").unwrap();
        let limit: usize = limit.trim().parse().unwrap();
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let watcher = Watcher::new().unwrap();
        let all = limit + 10;
        for i in 0..all {
            let (path, _) = watched(&dir, &i.to_string(), &watcher);
            std::fs::set_permissions(path, Permissions::from_mode(0o700)).unwrap();
        }
        let (mut changed, mut overflow) = (0, 0);
        loop {
            let told = watcher.read().unwrap();
            if told.is_empty() {
                break;
            }
            for it in told {
                match it {
                    Change::Changed { .. } => changed += 1,
                    Change::Overflow => overflow += 1,
                }
            }
        }
        // Where exactly the queue is full is the kernel's affair; on a busy machine one more fits.
        assert_eq!(overflow, 1);
        assert!((limit..all).contains(&changed), "{changed} of {all}, {limit} at a time");
    }
}
