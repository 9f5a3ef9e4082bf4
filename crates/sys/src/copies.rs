//! Bytes kept in files of our own and mapped, in place of memory that nobody could take back.
//!
//! Another's file must not be mapped: whoever truncates it kills its readers by SIGBUS. These lie in
//! a directory that only this user enters, under the name of their contents, and are written once.
//! What is left is what holds for a program's own file as well: whoever is root can destroy it, and
//! so can a disk that breaks.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use nix::errno::Errno;
use nix::fcntl::{OFlag, PosixFadviseAdvice, openat, posix_fadvise, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};
use sha2::{Digest, Sha256};

use crate::mapped_file::MappedFile;
use crate::owner;

/// What is being written.
const UNFINISHED: &str = "unfinished";

/// Files of our own below one directory, which nobody else may use.
#[derive(Debug)]
pub struct Copies {
    directory: PathBuf,
    /// Names of those that are mapped, as far as they still are.
    mapped: Mutex<Vec<(String, Weak<MappedFile>)>>,
}

impl Copies {
    /// In `directory`, which is made with the first copy.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.into(), mapped: Mutex::default() }
    }

    /// A copy of `bytes`, mapped: the one of an earlier run, where that has the same bytes.
    ///
    /// # Errors
    /// As `open(2)`, `write(2)`, `fsync(2)` and `mmap(2)`; `PermissionDenied` where the directory or
    /// the copy is not this user's alone.
    pub fn keep(&self, bytes: &[u8]) -> io::Result<Arc<MappedFile>> {
        owner::ensure_dir(&self.directory, 0o700, None)?;
        let directory = self.open()?;
        let name = format!("{:x}", Sha256::digest(bytes));
        let file = match open_copy(&directory, &name, bytes) {
            Ok(file) => file,
            Err(_) => {
                write_copy(&directory, &name, bytes)?;
                open_copy(&directory, &name, bytes)?
            }
        };
        // SAFETY: a file that lies, with all its bytes on disk, in a directory that only this user
        // enters, is this user's, has no other name and may be written by nobody else. This module
        // never writes to a finished one: it removes it, which leaves the mapping as it is.
        let mapped = Arc::new(unsafe { MappedFile::new(&file, bytes.len()) }?);
        let mut all = self.mapped.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((name, Arc::downgrade(&mapped)));
        Ok(mapped)
    }

    /// Removes the files of which no mapping is left, also those of earlier runs.
    ///
    /// # Errors
    /// As `readdir(3)` and `unlink(2)`.
    pub fn remove_unused(&self) -> io::Result<()> {
        let mut mapped = self.mapped.lock().unwrap_or_else(PoisonError::into_inner);
        mapped.retain(|(_, copy)| copy.strong_count() > 0);
        let directory = match self.open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        for entry in std::fs::read_dir(&self.directory)? {
            let name = entry?.file_name();
            if mapped.iter().all(|(kept, _)| name.to_str() != Some(kept)) {
                unlinkat(&directory, name.as_os_str(), UnlinkatFlags::NoRemoveDir)?;
            }
        }
        Ok(())
    }

    /// The directory, if nobody else can reach what is in it.
    fn open(&self) -> io::Result<File> {
        let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW;
        let directory = File::options().read(true).custom_flags(flags).open(&self.directory)?;
        is_ours(&directory)?;
        Ok(directory)
    }
}

/// Whether it belongs to this user, and to nobody else.
fn is_ours(file: &File) -> io::Result<()> {
    let found = file.metadata()?;
    if found.uid() == geteuid().as_raw() && found.mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "others than its owner may use it"))
}

/// Opens a finished copy for reading, if it is one of `bytes`.
fn open_copy(directory: &File, name: &str, bytes: &[u8]) -> io::Result<File> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = File::from(openat(directory.as_fd(), name, flags, Mode::empty())?);
    is_ours(&file)?;
    let found = file.metadata()?;
    let is_finished = found.is_file() && found.nlink() == 1 && found.size() == bytes.len() as u64;
    if is_finished && has(&file, bytes)? {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "the copy is not as it was written"))
}

