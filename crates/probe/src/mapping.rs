//! A BPF array that user space reads and writes without system calls.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

/// Memory shared with the BPF programs. All access is atomic: the other side runs at any time.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the memory is plain shared memory, not tied to a thread, and only handed out as atomics.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `len` bytes of the `BPF_F_MMAPABLE` array behind `fd`, from `offset` (a multiple of
    /// the page size) on. The kernel maps every page at once: what is not mapped costs nothing.
    pub(crate) fn new(fd: BorrowedFd<'_>, offset: usize, len: usize) -> io::Result<Self> {
        let offset = libc::off_t::try_from(offset).map_err(io::Error::other)?;
        // SAFETY: a fresh shared mapping of a length that is the kernel's to check; nothing else
        // refers to it.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                offset,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(io::Error::last_os_error)?;
        Ok(Self { start, len })
    }

    /// The address of `size` bytes at `offset`, if they lie inside and are aligned to their size.
    fn at(&self, offset: usize, size: usize) -> Option<*mut u8> {
        let end = offset.checked_add(size)?;
        if end > self.len || !offset.is_multiple_of(size) {
            return None;
        }
        // SAFETY: offset is within the mapping.
        Some(unsafe { self.start.as_ptr().add(offset) })
    }

    pub(crate) fn u64(&self, offset: usize) -> Option<&AtomicU64> {
        let at = self.at(offset, size_of::<u64>())?;
        // SAFETY: inside the mapping, aligned, alive as long as self, and shared with the kernel
        // through atomic accesses only.
        Some(unsafe { AtomicU64::from_ptr(at.cast()) })
    }

    pub(crate) fn u32(&self, offset: usize) -> Option<&AtomicU32> {
        let at = self.at(offset, size_of::<u32>())?;
        // SAFETY: as in u64().
        Some(unsafe { AtomicU32::from_ptr(at.cast()) })
    }

    pub(crate) fn u8(&self, offset: usize) -> Option<&AtomicU8> {
        let at = self.at(offset, size_of::<u8>())?;
        // SAFETY: as in u64().
        Some(unsafe { AtomicU8::from_ptr(at) })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly what mmap returned; no reference outlives self.
        let _ = unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}
