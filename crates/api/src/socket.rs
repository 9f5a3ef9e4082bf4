//! Making, finding and reaching the socket.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::sys::socket::{self, AddressFamily, Backlog, SockFlag, SockType, UnixAddr};
use nix::sys::stat::{Mode, fchmod};

use crate::ServerError;

/// What `sockaddr_un` has room for, without the closing NUL.
const LONGEST: usize = 107;

/// A path that fits into a socket address, however deep the directory is. The directory must stay
/// open meanwhile.
struct Short {
    path: PathBuf,
    _directory: Option<File>,
}

fn shorten(path: &Path) -> io::Result<Short> {
    if path.as_os_str().len() <= LONGEST {
        return Ok(Short { path: path.to_owned(), _directory: None });
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidFilename.into());
    };
    let directory = File::open(parent)?;
    let path = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
    Ok(Short { path, _directory: Some(directory) })
}

/// Connects to whoever listens there.
pub(crate) fn connect(path: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(shorten(path)?.path)
}

/// A listening socket in the file system, removed with its owner.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) listener: UnixListener,
    path: PathBuf,
    id: (u64, u64),
}

impl Bound {
    /// Listens at `path`. Nobody but the owner can connect before mode and group are as they
    /// should be.
    pub(crate) fn new(path: &Path, mode: u32, gid: Option<u32>) -> Result<Self, ServerError> {
        let failed = |source| ServerError::Io { path: path.to_owned(), source };
        clear(path)?;
        let short = shorten(path).map_err(failed)?;
        let listener = listen(&short.path).map_err(failed)?;
        if gid.is_some() {
            std::os::unix::fs::lchown(&short.path, None, gid).map_err(failed)?;
        }
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&short.path, permissions).map_err(failed)?;
        let meta = path.symlink_metadata().map_err(failed)?;
        Ok(Self { listener, path: path.to_owned(), id: (meta.dev(), meta.ino()) })
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        // Only what is still ours: a successor may already listen at the same path.
        let ours = |meta: std::fs::Metadata| (meta.dev(), meta.ino()) == self.id;
        if self.path.symlink_metadata().is_ok_and(ours) {
            // A file that stays behind is replaced at the next start.
            std::fs::remove_file(&self.path).ok();
        }
    }
}

/// Removes what a daemon that was killed left behind, and nothing else.
fn clear(path: &Path) -> Result<(), ServerError> {
    let failed = |source| ServerError::Io { path: path.to_owned(), source };
    match path.symlink_metadata() {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(err) => return Err(failed(err)),
        Ok(meta) if !meta.file_type().is_socket() => {
            return Err(ServerError::NotASocket { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    match connect(path) {
        Err(err) if err.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(failed)
        }
        Ok(_) => Err(ServerError::InUse { path: path.to_owned() }),
        Err(err) => Err(failed(err)),
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket::socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    // The file is made with the mode of the socket it is made for.
    fchmod(&fd, Mode::S_IRUSR | Mode::S_IWUSR)?;
    socket::bind(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    socket::listen(&fd, Backlog::new(16)?)?;
    Ok(fd.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o7777
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("live.sock");
        drop(UnixListener::bind(&path).unwrap());
        let bound = Bound::new(&path, 0o660, None).unwrap();
        assert_eq!(mode(&path), 0o660);
        assert!(matches!(Bound::new(&path, 0o660, None), Err(ServerError::InUse { .. })));
        drop(bound);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("live.sock");
        std::fs::write(&path, "precious").unwrap();
        let err = Bound::new(&path, 0o660, None).unwrap_err();
        assert!(matches!(err, ServerError::NotASocket { .. }));
        assert!(err.to_string().contains("move it away"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        let nowhere = Bound::new(&dir.path().join("no/live.sock"), 0o660, None);
        assert!(matches!(nowhere, Err(ServerError::Io { .. })));
    }

    #[test]
    fn a_deep_directory_is_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(100)).join("e".repeat(100));
        std::fs::create_dir_all(&deep).unwrap();
        let path = deep.join("live.sock");
        let bound = Bound::new(&path, 0o600, None).unwrap();
        assert_eq!(mode(&path), 0o600);
        connect(&path).unwrap();
        drop(bound);
        assert!(!path.exists());
    }

    #[test]
    fn a_successor_keeps_its_socket() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("live.sock");
        let old = Bound::new(&path, 0o660, None).unwrap();
        std::fs::remove_file(&path).unwrap();
        let _new = Bound::new(&path, 0o660, None).unwrap();
        drop(old);
        connect(&path).unwrap();
    }
}
