//! A directory in which everything is looked up: the host's root, or a container's.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

/// More bytes than the names in any directory of a package database have, 24 more for each.
const NAMES: usize = 16 << 20;

/// A root directory, opened once. No link in it leads out of it.
#[derive(Debug)]
pub(crate) struct Root(OwnedFd);

/// Which version of which file or directory is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    file: (u64, u64),
    size: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

impl Root {
    /// # Errors
    /// When it is no directory, or not accessible.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// # Errors
    /// When the descriptor is not a directory's.
    pub(crate) fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        let stat = rustix::fs::fstat(&fd)?;
        if rustix::fs::FileType::from_raw_mode(stat.st_mode) != rustix::fs::FileType::Directory {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self(fd))
    }

    fn find(&self, path: &[u8], flags: OFlags) -> io::Result<File> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let flags = flags | OFlags::PATH | OFlags::CLOEXEC;
        Ok(openat2(self.0.as_fd(), path, flags, Mode::empty(), resolve)?.into())
    }

    /// Opens a regular file for reading.
    ///
    /// # Errors
    /// `InvalidInput` for anything but a regular file: looked at before it is opened, since
    /// opening a FIFO waits and opening a device may set something off.
    pub(crate) fn file(&self, path: &[u8]) -> io::Result<File> {
        let found = self.find(path, OFlags::empty())?;
        if !found.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
        std::fs::OpenOptions::new().read(true).custom_flags(flags).open(through(&found))
    }

    /// The whole of a file.
    ///
    /// # Errors
    /// `FileTooLarge` above `limit` bytes; as [`Root::file`].
    pub(crate) fn read(&self, path: &[u8], limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_into(path, limit, &mut bytes)?;
        Ok(bytes)
    }

    /// As [`Root::read`], into a buffer that is cleared first.
    pub(crate) fn read_into(&self, path: &[u8], limit: u64, to: &mut Vec<u8>) -> io::Result<()> {
        to.clear();
        let file = self.file(path)?;
        let size = file.metadata()?.len();
        if size > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        to.reserve(usize::try_from(size).unwrap_or_default().saturating_add(1));
        file.take(limit.saturating_add(1)).read_to_end(to)?;
        if u64::try_from(to.len()).is_ok_and(|len| len <= limit) {
            Ok(())
        } else {
            Err(io::ErrorKind::FileTooLarge.into())
        }
    }

    /// Names of a directory's entries, in no particular order.
    ///
    /// # Errors
    /// `FileTooLarge` if they would take more than 16 MB.
    pub(crate) fn names(&self, path: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        let dir = self.find(path, OFlags::DIRECTORY)?;
        let (mut names, mut bytes) = (Vec::new(), 0usize);
        for entry in std::fs::read_dir(through(&dir))? {
            let name = entry?.file_name().into_vec();
            bytes = bytes.saturating_add(name.len() + size_of::<Vec<u8>>());
            if bytes > NAMES {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            names.push(name);
        }
        Ok(names)
    }

    /// Where a symbolic link points to; `None` if there is none.
    pub(crate) fn link(&self, path: &[u8]) -> Option<Vec<u8>> {
        let found = self.find(path, OFlags::NOFOLLOW).ok()?;
        let target = rustix::fs::readlinkat(&found, "", Vec::new()).ok()?;
        Some(target.into_bytes())
    }

    /// Which version of the file or directory there is; `None` if there is none.
    pub(crate) fn stamp(&self, path: &[u8]) -> Option<Stamp> {
        let meta = self.find(path, OFlags::empty()).ok()?.metadata().ok()?;
        let kind = meta.file_type();
        if kind.is_fifo() || kind.is_socket() || kind.is_char_device() || kind.is_block_device() {
            return None;
        }
        Some(Stamp {
            file: (meta.dev(), meta.ino()),
            size: meta.size(),
            mtime: (meta.mtime(), meta.mtime_nsec()),
            ctime: (meta.ctime(), meta.ctime_nsec()),
        })
    }

    /// The device that a directory is on.
    pub(crate) fn device(&self, path: &[u8]) -> Option<u64> {
        Some(self.find(path, OFlags::DIRECTORY).ok()?.metadata().ok()?.dev())
    }

    /// Whether a directory is there.
    pub(crate) fn has_dir(&self, path: &[u8]) -> bool {
        self.find(path, OFlags::DIRECTORY).is_ok()
    }

    /// Whether a regular file is there, and how large.
    pub(crate) fn size(&self, path: &[u8]) -> Option<u64> {
        let meta = self.find(path, OFlags::empty()).ok()?.metadata().ok()?;
        meta.is_file().then_some(meta.len())
    }
}

/// A path that opens what a descriptor is open on.
fn through(file: &File) -> std::path::PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// Joins two parts of a path by a slash.
pub(crate) fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    Path::new(std::ffi::OsStr::from_bytes(dir))
        .join(std::ffi::OsStr::from_bytes(name))
        .into_os_string()
        .into_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_stay_inside_and_only_regular_files_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        std::fs::write(dir.path().join("etc/passwd"), "inside").unwrap();
        symlink("/etc/passwd", dir.path().join("absolute")).unwrap();
        symlink("../../../../etc/passwd", dir.path().join("upward")).unwrap();
        symlink("a", dir.path().join("b")).unwrap();
        symlink("b", dir.path().join("a")).unwrap();
        symlink("/proc/self/root/etc/passwd", dir.path().join("magic")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            dir.path().join("fifo"),
            rustix::fs::FileType::Fifo,
            Mode::RUSR,
            0,
        )
        .unwrap();
        for path in ["absolute", "upward", "etc/passwd", "/../etc/passwd"] {
            assert_eq!(root.read(path.as_bytes(), 6).unwrap(), b"inside", "{path}");
        }
        assert_eq!(root.read(b"absolute", 5).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        for path in ["a", "magic", "fifo", "etc", "no", &"x/".repeat(3000), "nul\0"] {
            assert!(root.read(path.as_bytes(), 100).is_err(), "{path}");
        }
        assert_eq!(root.link(b"a").unwrap(), b"b");
        assert_eq!(root.link(b"etc"), None);
        assert_eq!(root.names(b"etc").unwrap(), [b"passwd".to_vec()]);
        assert!(root.names(b"etc/passwd").is_err() && root.names(b"a").is_err());
        assert!(root.has_dir(b"etc") && !root.has_dir(b"absolute"));
        assert!(Root::from_fd(File::open(dir.path().join("etc/passwd")).unwrap().into()).is_err());
    }

    #[test]
    fn a_stamp_changes_with_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        assert_eq!(root.stamp(b"status"), None);
        std::fs::write(dir.path().join("status"), "1").unwrap();
        let first = root.stamp(b"status");
        assert!(first.is_some() && first == root.stamp(b"status"));
        std::fs::write(dir.path().join("new"), "2").unwrap();
        std::fs::rename(dir.path().join("new"), dir.path().join("status")).unwrap();
        assert_ne!(root.stamp(b"status"), first);
    }
}
