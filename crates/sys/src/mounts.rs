//! What is mounted where, as `/proc/PID/mountinfo` tells it.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::stat::Mode;

use crate::procfs;

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Unique while it is there.
    pub id: u64,
    /// Device of the file system's superblock, as `makedev(3)` encodes it.
    pub dev: u64,
    /// Where it is, seen from the root of the process.
    pub point: PathBuf,
    /// Kind of file system: `ext4`, `fuse.sshfs`.
    pub kind: String,
    /// The user and group for whom FUSE serves it.
    pub served_to: Option<(u32, u32)>,
}

/// Kinds of file systems on which no program lies.
const WITHOUT_PROGRAMS: &[&str] = &[
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "efivarfs",
    "fusectl",
    "mqueue",
    "nsfs",
    "proc",
    "pstore",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "sysfs",
    "tracefs",
];

/// Kinds that may hang when they are looked at: somebody else serves them.
const REMOTE: &[&str] =
    &["9p", "afs", "ceph", "cifs", "coda", "glusterfs", "lustre", "nfs", "nfs4", "ocfs2", "smb3"];

impl Mount {
    /// Programs may lie there.
    #[must_use]
    pub fn may_have_programs(&self) -> bool {
        !WITHOUT_PROGRAMS.contains(&self.kind.as_str())
    }

    /// Looking at it may have to wait for a server, or for a user's program.
    #[must_use]
    pub fn may_hang(&self) -> bool {
        REMOTE.contains(&self.kind.as_str()) || self.kind.starts_with("fuse")
    }
}

/// The mounts in a process' namespace that it can reach from its root directory; `None` for our own.
/// At most a few thousand are read.
///
/// # Errors
/// `NotFound` when the process is gone.
pub fn mounts(pid: Option<u32>) -> io::Result<Vec<Mount>> {
    let who = pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
    read(File::open(format!("/proc/{who}/mountinfo"))?)
}

/// The mounts in a process' namespace, wherever its root directory is: after `chroot(2)` into a
/// directory it reaches none. Otherwise as [`mounts`].
///
/// # Errors
/// As [`mounts`]; another namespace than ours takes `CAP_SYS_ADMIN` and `CAP_SYS_CHROOT`.
pub fn all_mounts(pid: u32) -> io::Result<Vec<Mount>> {
    if is_own_namespace(pid)? {
        return mounts(None);
    }
    inside(pid, |thread| {
        let how = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        read(File::from(openat(thread, "mountinfo", how, Mode::empty())?))
    })
}

pub(crate) fn is_own_namespace(pid: u32) -> io::Result<bool> {
    Ok(procfs::mount_namespace(pid)? == procfs::mount_namespace(std::process::id())?)
}

/// Does something in the mount namespace of a process, in a thread that ends at once: its root
/// directory is the namespace's. It is given its own directory in our /proc.
pub(crate) fn inside<T: Send>(
    pid: u32,
    what: impl FnOnce(BorrowedFd<'_>) -> io::Result<T> + Send,
) -> io::Result<T> {
    let theirs = File::open(format!("/proc/{pid}/ns/mnt"))?;
    let there = move || {
        let how = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let own = nix::fcntl::open("/proc/thread-self", how, Mode::empty())?;
        unshare(CloneFlags::CLONE_FS)?;
        setns(theirs.as_fd(), CloneFlags::CLONE_NEWNS)?;
        what(own.as_fd())
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("inside".to_owned());
        thread.spawn_scoped(scope, there)?.join().unwrap_or_else(|_| Err(Errno::EIO.into()))
    })
}

fn read(file: File) -> io::Result<Vec<Mount>> {
    const LIMIT: u64 = 1 << 20;
    let mut text = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, LIMIT), &mut text)?;
    Ok(parse(&text))
}

/// Tells when something is mounted or unmounted in our own namespace.
#[derive(Debug)]
pub struct MountChanges {
    epoll: Epoll,
    _mountinfo: File,
}

impl MountChanges {
    /// From now on.
    ///
    /// # Errors
    /// Without /proc, or without descriptors.
    pub fn new() -> io::Result<Self> {
        let mountinfo = File::open("/proc/self/mountinfo")?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        // proc_pid_mountinfo(5): a change is an event of priority; to read there always is.
        epoll.add(&mountinfo, EpollEvent::new(EpollFlags::EPOLLPRI, 0))?;
        Ok(Self { epoll, _mountinfo: mountinfo })
    }

