//! What `/proc` says of a process.

mod parse;

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;

pub use parse::{Stat, Status, parse_cgroup, parse_stat, parse_status};

/// More than the kernel ever writes into `stat`, `status`, `comm` or `cgroup` of one process.
const SMALL: u64 = 64 * 1024;

/// `/proc/PID/stat`.
///
/// # Errors
/// `NotFound` when the process is gone, `InvalidData` when the kernel's text is not understood.
pub fn stat(pid: u32) -> io::Result<Stat> {
    parse_stat(&read(pid, "stat", SMALL)?).ok_or_else(|| odd(pid, "stat"))
}

/// `/proc/PID/status`.
///
/// # Errors
/// As [`stat`].
pub fn status(pid: u32) -> io::Result<Status> {
    parse_status(&read(pid, "status", SMALL)?).ok_or_else(|| odd(pid, "status"))
}

/// The name of the process' leader, raw, at most 15 bytes for anything but kernel workers.
///
/// # Errors
/// `NotFound` when the process is gone.
pub fn comm(pid: u32) -> io::Result<Vec<u8>> {
    let mut name = read(pid, "comm", SMALL)?;
    if name.last() == Some(&b'\n') {
        name.pop();
    }
    Ok(name)
}

/// The arguments, raw, a NUL after each; empty for kernel threads and zombies. At most `limit`
/// bytes are read, however many the process has.
///
/// # Errors
/// `NotFound` when the process is gone.
pub fn cmdline(pid: u32, limit: usize) -> io::Result<Vec<u8>> {
    let mut line = read(pid, "cmdline", limit as u64)?;
    if line.is_empty()
        && let Some(tid) = another_thread(pid)
    {
        line = read(tid, "cmdline", limit as u64)?;
    }
    Ok(line)
}

/// The working directory, raw, seen from the process' own root.
///
/// # Errors
/// `NotFound` when the process is gone, or its directory is.
pub fn cwd(pid: u32) -> io::Result<Vec<u8>> {
    let path = std::fs::read_link(format!("/proc/{pid}/cwd"))?.into_os_string().into_vec();
    if path.ends_with(b" (deleted)") { Err(io::ErrorKind::NotFound.into()) } else { Ok(path) }
}

/// Who logged in (the audit system's `loginuid`), and the session of that login; `None` where
/// nobody did, or without an audit system.
#[must_use]
pub fn login(pid: u32) -> (Option<u32>, Option<u32>) {
    let number = |name| -> Option<u32> {
        let text = read(pid, name, SMALL).ok()?;
        let number = std::str::from_utf8(&text).ok()?.trim_end().parse().ok()?;
        Some(number).filter(|number| *number != u32::MAX)
    };
    (number("loginuid"), number("sessionid"))
}

/// `/proc/PID/cgroup`, raw, as the calling process' cgroup namespace sees it.
///
/// # Errors
/// `NotFound` when the process is gone.
pub fn cgroups(pid: u32) -> io::Result<Vec<u8>> {
    read(pid, "cgroup", SMALL)
}

/// Where a process' executable is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExeLink {
    /// Raw path within the process' mount namespace, without the kernel's ` (deleted)`.
    pub path: Vec<u8>,
    /// Nothing is at that path any more, or something else is.
    pub deleted: bool,
}

/// Where `/proc/PID/exe` points to.
///
/// # Errors
/// `NotFound` for kernel threads and when the process is gone; `PermissionDenied` without
/// `CAP_SYS_PTRACE`.
pub fn exe(pid: u32) -> io::Result<ExeLink> {
    crate::file::by_any_thread(pid, exe_of)
}

/// A thread that speaks for a process whose first thread has ended before the others: `/proc` then
/// shows neither executable nor arguments at the process' own number.
pub(crate) fn another_thread(pid: u32) -> Option<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    threads
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .find(|tid| *tid != pid && std::fs::read_link(format!("/proc/{tid}/exe")).is_ok())
}

fn exe_of(pid: u32) -> io::Result<ExeLink> {
    let link = format!("/proc/{pid}/exe");
    let path = std::fs::read_link(&link)?.into_os_string().into_vec();
    let Some(short) = path.strip_suffix(parse::DELETED) else {
        return Ok(ExeLink { path, deleted: false });
    };
    // A file may really be called `x (deleted)`: then it is still found under that name.
    let mut literal = format!("/proc/{pid}/root").into_bytes();
    literal.extend_from_slice(&path);
    let literal = std::path::PathBuf::from(std::ffi::OsString::from_vec(literal));
    let id = |at: &std::path::Path| std::fs::metadata(at).ok().map(|m| (m.dev(), m.ino()));
    let real = id(&literal);
    if real.is_some() && real == id(link.as_ref()) {
        return Ok(ExeLink { path, deleted: false });
    }
    Ok(ExeLink { path: short.to_vec(), deleted: true })
}

/// The root directory of a process, as seen from its mount namespace's root where that is also ours;
/// `/` in a container.
///
/// # Errors
/// When the process is gone, or is another user's and the caller lacks `CAP_SYS_PTRACE`.
pub fn root(pid: u32) -> io::Result<std::path::PathBuf> {
    crate::file::by_any_thread(pid, |tid| std::fs::read_link(format!("/proc/{tid}/root")))
}

