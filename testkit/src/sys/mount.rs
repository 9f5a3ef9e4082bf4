//! Mounting a file system that a program serves.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::checked;

/// Mounts what is served through `device` (`/dev/fuse`, open for both ways) at a directory, as
/// `fusermount3` does for a user: nobody else may look at it unless it is `shared`.
///
/// # Errors
/// What `mount(2)` said.
pub fn fuse(device: &File, at: &Path, user: u32, shared: bool) -> io::Result<()> {
    let shared = if shared { ",allow_other" } else { "" };
    let fd = device.as_raw_fd();
    let options = format!("fd={fd},rootmode=40000,user_id={user},group_id={user}{shared}");
    let (at, options) = (CString::new(at.as_os_str().as_bytes())?, CString::new(options)?);
    let (source, kind) = (c"testkit".as_ptr(), c"fuse.testkit".as_ptr());
    let flags = libc::MS_NOSUID | libc::MS_NODEV;
    // SAFETY: all are strings that outlive the call.
    checked(unsafe { libc::mount(source, at.as_ptr(), kind, flags, options.as_ptr().cast()) })?;
    Ok(())
}
