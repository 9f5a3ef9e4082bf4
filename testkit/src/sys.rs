//! Small safe helpers over the system calls that the standard library does not offer.

pub mod address;
pub mod block;
pub mod interface;
pub mod mapping;
pub mod memory;
pub mod mount;
pub mod process;
pub mod ring;
pub mod socket;
pub mod tiny;
pub mod tls;
pub mod vectored;
pub mod xdp;
pub mod zerocopy;

use std::io;

/// Turns the C convention (-1 and errno) into a result.
fn checked(returned: i32) -> io::Result<i32> {
    if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(returned) }
}

/// The same for calls that return a size.
fn sized(returned: isize) -> io::Result<usize> {
    usize::try_from(returned).map_err(|_negative| io::Error::last_os_error())
}

/// Length of a buffer as the C interfaces want it.
fn length(bytes: usize) -> io::Result<u32> {
    u32::try_from(bytes).map_err(|_big| io::Error::from(io::ErrorKind::InvalidInput))
}