/// Compares, without a second copy in memory. Leaves the file in the page cache in small pages: of
/// large ones, which writing and reading ahead make, some kernels (6.18 does) map the whole at the
/// first byte that is read.
fn has(mut file: &File, bytes: &[u8]) -> io::Result<bool> {
    for advice in [PosixFadviseAdvice::POSIX_FADV_DONTNEED, PosixFadviseAdvice::POSIX_FADV_RANDOM] {
        // It only costs memory if it fails.
        posix_fadvise(file, 0, 0, advice).ok();
    }
    let mut buffer = vec![0; 64 << 10];
    for part in bytes.chunks(buffer.len()) {
        let Some(read) = buffer.get_mut(..part.len()) else { return Ok(false) };
        file.read_exact(read)?;
        if read != part {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes a copy, which has its name only once it is whole.
fn write_copy(directory: &File, name: &str, bytes: &[u8]) -> io::Result<()> {
    match unlinkat(directory, UNFINISHED, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let flags =
        OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mode = Mode::from_bits_truncate(0o400);
    let mut file = File::from(openat(directory.as_fd(), UNFINISHED, flags, mode)?);
    // Some file systems find out only when they write to the disk that there is no room.
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    let done = written.and_then(|()| Ok(renameat(directory, UNFINISHED, directory, name)?));
    if done.is_err() {
        unlinkat(directory, UNFINISHED, UnlinkatFlags::NoRemoveDir).ok();
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    /// In memory, where syncing does not hold up the tests beside these.
    fn directory() -> tempfile::TempDir {
        tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
    }

    /// Names and inodes.
    fn files(directory: &Path) -> Vec<(String, u64)> {
        let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
        let mut found: Vec<_> = entries
            .map(|entry| {
                let name = entry.file_name().into_string().unwrap();
                (name, entry.metadata().unwrap().ino())
            })
            .collect();
        found.sort();
        found
    }

    #[test]
    fn a_copy_is_written_once_and_goes_when_it_is_not_used() {
        let dir = directory();
        let path = dir.path().join("var/cache/x");
        let bytes: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let copies = Copies::new(&path);
        copies.remove_unused().unwrap();
        let first = copies.keep(&bytes).unwrap();
        assert_eq!((*first).as_ref(), bytes);
        let other = copies.keep(b"other").unwrap();
        let before = files(&path);
        assert_eq!(before.len(), 2);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o700);

        // The next run takes what is there, and removes the rest.
        let next = Copies::new(&path);
        let again = next.keep(&bytes).unwrap();
        std::fs::write(path.join(UNFINISHED), "x").unwrap();
        next.remove_unused().unwrap();
        let after = files(&path);
        assert_eq!(after.len(), 1);
        assert!(before.contains(&after[0]), "{before:?} {after:?}");
        drop(again);
        next.remove_unused().unwrap();
        assert_eq!(files(&path), []);
        // Those that were mapped are as they were.
        assert_eq!((*first).as_ref(), bytes);
        assert_eq!((*other).as_ref(), b"other");
    }

    #[test]
    fn what_is_not_as_it_was_written_is_written_anew() {
        let dir = directory();
        let path = dir.path().join("x");
        let copies = Copies::new(&path);
        drop(copies.keep(b"bytes").unwrap());
        let name = path.join(&files(&path)[0].0);
        let spoil: [&dyn Fn(); 5] = [
            &|| std::fs::write(&name, "bytez").unwrap(),
            &|| std::fs::write(&name, "byte").unwrap(),
            &|| std::fs::write(&name, "bytes").unwrap(),
            &|| std::fs::hard_link(&name, dir.path().join("second")).unwrap(),
            &|| std::os::unix::fs::symlink(dir.path().join("second"), &name).unwrap(),
        ];
        for (index, spoil) in spoil.iter().enumerate() {
            // All but the link's change a file that others may write to, as `write` makes it.
            if index != 3 {
                std::fs::remove_file(&name).unwrap();
            }
            spoil();
            let copy = copies.keep(b"bytes").unwrap();
            assert_eq!((*copy).as_ref(), b"bytes");
            let found = std::fs::symlink_metadata(&name).unwrap();
            assert_eq!((found.mode(), found.nlink()), (libc::S_IFREG | 0o400, 1), "{index}");
        }
    }

    #[test]
    fn where_others_could_write_nothing_is_kept() {
        let dir = directory();
        let elsewhere = dir.path().join("elsewhere");
        std::fs::create_dir(&elsewhere).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
        assert!(Copies::new(&link).keep(b"x").is_err());
        assert!(Copies::new(&link).remove_unused().is_err());
        assert!(Copies::new(Path::new("/proc/none/x")).keep(b"x").is_err());
        assert!(Copies::new(&dir.path().join("empty")).keep(b"").is_err());
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(Copies::new(&file).keep(b"x").is_err());
        std::fs::set_permissions(&elsewhere, Permissions::from_mode(0o770)).unwrap();
        assert!(is_ours(&File::open(&elsewhere).unwrap()).is_err());
    }
}
