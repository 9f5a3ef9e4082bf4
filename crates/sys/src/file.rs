//! Opening an executable for hashing, and telling which version of which file it is.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use crate::procfs;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::Mode;

/// Which file is meant.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// What this process runs, even if it was unlinked or never had a name.
    Exe(u32),
    /// This path as this process sees it: in its mount namespace, below its root.
    In(u32, &'a Path),
    /// This path as the calling process sees it.
    Path(&'a Path),
}

/// A time as the file system keeps it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileTime {
    /// Seconds since 1970-01-01 UTC.
    pub sec: i64,
    /// Nanoseconds within the second.
    pub nsec: u32,
}

/// Which version of which file.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct FileStat {
    /// Device as `makedev(3)` encodes it and `stat(2)` reports it.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Size in bytes.
    pub size: u64,
    /// Last change of the contents; the owner can set it.
    pub mtime: FileTime,
    /// Last change of the inode; nobody can set it.
    pub ctime: FileTime,
    /// Hard links; 0 for a deleted file or a memfd.
    pub nlink: u32,
    /// Type and permission bits as in `st_mode`.
    pub mode: u32,
    /// Mount it was opened through (`mnt_id` of `/proc/self/mountinfo`), where the kernel says
    /// so (≥ 5.8).
    pub mnt_id: Option<u64>,
}

impl FileStat {
    /// Whether the contents must be the same as when `earlier` was taken.
    #[must_use]
    pub fn same_contents(&self, earlier: &Self) -> bool {
        let id = |stat: &Self| (stat.dev, stat.ino, stat.size, stat.mtime, stat.ctime);
        id(self) == id(earlier)
    }
}

/// Opens a regular file for reading without waiting, without becoming a terminal's process and,
/// where allowed, without touching its access time.
///
/// # Errors
/// As `open(2)`; `InvalidInput` when it is not a regular file.
pub fn open_executable(target: Target<'_>) -> io::Result<(File, FileStat)> {
    let file = match target {
        Target::Exe(pid) => by_any_thread(pid, |tid| {
            open(nix::fcntl::AT_FDCWD, Path::new(&format!("/proc/{tid}/exe")), false)
        })?,
        Target::Path(path) => open(nix::fcntl::AT_FDCWD, path, false)?,
        Target::In(pid, path) => open(open_below_root(pid, None)?.as_fd(), path, true)?,
    };
    let stat = stat(file.as_fd())?;
    Ok((file, stat))
}

/// Through the process' first thread, or through another where that one has ended.
pub(crate) fn by_any_thread<T>(pid: u32, through: impl Fn(u32) -> io::Result<T>) -> io::Result<T> {
    match through(pid) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            procfs::another_thread(pid).map_or(Err(error), through)
        }
        other => other,
    }
}

fn open(at: BorrowedFd<'_>, path: &Path, in_root: bool) -> io::Result<File> {
    // Links inside a container must resolve inside it: an absolute one would lead to our files.
    let resolve = if in_root { ResolveFlag::RESOLVE_IN_ROOT } else { ResolveFlag::empty() };
    let how = OpenHow::new().resolve(resolve).flags(OFlag::O_PATH | OFlag::O_CLOEXEC);
    let found = openat2(at, path, how)?;
    open_named(found.as_fd())
}

