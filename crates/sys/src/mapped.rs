//! Files that a process has mapped to execute: its libraries.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use crate::{mounts, procfs};

/// Of the list of a process' mappings no more is read.
const MAX_MAPS: u64 = 4 << 20;

/// A file that is mapped to be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// As the kernel shows them, which need not be what stat(2) says.
    pub dev: u64,
    /// See `dev`.
    pub ino: u64,
    /// The thread through which it was seen.
    tid: u32,
    /// Where it is mapped: `55d0…-55d1…`.
    range: String,
}

/// The files, of those whose last name is `wanted`, that a process has mapped to execute.
///
/// # Errors
/// `NotFound` when the process is gone; `PermissionDenied` without `CAP_SYS_PTRACE`.
pub fn executable(pid: u32, wanted: &dyn Fn(&[u8]) -> bool) -> io::Result<Vec<Mapped>> {
    let found = of_thread(pid, wanted)?;
    // The first thread may have ended before the others.
    match procfs::another_thread(pid) {
        Some(tid) if found.is_none() => Ok(of_thread(tid, wanted)?.unwrap_or_default()),
        _ => Ok(found.unwrap_or_default()),
    }
}

/// `None` if it has nothing mapped at all.
fn of_thread(tid: u32, wanted: &dyn Fn(&[u8]) -> bool) -> io::Result<Option<Vec<Mapped>>> {
    let mut text = Vec::new();
    let file = File::open(format!("/proc/{tid}/maps"))?;
    match file.take(MAX_MAPS).read_to_end(&mut text) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {
            return Err(io::ErrorKind::NotFound.into());
        }
        other => other?,
    };
    let lines = text.split(|byte| *byte == b'\n').filter_map(|text| line(tid, text, wanted));
    Ok((!text.is_empty()).then(|| lines.collect()))
}

/// `7f…-7f… r-xp 00026000 fd:01 1234  /usr/lib/libc.so.6`
fn line(tid: u32, line: &[u8], wanted: &dyn Fn(&[u8]) -> bool) -> Option<Mapped> {
    let mut fields = line.splitn(6, |byte| *byte == b' ');
    let range = std::str::from_utf8(fields.next()?).ok()?;
    if fields.next()?.get(2) != Some(&b'x') {
        return None;
    }
    let device = std::str::from_utf8(fields.nth(1)?).ok()?;
    let (major, minor) = device.split_once(':')?;
    let number = |text| u32::from_str_radix(text, 16).ok();
    let dev = libc::makedev(number(major)?, number(minor)?);
    let ino = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let path = fields.next()?.trim_ascii_start();
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    let (_, name) = path.split_at(path.iter().rposition(|byte| *byte == b'/')? + 1);
    let is_range = range.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    (is_range && wanted(name)).then(|| Mapped { dev, ino, tid, range: range.to_owned() })
}

impl Mapped {
    /// Names the file (`O_PATH`), whatever became of its name: asks nothing of whoever serves it.
    ///
    /// # Errors
    /// `NotFound` when it is no longer mapped there; `PermissionDenied` without `CAP_SYS_ADMIN`.
    pub fn name(&self) -> io::Result<OwnedFd> {
        let link = format!("/proc/{}/map_files/{}", self.tid, self.range);
        Ok(nix::fcntl::open(link.as_str(), OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?)
    }
}

/// Through which mount a descriptor names its file, as `/proc/PID/mountinfo` numbers them: asks
/// nothing of whoever serves it.
///
/// # Errors
/// Without /proc.
pub fn mount_of(fd: BorrowedFd<'_>) -> io::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd()))?;
    let number = text.lines().find_map(|line| line.strip_prefix("mnt_id:"));
    let number = number.and_then(|number| number.trim().parse().ok());
    number.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// Opens for reading what `named` names, which has to be a regular file.
///
/// # Errors
/// As `open(2)`; `InvalidInput` when it is something else.
pub fn read(named: BorrowedFd<'_>) -> io::Result<File> {
    crate::file::open_named(named)
}

/// The same file through a mount of its own, which is nowhere to be seen: who holds on to it keeps
/// nobody from unmounting the one that `named` leads through. `pid` is a process that sees that.
///
/// # Errors
/// As `open_tree(2)` and `setns(2)`; another mount namespace takes `CAP_SYS_ADMIN` and
/// `CAP_SYS_CHROOT`.
pub fn apart(pid: u32, named: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    if mounts::is_own_namespace(pid)? {
        return clone_mount(named);
    }
    mounts::inside(pid, |_| clone_mount(named))
}

fn clone_mount(named: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    use std::os::fd::FromRawFd;
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC;
    let flags = flags | libc::AT_EMPTY_PATH.cast_unsigned();
    // SAFETY: the descriptor is open and the path is NUL-terminated.
    let fd = unsafe { libc::syscall(libc::SYS_open_tree, named.as_raw_fd(), c"".as_ptr(), flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: it was made just now and is nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;

    const ANY: &dyn Fn(&[u8]) -> bool = &|_| true;

    #[test]
    fn lines_of_the_manual_are_read() {
        let text = b"7f0a-7f0b r-xp 00026000 fd:01 1234                       /usr/lib/libc.so.6";
        let found = line(7, text, &|name| name == b"libc.so.6").unwrap();
        assert_eq!((found.dev, found.ino, found.tid), (libc::makedev(0xfd, 1), 1234, 7));
        assert_eq!(found.range, "7f0a-7f0b");
        assert_eq!(line(7, text, &|name| name == b"libm.so.6"), None);
        let gone = b"1-2 r-xp 0 00:1 5 /a b/libc.so.6 (deleted)";
        assert!(line(7, gone, &|name| name == b"libc.so.6").is_some());
        for other in [
            &b"7f0a-7f0b r--p 00026000 fd:01 1234 /usr/lib/libc.so.6"[..],
            b"7ffc-7ffd r-xp 00000000 00:00 0 [vdso]",
            b"7ffc-7ffd r-xp 00000000 00:00 0",
            b"../x-7ffd r-xp 00000000 00:00 0 /x",
            b"",
        ] {
            assert_eq!(line(7, other, ANY), None);
        }
    }

    #[test]
    fn what_this_process_runs_is_mapped() {
        let exe = std::env::current_exe().unwrap();
        let name = exe.file_name().unwrap().as_encoded_bytes().to_vec();
        let found = executable(std::process::id(), &|other| other == name).unwrap();
        // To name it takes rights that a test run may lack.
        let Ok(named) = found[0].name() else { return };
        let stat = crate::file::stat(named.as_fd()).unwrap();
        assert_eq!(stat.ino, exe.metadata().unwrap().ino());
        let mount = mount_of(named.as_fd()).unwrap();
        assert_eq!(stat.mnt_id, Some(mount));
        read(named.as_fd()).unwrap();
        if let Ok(apart) = apart(std::process::id(), named.as_fd()) {
            assert_ne!(mount_of(apart.as_fd()).unwrap(), mount);
            assert_eq!(crate::file::stat(apart.as_fd()).unwrap().ino, stat.ino);
        }
        let gone = executable(u32::MAX, ANY).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
    }

    proptest! {
        #[test]
        fn no_text_panics(text: Vec<u8>) {
            line(1, &text, ANY);
        }
    }
}
