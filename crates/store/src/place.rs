//! The files: where they lie and who may read them. Never opens the database file itself once
//! SQLite has it: closing any descriptor of it would drop this process' locks.

use std::ffi::OsString;
use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::Permissions;
use std::fs::TryLockError;
use std::io;
use std::io::Read as _;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use crate::StoreError;

/// Mode of the database and of everything SQLite makes beside it.
const FILE_MODE: u32 = 0o640;
/// Mode of the directory that holds the history; those above it are for everyone.
const DIR_MODE: u32 = 0o750;
const PARENT_MODE: u32 = 0o755;

/// `path` with `suffix` appended to its last component.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Whether a file begins with these bytes.
pub(crate) fn begins_with(path: &Path, bytes: &[u8]) -> Result<bool, StoreError> {
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(bytes.len() as u64).read_to_end(&mut start))
        .map_err(|error| StoreError::from_io(path.to_owned(), &error))?;
    Ok(start == bytes)
}

/// Size in bytes, 0 if there is no such file.
pub(crate) fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

/// Makes sure that the directory of `path` exists, owned by `group` if it had to be made.
pub(crate) fn make_directory(path: &Path, group: Option<u32>) -> Result<(), StoreError> {
    let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) else {
        return Ok(());
    };
    if dir.is_dir() {
        return Ok(());
    }
    let failed = |error: io::Error| StoreError::from_io(dir, &error);
    if let Some(above) = dir.parent().filter(|above| !above.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(PARENT_MODE).create(above).map_err(failed)?;
    }
    DirBuilder::new().recursive(true).mode(DIR_MODE).create(dir).map_err(failed)?;
    fs::set_permissions(dir, Permissions::from_mode(DIR_MODE)).map_err(failed)?;
    give(dir, group)
}

/// Creates an empty file if there is none. Returns whether it did.
pub(crate) fn make_file(path: &Path, group: Option<u32>) -> Result<bool, StoreError> {
    let failed = |error: io::Error| StoreError::from_io(path, &error);
    match OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path) {
        Ok(file) => {
            file.set_permissions(Permissions::from_mode(FILE_MODE)).map_err(failed)?;
            give(path, group)?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

/// Creates an empty file with the owner and mode of `model`.
pub(crate) fn create_like(path: &Path, model: &Path) -> Result<(), StoreError> {
    let meta = fs::metadata(model).map_err(|error| StoreError::from_io(model, &error))?;
    make_file(path, Some(meta.gid()))?;
    Ok(())
}

/// Takes away what everybody may do with the database and its companions: a history tells who
/// talked to whom.
pub(crate) fn close_to_others(path: &Path) -> Result<(), StoreError> {
    for path in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")] {
        let Ok(meta) = fs::metadata(&path) else { continue };
        if meta.is_file() && meta.mode() & 0o007 != 0 {
            fs::set_permissions(&path, Permissions::from_mode(meta.mode() & 0o770))
                .map_err(|error| StoreError::from_io(&path, &error))?;
        }
    }
    Ok(())
}

fn give(path: &Path, group: Option<u32>) -> Result<(), StoreError> {
    let Some(group) = group else { return Ok(()) };
    std::os::unix::fs::chown(path, None, Some(group))
        .map_err(|error| StoreError::from_io(path, &error))
}

/// Takes the lock that makes a writer the only one. Held until the file is dropped, also by
/// `kill -9`.
pub(crate) fn lock(path: &Path) -> Result<File, StoreError> {
    let lock = beside(path, ".lock");
    let failed = |error: io::Error| StoreError::from_io(&lock, &error);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&lock)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Removes a file of ours that is of no use any more.
pub(crate) fn remove_quietly(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::debug!(path = %path.display(), %error, "left-over file not removed");
    }
}

/// Makes renames in the directory of `path` last through a power cut.
pub(crate) fn sync_directory(path: &Path) {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Err(error) = File::open(dir).and_then(|dir| dir.sync_all()) {
        tracing::debug!(path = %dir.display(), %error, "directory not synced");
    }
}