/// Opens for reading what a descriptor names.
pub(crate) fn open_named(found: BorrowedFd<'_>) -> io::Result<File> {
    // Looked at before it is opened: opening a FIFO or a device may set something off, and the
    // name may be an attacker's.
    if stat(found)?.mode & libc::S_IFMT != libc::S_IFREG {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let again = format!("/proc/self/fd/{}", found.as_raw_fd());
    let fd = match nix::fcntl::open(again.as_str(), flags | OFlag::O_NOATIME, Mode::empty()) {
        // Only the owner and CAP_FOWNER may leave the access time alone.
        Err(Errno::EPERM) => nix::fcntl::open(again.as_str(), flags, Mode::empty())?,
        other => other?,
    };
    Ok(File::from(fd))
}

/// Which version of which file this descriptor is open on.
///
/// # Errors
/// As `statx(2)`.
pub fn stat(fd: BorrowedFd<'_>) -> io::Result<FileStat> {
    const EMPTY: &CStr = c"";
    let mask = libc::STATX_BASIC_STATS | libc::STATX_MNT_ID;
    let mut out = MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: the descriptor is open, the path is NUL-terminated and `out` has room for a statx.
    let done = unsafe {
        libc::statx(fd.as_raw_fd(), EMPTY.as_ptr(), libc::AT_EMPTY_PATH, mask, out.as_mut_ptr())
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: every bit pattern is a valid statx, and it was zeroed before the kernel filled it.
    let raw = unsafe { out.assume_init() };
    let time = |at: libc::statx_timestamp| FileTime { sec: at.tv_sec, nsec: at.tv_nsec };
    Ok(FileStat {
        dev: libc::makedev(raw.stx_dev_major, raw.stx_dev_minor),
        ino: raw.stx_ino,
        size: raw.stx_size,
        mtime: time(raw.stx_mtime),
        ctime: time(raw.stx_ctime),
        nlink: raw.stx_nlink,
        mode: u32::from(raw.stx_mode),
        mnt_id: (raw.stx_mask & libc::STATX_MNT_ID != 0).then_some(raw.stx_mnt_id),
    })
}

/// Names what a process runs (`O_PATH`): asks nothing of whoever serves the file, and needs no right
/// to read it.
///
/// # Errors
/// As `open(2)`: `NotFound` when the process is gone.
pub fn name_executable(pid: u32) -> io::Result<OwnedFd> {
    by_any_thread(pid, |tid| {
        let how = OFlag::O_PATH | OFlag::O_CLOEXEC;
        Ok(nix::fcntl::open(format!("/proc/{tid}/exe").as_str(), how, Mode::empty())?)
    })
}

/// Opens the root directory that a process sees, or the directory or file at `path` below it, for
/// naming only (`O_PATH`).
///
/// # Errors
/// As `open(2)`.
pub fn open_below_root(pid: u32, path: Option<&Path>) -> io::Result<OwnedFd> {
    let root = by_any_thread(pid, |tid| {
        let how = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(nix::fcntl::open(format!("/proc/{tid}/root").as_str(), how, Mode::empty())?)
    })?;
    let Some(path) = path else { return Ok(root) };
    let how = OpenHow::new().resolve(ResolveFlag::RESOLVE_IN_ROOT);
    Ok(openat2(&root, path, how.flags(OFlag::O_PATH | OFlag::O_CLOEXEC))?)
}

/// Where the kernel thinks that an open file is, seen from our own root: below a mount that cannot
/// be reached from there, only the part inside the mount. Without ` (deleted)`.
#[must_use]
pub fn path_of(file: BorrowedFd<'_>) -> Option<Vec<u8>> {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    let path = link.into_os_string().into_vec();
    Some(path.strip_suffix(b" (deleted)").map_or_else(|| path.clone(), <[u8]>::to_vec))
}

/// Whether this kernel lets nobody write to a file while it is executed, as all do but 6.11 and
/// the first ones of 6.12. `false` where that cannot be told.
#[must_use]
pub fn running_files_are_protected() -> bool {
    let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    matches!(nix::fcntl::open("/proc/self/exe", flags, Mode::empty()), Err(Errno::ETXTBSY))
}

/// The inode's generation, `None` where the file system keeps none or does not tell.
#[must_use]
pub fn generation(fd: BorrowedFd<'_>) -> Option<u32> {
    // The request is declared with a long, yet every file system writes an int.
    let mut out: u64 = 0;
    let request = libc::FS_IOC_GETVERSION;
    // SAFETY: the descriptor is open and `out` is larger than whatever the request writes.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), request, &raw mut out) };
    let bytes = out.to_ne_bytes();
    (done == 0).then(|| u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use std::process::Command;

    #[test]
    fn a_stat_agrees_with_the_standard_library() {
        let (file, stat) = open_executable(Target::Path("/bin/sh".as_ref())).unwrap();
        let meta = file.metadata().unwrap();
        assert_eq!((stat.dev, stat.ino, stat.size), (meta.dev(), meta.ino(), meta.size()));
        assert_eq!((stat.mtime.sec, stat.ctime.sec), (meta.mtime(), meta.ctime()));
        assert_eq!(i64::from(stat.ctime.nsec), meta.ctime_nsec());
        assert_eq!((u64::from(stat.nlink), stat.mode), (meta.nlink(), meta.mode()));
        assert!(stat.mnt_id.is_some());
    }

    #[test]
    fn only_regular_files_are_opened() {
        for path in ["/", "/dev/null", "/proc/self"] {
            let err = open_executable(Target::Path(path.as_ref())).unwrap_err();
            assert_eq!(err.kind(), io::ErrorKind::InvalidInput, "{path}");
        }
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, Mode::from_bits_truncate(0o600)).unwrap();
        // Must not wait for a writer.
        assert!(open_executable(Target::Path(&fifo)).is_err());
        let missing = open_executable(Target::Path(&dir.path().join("no"))).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn an_unlinked_executable_is_found_through_its_process() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tool");
        std::fs::copy("/bin/sleep", &path).unwrap();
        let mut child = Command::new(&path).arg("60").spawn().unwrap();
        let by_path = open_executable(Target::In(child.id(), &path)).unwrap().1;
        std::fs::remove_file(&path).unwrap();
        let by_exe = open_executable(Target::Exe(child.id())).unwrap().1;
        let gone = open_executable(Target::In(child.id(), &path)).unwrap_err();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!((by_path.dev, by_path.ino), (by_exe.dev, by_exe.ino));
        assert_eq!((by_path.nlink, by_exe.nlink), (1, 0));
        assert!(!by_exe.same_contents(&by_path), "unlinking changes the ctime");
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn links_do_not_lead_out_of_a_root() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        std::fs::write(dir.path().join("etc/hostname"), "inside").unwrap();
        std::os::unix::fs::symlink("/etc/hostname", dir.path().join("link")).unwrap();
        let root = File::open(dir.path()).unwrap();
        let mut text = String::new();
        let mut file = open(root.as_fd(), "/link".as_ref(), true).unwrap();
        io::Read::read_to_string(&mut file, &mut text).unwrap();
        assert_eq!(text, "inside");
        assert!(open(root.as_fd(), "../../../../../../bin/sh".as_ref(), true).is_err());
    }

    #[test]
    fn nobody_writes_to_what_runs() {
        // Not on kernels 6.11 and early 6.12, nor where the tests lie on read-only media.
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        if !release.starts_with("6.11.") && !release.starts_with("6.12.") {
            assert!(running_files_are_protected());
        }
    }

    #[test]
    fn a_generation_is_stable() {
        let file = File::open(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(generation(file.as_fd()), generation(file.as_fd()));
        assert_eq!(generation(File::open("/dev/null").unwrap().as_fd()), None);
    }
}
