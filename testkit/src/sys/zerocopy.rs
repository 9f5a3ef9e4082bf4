//! Pages that go between a process and a socket without being copied.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;

use super::checked;
use super::length;
use super::sized;

/// `TCP_ZEROCOPY_RECEIVE`.
const TCP_ZEROCOPY_RECEIVE: i32 = 35;

/// Memory that a kernel object is mapped into.
#[derive(Debug)]
pub(super) struct Mapping {
    start: *mut libc::c_void,
    len: usize,
}

impl Mapping {
    /// Maps `len` bytes of `fd`, shared.
    pub(super) fn of(fd: &impl AsFd, len: usize, access: i32) -> io::Result<Self> {
        Self::at(fd, len, access, 0)
    }

    /// The same from some offset on.
    pub(super) fn at(fd: &impl AsFd, len: usize, access: i32, offset: i64) -> io::Result<Self> {
        let (raw, anywhere) = (fd.as_fd().as_raw_fd(), std::ptr::null_mut());
        // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
        let start = unsafe { libc::mmap(anywhere, len, access, libc::MAP_SHARED, raw, offset) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { start, len })
    }

    /// Where it begins.
    pub(super) fn start(&self) -> *mut u8 {
        self.start.cast()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and nothing borrows from it.
        unsafe { libc::munmap(self.start, self.len) };
    }
}

/// Where a TCP socket's received pages appear.
#[derive(Debug)]
pub struct Window(Mapping);

impl Window {
    /// A window of `len` bytes, which has to be a multiple of the page size.
    ///
    /// # Errors
    /// What `mmap(2)` said.
    pub fn new(fd: &impl AsFd, len: usize) -> io::Result<Self> {
        Mapping::of(fd, len, libc::PROT_READ).map(Self)
    }

    /// Takes what has arrived, up to `most` bytes: how many bytes were mapped, and how many have
    /// to be received by a copy before more can be mapped. Both are 0 if nothing has arrived.
    ///
    /// # Errors
    /// What `getsockopt(2)` said.
    pub fn receive(&self, fd: &impl AsFd, most: usize) -> io::Result<(usize, usize)> {
        // struct tcp_zerocopy_receive as far as every kernel knows it.
        let address = self.0.start() as u64;
        let mut request = [0_u8; 16];
        let wanted = length(most.min(self.0.len))?;
        let flat = address.to_ne_bytes().into_iter().chain(wanted.to_ne_bytes());
        request.iter_mut().zip(flat).for_each(|(slot, byte)| *slot = byte);
        let mut size = length(request.len())?;
        let (raw, level) = (fd.as_fd().as_raw_fd(), libc::IPPROTO_TCP);
        let value = request.as_mut_ptr().cast();
        // SAFETY: `value` has room for `size` bytes; the pages go into our own mapping.
        checked(unsafe {
            libc::getsockopt(raw, level, TCP_ZEROCOPY_RECEIVE, value, &raw mut size)
        })?;
        let [.., a, b, c, d, e, f, g, h] = request;
        let mapped = u32::from_ne_bytes([a, b, c, d]) as usize;
        Ok((mapped, u32::from_ne_bytes([e, f, g, h]) as usize))
    }
}

/// Puts `data` into a pipe by reference; it must not be changed until it was read.
///
/// # Errors
/// What `vmsplice(2)` said.
pub fn vmsplice(pipe: &File, data: &'static [u8]) -> io::Result<usize> {
    let part = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
    // SAFETY: `part` names `data`, which is never changed or freed; the kernel only reads it.
    sized(unsafe { libc::vmsplice(pipe.as_raw_fd(), &raw const part, 1, 0) })
}
