//! Block devices whose other end is a socket (nbd).

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;

use super::checked;

/// `NBD_*`, `_IO(0xab, N)`.
const SET_SOCK: libc::Ioctl = 0xab00;
const SET_BLKSIZE: libc::Ioctl = 0xab01;
const DO_IT: libc::Ioctl = 0xab03;
const CLEAR_SOCK: libc::Ioctl = 0xab04;
const SET_SIZE_BLOCKS: libc::Ioctl = 0xab07;
const DISCONNECT: libc::Ioctl = 0xab08;
const SET_FLAGS: libc::Ioctl = 0xab0a;
/// `BLKFLSBUF`: forgets what was read.
const FORGET: libc::Ioctl = 0x1261;
/// `NBD_FLAG_HAS_FLAGS`: nothing optional.
const PLAIN: libc::c_ulong = 1;

fn tell(device: &File, what: libc::Ioctl, value: libc::c_ulong) -> io::Result<()> {
    // SAFETY: none of these requests takes a pointer.
    checked(unsafe { libc::ioctl(device.as_raw_fd(), what, value) })?;
    Ok(())
}

/// Gives the device a size, in blocks of so many bytes, and a connected socket, which is the
/// kernel's to use from then on.
///
/// # Errors
/// What `ioctl(2)` said; `EBUSY` if it has one.
pub fn attach(device: &File, socket: &impl AsFd, block: u32, blocks: u32) -> io::Result<()> {
    let raw = u32::try_from(socket.as_fd().as_raw_fd()).map_err(io::Error::other)?;
    tell(device, SET_BLKSIZE, block.into())?;
    tell(device, SET_SIZE_BLOCKS, blocks.into())?;
    tell(device, SET_FLAGS, PLAIN)?;
    tell(device, SET_SOCK, raw.into())
}

/// Lends the calling thread to the device until it is disconnected.
///
/// # Errors
/// What `ioctl(2)` said.
pub fn drive(device: &File) -> io::Result<()> {
    tell(device, DO_IT, 0)
}

/// Says goodbye to the server; [`drive`] then returns.
///
/// # Errors
/// What `ioctl(2)` said.
pub fn disconnect(device: &File) -> io::Result<()> {
    tell(device, DISCONNECT, 0)
}

/// Makes the kernel let go of the socket.
///
/// # Errors
/// What `ioctl(2)` said.
pub fn detach(device: &File) -> io::Result<()> {
    tell(device, CLEAR_SOCK, 0)
}

/// Makes the kernel forget what it has read from the device.
///
/// # Errors
/// What `ioctl(2)` said.
pub fn forget(device: &File) -> io::Result<()> {
    tell(device, FORGET, 0)
}
