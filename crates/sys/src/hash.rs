//! SHA-256 of an open file that others may be writing to.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use sha2::{Digest, Sha256};

use crate::file::{self, FileStat};

/// Large enough that system calls do not show, small enough to stay in a second-level cache.
pub(crate) const CHUNK: usize = 256 * 1024;

/// How often a file that changes meanwhile is read.
const ATTEMPTS: u32 = 3;

/// A digest and what it is the digest of.
#[derive(Debug, Clone, Copy)]
pub struct Hashed {
    /// SHA-256 of the whole contents.
    pub sha256: [u8; 32],
    /// Bytes read.
    pub len: u64,
    /// The file as it was before and after reading.
    pub stat: FileStat,
}

/// Why there is no digest.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// It was written to, or its inode was changed, each time it was read.
    #[error("the file kept changing while it was read")]
    Changed,
    /// The caller asked to stop.
    #[error("hashing was interrupted")]
    Cancelled,
    /// It could not be read.
    #[error("the file could not be read: {0}")]
    Io(#[from] io::Error),
}

/// Hashes the whole file from its start; the descriptor's offset is neither used nor moved.
///
/// The digest is valid only for one version of the file, so the file is looked at before and
/// after. A change of the inode alone (somebody unlinked a running program) says nothing of the
/// contents, hence some more attempts before giving up.
///
/// # Errors
/// [`HashError`]; when `cancel` is set, within one chunk (256 KiB).
pub fn hash_fd(fd: BorrowedFd<'_>, cancel: &AtomicBool) -> Result<Hashed, HashError> {
    hash_with(fd, &mut vec![0; CHUNK], cancel)
}

/// Likewise, a bufferful at a time. Allocates nothing.
pub(crate) fn hash_with(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
    cancel: &AtomicBool,
) -> Result<Hashed, HashError> {
    // Advice only: read ahead far, and leave the page cache's order alone so that hashing a big
    // program evicts nothing that is in use. Older kernels ignore the latter.
    for advice in
        [PosixFadviseAdvice::POSIX_FADV_SEQUENTIAL, PosixFadviseAdvice::POSIX_FADV_NOREUSE]
    {
        posix_fadvise(fd, 0, 0, advice).ok();
    }
    let mut before = file::stat(fd)?;
    for _ in 0..ATTEMPTS {
        let (sha256, len) = read_through(fd, buffer, cancel)?;
        let after = file::stat(fd)?;
        if after.same_contents(&before) && len == after.size {
            return Ok(Hashed { sha256, len, stat: after });
        }
        before = after;
    }
    Err(HashError::Changed)
}

fn read_through(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
    cancel: &AtomicBool,
) -> Result<([u8; 32], u64), HashError> {
    let mut hasher = Sha256::new();
    let mut len = 0u64;
    loop {
        if cancel.load(Ordering::Relaxed) {
            return Err(HashError::Cancelled);
        }
        let read = pread(fd, buffer, len)?;
        let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else {
            return Ok((hasher.finalize().into(), len));
        };
        hasher.update(chunk);
        len += read as u64;
    }
}

fn pread(fd: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let offset = i64::try_from(offset).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    loop {
        // SAFETY: the descriptor is open and `buffer` is writable for its whole length.
        let read = unsafe {
            libc::pread64(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), offset)
        };
        match usize::try_from(read) {
            Ok(read) => return Ok(read),
            Err(_) => {
                let err = io::Error::last_os_error();
                if err.kind() != io::ErrorKind::Interrupted {
                    return Err(err);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Seek, Write};
    use std::os::fd::AsFd;
    use std::os::unix::fs::FileExt;
    use std::process::Command;
    use std::sync::Arc;
    use std::time::Duration;
    use std::time::Instant;

    static GO: AtomicBool = AtomicBool::new(false);

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn digests_equal_those_of_sha256sum() {
        let dir = tempfile::tempdir().unwrap();
        for len in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 17] {
            let path = dir.path().join("file");
            let text: Vec<u8> = (0..=250).cycle().take(len).collect();
            std::fs::write(&path, &text).unwrap();
            let out = Command::new("sha256sum").arg(&path).output().unwrap().stdout;
            let file = File::open(&path).unwrap();
            let hashed = hash_fd(file.as_fd(), &GO).unwrap();
            assert_eq!(hex(&hashed.sha256), String::from_utf8_lossy(&out[..64]));
            assert_eq!(hashed.len, len as u64);
        }
    }

    #[test]
    fn a_file_that_keeps_changing_is_reported() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![1; 8 << 20]).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let writer = {
            let (file, stop) = (file.try_clone().unwrap(), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut byte = 0u8;
                while !stop.load(Ordering::Relaxed) {
                    byte = byte.wrapping_add(1);
                    file.write_all_at(&[byte], 77).unwrap();
                }
            })
        };
        // Where the writer has no processor all the while, nothing changes and nothing is wrong.
        let begun = Instant::now();
        let reported = std::iter::repeat_with(|| hash_fd(file.as_fd(), &GO))
            .take_while(|_| begun.elapsed() < Duration::from_secs(30))
            .any(|result| matches!(result, Err(HashError::Changed)));
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap();
        assert!(reported);
        assert!(hash_fd(file.as_fd(), &GO).is_ok());
        assert_eq!(file.stream_position().unwrap(), 8 << 20);
    }

    #[test]
    fn a_change_of_the_inode_alone_is_survived() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&vec![2; 16 << 20]).unwrap();
        let open = file.reopen().unwrap();
        let unlinker = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(5));
            file.close().unwrap();
        });
        let hashed = hash_fd(open.as_fd(), &GO).unwrap();
        unlinker.join().unwrap();
        assert_eq!(hashed.len, 16 << 20);
    }

    #[test]
    fn it_can_be_cancelled() {
        let file = tempfile::tempfile().unwrap();
        let result = hash_fd(file.as_fd(), &AtomicBool::new(true));
        assert!(matches!(result, Err(HashError::Cancelled)));
    }

    #[test]
    fn a_directory_gives_an_error() {
        let dir = File::open("/").unwrap();
        assert!(matches!(hash_fd(dir.as_fd(), &GO), Err(HashError::Io(_))));
    }
}