    /// True if there was a change since the last time.
    pub fn happened(&self) -> bool {
        let mut events = [EpollEvent::empty()];
        self.epoll.wait(&mut events, EpollTimeout::ZERO).is_ok_and(|count| count > 0)
    }
}

impl AsFd for MountChanges {
    /// Readable when something has changed.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}

/// Lines that are not as proc(5) says are left out.
fn parse(text: &[u8]) -> Vec<Mount> {
    text.split(|byte| *byte == b'\n').filter_map(line).collect()
}

fn line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let id = number(fields.next()?)?;
    let (major, minor) = device(fields.nth(1)?)?;
    let point = PathBuf::from(OsString::from_vec(unescape(fields.nth(1)?)));
    // Optional fields, then a hyphen.
    let mut fields = fields.skip_while(|field| *field != b"-");
    let kind = fields.nth(1)?;
    let options = fields.nth(1).unwrap_or_default();
    let option = |name: &[u8]| {
        let mut options = options.split(|byte| *byte == b',');
        let value = options.find_map(|option| option.strip_prefix(name))?;
        u32::try_from(number(value)?).ok()
    };
    Some(Mount {
        id,
        dev: libc::makedev(major, minor),
        point,
        kind: String::from_utf8_lossy(kind).into_owned(),
        served_to: option(b"user_id=").zip(option(b"group_id=")),
    })
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn device(text: &[u8]) -> Option<(u32, u32)> {
    let (major, minor) = std::str::from_utf8(text).ok()?.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Undoes the kernel's `\040`.
fn unescape(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((first, after)) = rest.split_first() {
        let code = (*first == b'\\').then(|| after.first_chunk::<3>()).flatten();
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        if let Some(byte) = code.and_then(|code| u8::from_str_radix(code, 8).ok()) {
            out.push(byte);
            rest = after.get(3..).unwrap_or_default();
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    #[test]
    fn a_line_of_the_manual_is_read() {
        let text = b"36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 - ext3 /dev/root rw\n\
            40 35 0:45 / /run/user/1000/doc rw shared:3 - fuse.portal portal \
            rw,user_id=1000,group_id=100\nrubbish\n";
        let found = parse(text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].id, 36);
        assert_eq!(found[0].dev, libc::makedev(98, 0));
        assert_eq!(found[0].point, PathBuf::from("/mnt 2"));
        assert_eq!(found[0].kind, "ext3");
        assert!(found[0].may_have_programs() && !found[0].may_hang());
        assert!(found[1].may_hang());
        assert_eq!([found[0].served_to, found[1].served_to], [None, Some((1000, 100))]);
    }

    #[test]
    fn nothing_has_changed_at_first() {
        let changes = MountChanges::new().unwrap();
        // Others may mount something meanwhile, but not all the time.
        changes.happened();
        assert!((0..100).any(|_| !changes.happened()));
    }

    #[test]
    fn our_own_are_there() {
        let own = mounts(None).unwrap();
        let root = own.iter().find(|mount| mount.point == Path::new("/")).unwrap();
        assert!(root.may_have_programs());
        assert!(own.iter().any(|mount| mount.kind == "proc" && !mount.may_have_programs()));
        assert_eq!(mounts(Some(std::process::id())).unwrap(), own);
        assert!(mounts(Some(u32::MAX)).is_err());
    }

    #[test]
    fn those_of_another_namespace_are_there() {
        let own = mounts(None).unwrap();
        let me = std::process::id();
        assert_eq!(all_mounts(me).unwrap(), own);
        assert!(all_mounts(u32::MAX).is_err());
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let script = "mount -t tmpfs there \"$0\"; echo; exec sleep 60";
        let mut child = std::process::Command::new("unshare")
            .args(["--mount", "sh", "-ec", script, dir.path().to_str().unwrap()])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0]).unwrap();
        let there = all_mounts(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(there.unwrap().iter().any(|mount| mount.point == dir.path()));
        assert_eq!(mounts(None).unwrap().len(), own.len());
    }

    proptest! {
        #[test]
        fn no_text_panics(text: Vec<u8>) {
            parse(&text);
        }
    }
}
