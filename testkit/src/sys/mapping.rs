//! Writing to a file without a call that writes.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Replaces the end of a file through a shared mapping of it, which is gone when this returns.
///
/// # Errors
/// What `mmap(2)` said; `InvalidInput` if the file is shorter than `end`.
pub fn replace_end(file: &File, end: &[u8]) -> io::Result<()> {
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let Some(offset) = length.checked_sub(end.len()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let (access, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
    // SAFETY: a fresh mapping of a length that is the file's; nothing else refers to it.
    let start =
        unsafe { libc::mmap(std::ptr::null_mut(), length, access, shared, file.as_raw_fd(), 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `end` fits behind `offset`, and the mapping can be written to.
    unsafe { start.cast::<u8>().add(offset).copy_from_nonoverlapping(end.as_ptr(), end.len()) };
    // SAFETY: exactly what mmap returned.
    super::checked(unsafe { libc::munmap(start, length) })?;
    Ok(())
}