/// Every process id (thread group) that `/proc` shows now, in no particular order.
///
/// # Errors
/// When `/proc` cannot be listed.
pub fn pids() -> io::Result<Vec<u32>> {
    let entries = std::fs::read_dir("/proc")?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

/// Identifies this boot: 36 characters of UUID.
///
/// # Errors
/// When `/proc/sys` is not there.
pub fn boot_id() -> io::Result<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Ok(text.trim_end().to_owned())
}

/// A user namespace.
#[derive(Debug)]
pub struct UserNamespace {
    /// To enter it with.
    pub file: File,
    /// It is the one that we are in.
    pub is_own: bool,
}

/// The user namespace of a process.
///
/// # Errors
/// When the process is gone, or is another user's and the caller lacks `CAP_SYS_PTRACE`.
pub fn user_namespace(pid: u32) -> io::Result<UserNamespace> {
    let id = |file: &File| file.metadata().map(|meta| (meta.dev(), meta.ino()));
    let file = File::open(format!("/proc/{pid}/ns/user"))?;
    let is_own = id(&file)? == id(&File::open("/proc/self/ns/user")?)?;
    Ok(UserNamespace { file, is_own })
}

/// The inode number of a process' mount namespace.
///
/// # Errors
/// As [`user_namespace`].
pub fn mount_namespace(pid: u32) -> io::Result<u32> {
    let ino = std::fs::metadata(format!("/proc/{pid}/ns/mnt"))?.ino();
    u32::try_from(ino).map_err(io::Error::other)
}

/// The inode number of a process' network namespace.
///
/// # Errors
/// As [`user_namespace`].
pub fn network_namespace(pid: u32) -> io::Result<u32> {
    let ino = std::fs::metadata(format!("/proc/{pid}/ns/net"))?.ino();
    u32::try_from(ino).map_err(io::Error::other)
}

/// What one of our own user ids (`map` is `uid_map`) or group ids (`gid_map`) is in the user
/// namespace of a process; `None` if it has none there.
///
/// # Errors
/// When the process is gone.
pub fn id_inside(pid: u32, map: &str, id: u32) -> io::Result<Option<u32>> {
    Ok(parse::inside(&read(pid, map, 64 << 10)?, id))
}

/// Ticks per second in which [`Stat::start_ticks`] counts; 100 on every Linux machine in use.
#[must_use]
pub fn clock_ticks() -> u64 {
    let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK);
    ticks.ok().flatten().and_then(|ticks| u64::try_from(ticks).ok()).unwrap_or(100)
}

fn read(pid: u32, name: &str, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // A process that ends between open and read gives ESRCH; to the caller it is just as gone.
    let gone = |err: io::Error| {
        if err.raw_os_error() == Some(libc::ESRCH) { io::ErrorKind::NotFound.into() } else { err }
    };
    File::open(format!("/proc/{pid}/{name}"))?.take(limit).read_to_end(&mut bytes).map_err(gone)?;
    Ok(bytes)
}

fn odd(pid: u32, name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/{name} is not as expected"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn this_process_is_described() {
        let me = std::process::id();
        let (stat, status) = (stat(me).unwrap(), status(me).unwrap());
        assert_eq!((stat.pid, status.tgid), (me, me));
        assert_eq!((stat.ppid, status.ppid), (std::os::unix::process::parent_id(), stat.ppid));
        assert_eq!(status.uid, nix::unistd::getuid().as_raw());
        assert!(!stat.kernel_thread);
        assert_eq!(comm(me).unwrap(), stat.comm);
        let start = stat.start_ticks * (1_000_000_000 / clock_ticks());
        let now = crate::clock::boottime_ns();
        assert!(start < now && now - start < 3600 * 1_000_000_000, "start {start}, now {now}");
        let exe = exe(me).unwrap();
        assert_eq!(exe.path, std::env::current_exe().unwrap().into_os_string().into_vec());
        assert!(!exe.deleted);
        assert!(
            cmdline(me, 4096).unwrap().starts_with(&std::env::args().next().unwrap().into_bytes())
        );
        assert_eq!(cmdline(me, 3).unwrap().len(), 3);
        assert!(pids().unwrap().contains(&me));
        assert_eq!(boot_id().unwrap().len(), 36);
    }

    #[test]
    fn a_dead_pid_is_not_found() {
        let mut child = Command::new("/bin/true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        for err in [stat(pid).unwrap_err(), comm(pid).unwrap_err(), exe(pid).unwrap_err()] {
            assert_eq!(err.kind(), io::ErrorKind::NotFound);
        }
    }

    #[test]
    fn a_deleted_executable_and_one_named_deleted_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        for (name, unlink) in [("plain", true), ("odd (deleted)", false), ("odd2 (deleted)", true)]
        {
            let path = dir.path().join(name);
            std::fs::copy("/bin/sleep", &path).unwrap();
            let mut child = Command::new(&path).arg("60").spawn().unwrap();
            if unlink {
                std::fs::remove_file(&path).unwrap();
            }
            let link = exe(child.id());
            child.kill().unwrap();
            child.wait().unwrap();
            let want = path.into_os_string().into_vec();
            assert_eq!(link.unwrap(), ExeLink { path: want, deleted: unlink });
        }
    }
}
