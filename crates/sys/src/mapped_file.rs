//! A file in memory as the page cache has it: what is not read takes none.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;

/// The bytes of a file that nobody writes to; [`crate::copies`] makes such. What was not read lately
/// can be taken back by the system at any time.
#[derive(Debug)]
pub struct MappedFile {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the memory is not tied to a thread, and only read.
unsafe impl Send for MappedFile {}
// SAFETY: as above.
unsafe impl Sync for MappedFile {}

impl MappedFile {
    /// Maps the first `len` bytes, and tells the kernel that they are read here and there, so
    /// that it maps no more than is read.
    ///
    /// # Safety
    /// As long as this value lives, the file has at least `len` bytes (to read beyond its end is
    /// SIGBUS) and none of them changes (they are handed out as constant).
    ///
    /// # Errors
    /// As `mmap(2)`: also if `len` is 0.
    pub(crate) unsafe fn new(file: &File, len: usize) -> io::Result<Self> {
        let (prot, flags) = (libc::PROT_READ, libc::MAP_PRIVATE);
        // SAFETY: a fresh mapping of a length that is the kernel's to check; nothing else refers to
        // it.
        let start =
            unsafe { libc::mmap(std::ptr::null_mut(), len, prot, flags, file.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // Else the first byte that is read of a file that lies in memory in huge pages maps 2 MiB.
        for advice in [libc::MADV_RANDOM, libc::MADV_NOHUGEPAGE] {
            // SAFETY: exactly the mapping just made. It is advice: that it fails does no harm.
            let _ = unsafe { libc::madvise(start, len, advice) };
        }
        let start = NonNull::new(start.cast()).ok_or_else(io::Error::last_os_error)?;
        Ok(Self { start, len })
    }
}

impl AsRef<[u8]> for MappedFile {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: mapped to be read, of this length, as long as self lives; that the file keeps its
        // bytes whoever called new() has promised.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        // SAFETY: exactly what mmap returned; no reference outlives self.
        let _ = unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}
