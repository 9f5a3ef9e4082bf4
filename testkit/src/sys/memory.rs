//! The kernel's memory for a socket's options.

use std::io;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;

use super::checked;
use super::length;

/// Longest classic filter (`BPF_MAXINSNS`).
const LONGEST: usize = 4096;
/// `BPF_RET | BPF_K` with a value that accepts every packet whole.
const ACCEPT: libc::sock_filter = libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: u32::MAX };
/// `BPF_LD | BPF_W | BPF_ABS`: the kernel's own form of it takes several times the room.
const WIDE: libc::sock_filter = libc::sock_filter { code: 0x20, jt: 0, jf: 0, k: 0 };
/// `BPF_LD | BPF_IMM`: one instruction in either form.
const NARROW: libc::sock_filter = libc::sock_filter { code: 0x00, jt: 0, jf: 0, k: 0 };

/// Uses up a socket's option memory (`net.core.optmem_max`) with a filter that accepts everything,
/// as far as to the last instruction: nothing else that is charged to it finds room any more.
///
/// # Errors
/// What `setsockopt(2)` said to a filter of two instructions.
pub fn use_up(fd: &impl AsFd) -> io::Result<()> {
    let wide = most(|count| attach(fd, count, 0).is_ok());
    let narrow = most(|count| wide + count + 2 <= LONGEST && attach(fd, wide, count).is_ok());
    attach(fd, wide, narrow)
}

/// The largest number below [`LONGEST`] that `fits`.
fn most(fits: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, LONGEST);
    while high - low > 1 {
        let middle = low.midpoint(high);
        if fits(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// Replaces the filter by one whose padding is never run.
fn attach(fd: &impl AsFd, wide: usize, narrow: usize) -> io::Result<()> {
    let raw = fd.as_fd().as_raw_fd();
    // The old one would be charged until the new one is there.
    drop(super::socket::set_option(fd, libc::SOL_SOCKET, libc::SO_DETACH_FILTER, 0));
    let mut code = vec![ACCEPT];
    code.extend(std::iter::repeat_n(WIDE, wide));
    code.extend(std::iter::repeat_n(NARROW, narrow));
    code.push(ACCEPT);
    let len = u16::try_from(code.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len, filter: code.as_mut_ptr() };
    let (value, size) = ((&raw const program).cast(), length(size_of::<libc::sock_fprog>())?);
    // SAFETY: `program` names `len` instructions; both outlive the call.
    checked(unsafe {
        libc::setsockopt(raw, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, value, size)
    })?;
    Ok(())
}
