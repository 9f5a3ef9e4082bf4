//! Reading a file as another user, in a process of its own.
//!
//! What FUSE serves to one user not even root may read, and whoever reads it waits for that user's
//! program, perhaps for ever. So a forked child becomes the user, reads, hashes and tells; if it
//! does not within the time given, it is left to itself. It executes nothing: a process that has
//! changed its user can neither be traced nor have its memory read by that user, until it executes
//! a program.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::file::{FileStat, FileTime};
use crate::hash::{CHUNK, HashError, Hashed, hash_with};
use crate::{procfs, wait};

/// Children that did not end when they were told to, at most: each holds some kilobytes, and a mount.
const LINGERING: usize = 16;
/// How long a child may take to end once it is killed, before it is left to itself.
const GRACE: Duration = Duration::from_millis(50);

/// Whose eyes to read with.
#[derive(Debug)]
pub struct Reader {
    /// As our own user namespace has it.
    user: u32,
    uid: u32,
    gid: u32,
    /// The user namespace to enter first; ids are those inside.
    space: Option<OwnedFd>,
}

impl Reader {
    /// A user of our own user namespace.
    #[must_use]
    pub fn of_user(uid: u32, gid: u32) -> Self {
        Self { user: uid, uid, gid, space: None }
    }

    /// The user and group of a process (the real ones), in its user namespace.
    ///
    /// # Errors
    /// When it is gone, or its ids mean nothing in its namespace.
    pub fn of_process(pid: u32) -> io::Result<Self> {
        let status = procfs::status(pid)?;
        let (uid, gid) = (status.uid, status.gid);
        let theirs = procfs::user_namespace(pid)?;
        if theirs.is_own {
            return Ok(Self::of_user(uid, gid));
        }
        let inside = |ids: &str, outside| {
            procfs::id_inside(pid, ids, outside)?.ok_or_else(|| io::Error::from(Errno::EOVERFLOW))
        };
        let (uid, gid) = (inside("uid_map", uid)?, inside("gid_map", gid)?);
        Ok(Self { user: status.uid, uid, gid, space: Some(theirs.file.into()) })
    }

    /// Whose eyes, as our own user namespace has it.
    #[must_use]
    pub fn user(&self) -> u32 {
        self.user
    }
}

