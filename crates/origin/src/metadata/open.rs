//! Opening a runtime's file so that nobody who could have placed it leads a daemon of root astray.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};

use super::Unknown;
use crate::text::clean;

/// A directory below which files are read.
pub(super) struct Place {
    directory: OwnedFd,
    /// Whose it is, if not root's.
    owner: Option<u32>,
}

impl Place {
    /// The system's own file system.
    pub(super) fn system(root: &Path) -> Result<Self, Unknown> {
        let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC);
        let directory = openat2(AT_FDCWD, root, how).map_err(|errno| failed(root, errno))?;
        Ok(Self { directory, owner: None })
    }

    /// A directory of a user, below the system's root: their home or run-time directory. `None`
    /// where it is not theirs: root's, or another's, is not to be searched in their name.
    pub(super) fn of_user(&self, path: &Path, uid: u32) -> Result<Option<Self>, Unknown> {
        let how = OpenHow::new()
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS)
            .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC);
        let directory = match openat2(self.directory.as_fd(), path, how) {
            Ok(directory) => directory,
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
            Err(errno) => return Err(failed(path, errno)),
        };
        let owner = nix::sys::stat::fstat(&directory).map_err(|errno| failed(path, errno))?;
        Ok((owner.st_uid == uid).then_some(Self { directory, owner: Some(uid) }))
    }

    /// Names of at most `most` entries of a directory; none if there is no such directory. Names
    /// that are no plain text are left out.
    pub(super) fn list(&self, path: &Path, most: usize) -> Result<Vec<String>, Unknown> {
        let how = OpenHow::new()
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS)
            .flags(OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC);
        let fd = match openat2(self.directory.as_fd(), path, how) {
            Ok(fd) => fd,
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(Vec::new()),
            Err(errno) => return Err(failed(path, errno)),
        };
        let mut directory = Dir::from_fd(fd).map_err(|errno| failed(path, errno))?;
        let name = |entry: nix::Result<nix::dir::Entry>| {
            let name = entry.ok()?.file_name().to_str().ok()?.to_owned();
            (name != "." && name != ".." && !name.chars().any(char::is_control)).then_some(name)
        };
        Ok(directory.iter().filter_map(name).take(most).collect())
    }

    /// A whole regular file of at most `limit` bytes; `None` if there is none.
    pub(super) fn read(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>, Unknown> {
        let resolve = match self.owner {
            // Root may link its own directories elsewhere.
            None => ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS,
            // A mount of the user's own (FUSE) could keep the reader waiting for ever.
            Some(_) => {
                ResolveFlag::RESOLVE_BENEATH
                    | ResolveFlag::RESOLVE_NO_SYMLINKS
                    | ResolveFlag::RESOLVE_NO_MAGICLINKS
                    | ResolveFlag::RESOLVE_NO_XDEV
            }
        };
        // O_NONBLOCK: a FIFO does not keep us waiting until it is found to be one.
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let how = OpenHow::new().resolve(resolve).flags(flags);
        let file = match openat2(self.directory.as_fd(), path, how) {
            Ok(file) => File::from(file),
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
            Err(errno) => return Err(failed(path, errno)),
        };
        let unreadable = |error: std::io::Error| Unknown::Unreadable {
            path: shown(path),
            why: clean(error.to_string().as_bytes()),
        };
        let meta = file.metadata().map_err(unreadable)?;
        if !meta.is_file() {
            return Err(Unknown::NotPlain { path: shown(path) });
        }
        // Not the user's: a hard link to somebody else's file.
        if let Some(uid) = self.owner.filter(|uid| *uid != meta.uid()) {
            return Err(Unknown::NotTheirs { path: shown(path), uid });
        }
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > limit {
            return Err(Unknown::TooLarge { path: shown(path), limit });
        }
        Ok(Some(bytes))
    }
}

fn failed(path: &Path, errno: Errno) -> Unknown {
    match errno {
        // A link, another file system, a socket.
        Errno::ELOOP | Errno::EXDEV | Errno::ENXIO => Unknown::NotPlain { path: shown(path) },
        _ => Unknown::Unreadable { path: shown(path), why: errno.desc().to_owned() },
    }
}

fn shown(path: &Path) -> String {
    clean(path.as_os_str().as_encoded_bytes())
}
