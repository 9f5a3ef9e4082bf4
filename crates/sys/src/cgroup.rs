//! The root of the cgroup v2 hierarchy, where BPF programs that concern every process attach.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

/// Inode number of the first cgroup namespace (`PROC_CGROUP_INIT_INO`).
const INIT_NAMESPACE: u64 = 0xefff_fffb;

/// An open directory of the hierarchy's root.
#[derive(Debug)]
pub struct CgroupRoot {
    /// The directory.
    pub fd: OwnedFd,
    /// Where it is mounted; `None` if it was mounted for this process alone.
    pub path: Option<PathBuf>,
    /// It is the machine's root. `false` inside a container: programs attached there see that
    /// container's processes only.
    pub whole_machine: bool,
}

/// Opens the root where it is mounted, or mounts it where nobody else sees it.
///
/// # Errors
/// When it is mounted nowhere and mounting is not allowed (`CAP_SYS_ADMIN`) or not known to the
/// kernel (`ENODEV`: no `CONFIG_CGROUPS`).
pub fn root() -> io::Result<CgroupRoot> {
    let whole_machine =
        std::fs::metadata("/proc/self/ns/cgroup").is_ok_and(|ns| ns.ino() == INIT_NAMESPACE);
    for path in find_mounts(&std::fs::read("/proc/self/mountinfo")?) {
        // Something else may have been mounted over it: ask the file system itself.
        if let Ok(fd) = open_directory(&path)
            && is_cgroup2(&fd)
        {
            return Ok(CgroupRoot { fd, path: Some(path), whole_machine });
        }
    }
    Ok(CgroupRoot { fd: mount_private()?, path: None, whole_machine })
}

fn open_directory(path: &std::path::Path) -> io::Result<OwnedFd> {
    let mut options = File::options();
    Ok(options.read(true).custom_flags(libc::O_DIRECTORY).open(path)?.into())
}

fn is_cgroup2(fd: &OwnedFd) -> bool {
    nix::sys::statfs::fstatfs(fd)
        .is_ok_and(|stat| stat.filesystem_type() == nix::sys::statfs::CGROUP2_SUPER_MAGIC)
}

/// Mount points of whole cgroup v2 hierarchies in `/proc/self/mountinfo`, in its order.
fn find_mounts(mountinfo: &[u8]) -> Vec<PathBuf> {
    let mount = |line: &[u8]| {
        let mut fields = line.split(|&byte| byte == b' ');
        let root = fields.nth(3)?;
        let point = fields.next()?;
        // Optional fields end with a dash; then comes the type.
        fields.find(|field| *field == b"-")?;
        let whole = root == b"/" && fields.next()? == b"cgroup2";
        whole.then(|| PathBuf::from(OsString::from_vec(unescape(point))))
    };
    mountinfo.split(|&byte| byte == b'\n').filter_map(mount).collect()
}

/// Undoes the kernel's `\040` for space, tab, newline, backslash.
fn unescape(mut text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    while let Some((&byte, rest)) = text.split_first() {
        let octal = rest.first_chunk::<3>().filter(|_| byte == b'\\');
        let code =
            octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        text = match code {
            Some(code) => {
                out.push(code);
                rest.get(3..).unwrap_or_default()
            }
            None => {
                out.push(byte);
                rest
            }
        };
    }
    out
}

/// Mounts the hierarchy detached: in no directory, seen by nobody else, gone with the descriptor.
pub(crate) fn mount_private() -> io::Result<OwnedFd> {
    // SAFETY: the name is NUL-terminated; the result is a new descriptor or an error.
    let context =
        own(unsafe { libc::syscall(libc::SYS_fsopen, c"cgroup2".as_ptr(), FSOPEN_CLOEXEC) })?;
    let none = std::ptr::null::<libc::c_char>();
    // SAFETY: this command takes neither key nor value.
    let done = unsafe {
        libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), FSCONFIG_CMD_CREATE, none, none, 0)
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: takes numbers only; the result is a new descriptor or an error.
    let mount =
        own(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), FSMOUNT_CLOEXEC, 0) })?;
    // What fsmount gives is good for path look-up only; programs attach to an open directory.
    let flags =
        nix::fcntl::OFlag::O_RDONLY | nix::fcntl::OFlag::O_DIRECTORY | nix::fcntl::OFlag::O_CLOEXEC;
    Ok(nix::fcntl::openat(&mount, ".", flags, nix::sys::stat::Mode::empty())?)
}

const FSOPEN_CLOEXEC: u32 = 1;
const FSCONFIG_CMD_CREATE: u32 = 6;
const FSMOUNT_CLOEXEC: u32 = 1;

fn own(result: libc::c_long) -> io::Result<OwnedFd> {
    match i32::try_from(result) {
        // SAFETY: callers pass what a system call returned that makes a new descriptor.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::MetadataExt;

    fn inode(fd: &OwnedFd) -> (u64, u64) {
        let meta = File::from(fd.try_clone().unwrap()).metadata().unwrap();
        (meta.dev(), meta.ino())
    }

    #[test]
    fn the_mounted_and_the_private_root_are_the_same_directory() {
        let private = mount_private().unwrap();
        assert!(is_cgroup2(&private));
        let found = root().unwrap();
        assert!(is_cgroup2(&found.fd));
        if found.path.is_some() {
            assert_eq!(inode(&private), inode(&found.fd));
        }
        // Nobody sees it, and it can be read.
        let before = std::fs::read("/proc/self/mountinfo").unwrap();
        let procs =
            std::fs::read_to_string(format!("/proc/self/fd/{}/cgroup.procs", private.as_raw_fd()));
        assert!(procs.is_ok(), "{procs:?}");
        drop(private);
        assert_eq!(std::fs::read("/proc/self/mountinfo").unwrap(), before);
    }

    #[test]
    fn mounts_are_found_in_every_layout() {
        let hybrid = b"37 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n\
            38 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n";
        assert_eq!(find_mounts(hybrid), [PathBuf::from("/sys/fs/cgroup/unified")]);
        let odd = b"38 31 0:38 / /mnt/a\\040b\\134 rw shared:1 master:2 - cgroup2 none rw\n\
            39 31 0:38 /user.slice /mnt/part rw - cgroup2 none rw\n\
            40 31 0:40 / /mnt/cgroup2 rw - tmpfs cgroup2 rw\n";
        assert_eq!(find_mounts(odd), [PathBuf::from("/mnt/a b\\")]);
    }

    #[test]
    fn cut_lines_and_escapes_are_passed_over() {
        for text in
            [b"".as_slice(), b"38 31", b"38 31 0:38 / /x rw", b"38 31 0:38 / /x rw -", b"\n\n"]
        {
            assert_eq!(find_mounts(text), Vec::<PathBuf>::new());
        }
        assert_eq!(unescape(b"a\\04"), b"a\\04");
        assert_eq!(unescape(b"\\999\\777\\"), b"\\999\\777\\");
    }

    proptest! {
        #[test]
        fn nothing_panics(text: Vec<u8>) {
            find_mounts(&text);
            unescape(&text);
        }
    }
}