/// Which file to read.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// What this descriptor names (`O_PATH` is enough).
    Named(BorrowedFd<'a>),
    /// What is at this absolute path.
    Path(&'a Path),
}

/// The children, and those of them that nobody waits for any more.
#[derive(Debug, Default)]
pub struct Readers {
    lingering: Mutex<Vec<Pid>>,
}

impl Readers {
    /// Hashes a regular file as `reader` sees it, within `patience`.
    ///
    /// # Errors
    /// [`HashError::Changed`] as [`crate::hash::hash_fd`]; an [`HashError::Io`] of the kind
    /// `TimedOut` when there was no answer in time, `ResourceBusy` when too many never came,
    /// `InvalidInput` when it is not a regular file, and otherwise as open(2) and read(2) have it.
    pub fn hash(
        &self,
        reader: &Reader,
        source: Source<'_>,
        patience: Duration,
    ) -> Result<Hashed, HashError> {
        if self.reap() >= LINGERING {
            return Err(io::Error::from(io::ErrorKind::ResourceBusy).into());
        }
        let path = match source {
            Source::Named(_) => CString::from(c"/proc/self/fd/1"),
            Source::Path(path) => CString::new(path.as_os_str().as_bytes())
                .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?,
        };
        let named = match source {
            Source::Named(fd) => Some(fd.as_raw_fd()),
            Source::Path(_) => None,
        };
        let (ours, theirs) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(io::Error::from)?;
        // Allocated here: the child of a process with threads may not.
        let mut task = Child {
            out: theirs.as_raw_fd(),
            named,
            space: reader.space.as_ref().map(AsRawFd::as_raw_fd),
            uid: reader.uid,
            gid: reader.gid,
            path,
            buffer: vec![0; CHUNK],
        };
        // SAFETY: the child calls nothing but system calls and code that neither allocates nor locks
        // (`Child::run`), and ends without unwinding or running destructors.
        let pid = match unsafe { libc::fork() } {
            -1 => return Err(io::Error::last_os_error().into()),
            0 => task.run(),
            pid => Pid::from_raw(pid),
        };
        drop(theirs);
        let answer = read_answer(ours, Instant::now() + patience);
        self.end(pid);
        Answer::decode(&answer?).unwrap_or_else(|| Err(io::Error::from(Errno::EIO).into()))
    }

    /// Has a child end; waits for it but a moment.
    fn end(&self, pid: Pid) {
        let until = Instant::now() + GRACE;
        // It fails only for one that has ended by itself.
        kill(pid, Signal::SIGKILL).ok();
        while !is_over(pid) {
            if Instant::now() >= until {
                self.lingering.lock().unwrap_or_else(PoisonError::into_inner).push(pid);
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Looks which of the children that did not end have ended by now; tells how many have not.
    fn reap(&self) -> usize {
        let mut lingering = self.lingering.lock().unwrap_or_else(PoisonError::into_inner);
        lingering.retain(|pid| !is_over(*pid));
        lingering.len()
    }
}

fn is_over(pid: Pid) -> bool {
    !matches!(waitpid(pid, Some(WaitPidFlag::WNOHANG)), Ok(WaitStatus::StillAlive))
}

fn read_answer(pipe: OwnedFd, until: Instant) -> io::Result<[u8; ANSWER]> {
    let mut pipe = File::from(pipe);
    let mut answer = [0; ANSWER];
    let mut filled = 0;
    while let Some(rest) = answer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || wait::readable(&[pipe.as_fd()], Some(left))? != [true] {
            if until <= Instant::now() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            continue;
        }
        match io::Read::read(&mut pipe, rest)? {
            // Killed, by that user for instance.
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    Ok(answer)
}

/// What the child does. Nothing below may allocate, lock or panic.
struct Child {
    out: RawFd,
    named: Option<RawFd>,
    space: Option<RawFd>,
    uid: u32,
    gid: u32,
    path: CString,
    buffer: Vec<u8>,
}

impl Child {
    fn run(&mut self) -> ! {
        if self.keep_only_what_is_needed().is_ok() {
            let answer = Answer::encode(self.hash());
            // SAFETY: descriptor 0 is the pipe; `answer` lives until the call returns.
            unsafe { libc::write(0, answer.as_ptr().cast(), answer.len()) };
        }
        // SAFETY: nothing runs after it.
        unsafe { libc::_exit(0) }
    }

    fn hash(&mut self) -> Result<Hashed, HashError> {
        self.become_the_user()?;
        let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
        // SAFETY: the path is NUL-terminated.
        let fd = check(unsafe { libc::open(self.path.as_ptr(), flags) })?;
        // SAFETY: it was opened just now and is nobody else's.
        let file = unsafe { File::from_raw_fd(fd) };
        let stat = crate::file::stat(file.as_fd())?;
        if stat.mode & libc::S_IFMT != libc::S_IFREG {
            return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
        }
        hash_with(file.as_fd(), &mut self.buffer, &AtomicBool::new(false))
    }

    /// The answer's pipe as descriptor 0, the file as 1, the user namespace as 2. A child that hangs
    /// must not hold on to the daemon's lock, its sockets or its database.
    fn keep_only_what_is_needed(&mut self) -> io::Result<()> {
        // Above all three first, so that none overwrites another.
        let high = |fd: RawFd| {
            // SAFETY: a call without pointers.
            check(unsafe { libc::fcntl(fd, libc::F_DUPFD, 3) })
        };
        let wanted = [Some(self.out), self.named, self.space];
        let mut copies = [None; 3];
        for (copy, fd) in copies.iter_mut().zip(wanted) {
            *copy = fd.map(high).transpose()?;
        }
        for (place, copy) in (0..).zip(copies) {
            if let Some(copy) = copy {
                // SAFETY: a call without pointers.
                check(unsafe { libc::dup2(copy, place) })?;
            }
        }
        // SAFETY: a call without pointers. What is closed is the child's copy alone.
        check_long(unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) })
    }

    /// By system calls: libc's functions are for all threads of a process.
    fn become_the_user(&self) -> io::Result<()> {
        // SAFETY: calls that take numbers, and null where there are no groups.
        unsafe {
            if self.space.is_some() {
                check(libc::setns(2, libc::CLONE_NEWUSER))?;
            }
            let none: *const libc::gid_t = std::ptr::null();
            let cleared = check_long(libc::syscall(libc::SYS_setgroups, 0, none));
            // A user namespace may forbid it, to keep groups that take something away.
            if self.space.is_none() {
                cleared?;
            }
            let (uid, gid) = (self.uid, self.gid);
            check_long(libc::syscall(libc::SYS_setresgid, gid, gid, gid))?;
            check_long(libc::syscall(libc::SYS_setresuid, uid, uid, uid))?;
            // Forgotten with each change of user, hence last.
            check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0))?;
        }
        Ok(())
    }
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn check_long(result: libc::c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Numbers and a digest: what the child writes.
const WORDS: usize = 12;
const ANSWER: usize = WORDS * 8 + 32;

/// In [`Answer`]'s first word, besides numbers of errors.
const FINE: u64 = 0;
const CHANGED: u64 = u64::MAX;

struct Answer;

impl Answer {
    fn encode(result: Result<Hashed, HashError>) -> [u8; ANSWER] {
        let mut out = [0; ANSWER];
        let (words, sha256) = match &result {
            Ok(hashed) => {
                let FileStat { dev, ino, size, mtime, ctime, nlink, mode, mnt_id } = hashed.stat;
                let numbers = [nlink, mode].map(u64::from);
                let seconds = [mtime.sec, ctime.sec].map(i64::cast_unsigned);
                let parts = [mtime.nsec, ctime.nsec].map(u64::from);
                let [nlink, mode] = numbers;
                let mount = mnt_id.map_or(0, |id| id + 1);
                let [msec, csec] = seconds;
                let [mnsec, cnsec] = parts;
                let len = hashed.len;
                let all = [FINE, len, dev, ino, size, msec, mnsec, csec, cnsec, nlink, mode, mount];
                (all, hashed.sha256)
            }
            Err(error) => {
                let mut all = [0; WORDS];
                all[0] = match error {
                    HashError::Changed => CHANGED,
                    HashError::Io(error) => {
                        let number = error.raw_os_error().unwrap_or(libc::EINVAL);
                        u64::from(number.unsigned_abs())
                    }
                    HashError::Cancelled => u64::from(libc::ECANCELED.unsigned_abs()),
                };
                (all, [0; 32])
            }
        };
        for (place, word) in out.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        if let Some(place) = out.last_chunk_mut() {
            *place = sha256;
        }
        out
    }

    /// `None` if no child of ours wrote that.
    fn decode(bytes: &[u8; ANSWER]) -> Option<Result<Hashed, HashError>> {
        let mut words = [0; WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_ne_bytes(bytes.try_into().ok()?);
        }
        let [state, len, dev, ino, size, msec, mnsec, csec, cnsec, nlink, mode, mount] = words;
        match state {
            FINE => {}
            CHANGED => return Some(Err(HashError::Changed)),
            number => {
                let number = i32::try_from(number).ok()?;
                return Some(Err(io::Error::from_raw_os_error(number).into()));
            }
        }
        let small = |word: u64| u32::try_from(word).ok();
        let time = |sec: u64, nsec| Some(FileTime { sec: sec.cast_signed(), nsec: small(nsec)? });
        let stat = FileStat {
            dev,
            ino,
            size,
            mtime: time(msec, mnsec)?,
            ctime: time(csec, cnsec)?,
            nlink: small(nlink)?,
            mode: small(mode)?,
            mnt_id: mount.checked_sub(1),
        };
        Some(Ok(Hashed { sha256: *bytes.last_chunk()?, len, stat }))
    }
}

#[cfg(test)]
mod tests;
