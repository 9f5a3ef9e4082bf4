//! Hashing what root may not read, or what a user's program serves (FUSE): by a child process that
//! is that user, and that nobody waits for longer than is reasonable.
//!
//! What such a digest says is what was served when it was read. Whoever serves a file can serve
//! others something else; that is so with every program that looks at it.

use std::collections::{HashSet, VecDeque};
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use femtosnitch_engine::FileRequest;
use femtosnitch_model::{Digest, Facts, FileId, Sha256, Unhashed};
use femtosnitch_sys::file::name_executable;
use femtosnitch_sys::foreign::{Reader, Readers, Source};
use femtosnitch_sys::hash::{HashError, Hashed};
use femtosnitch_sys::mounts::mounts;
use femtosnitch_sys::thread;

use super::lanes::Worker;
use super::version::{Match, compare};
use crate::daemon::Message;
use crate::daemon::capture::Waker;
use crate::daemon::report::Report;

/// Users whose files are read at the same time.
const THREADS: usize = 3;
/// Files of one user that wait, each with a descriptor.
const OF_ONE_USER: usize = 32;
/// Files that wait in all.
const OF_ALL: usize = 256;
/// How long a file may take that has no bytes …
const PATIENCE: Duration = Duration::from_secs(10);
/// … how many bytes a second are waited for besides …
const BYTES_PER_SECOND: u64 = 4 << 20;
/// … and how long at most.
const MOST_PATIENCE: Duration = Duration::from_secs(300);

/// Where files wait for the threads.
pub(super) struct Served {
    queue: Arc<Queue>,
}

/// A file and the user who can read it.
struct Job {
    request: FileRequest,
    reader: Reader,
    /// Of a process that is gone there is but a path.
    named: Option<OwnedFd>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    /// Users one of whose files is being read: the next has to wait, so that one whose file system
    /// hangs holds up nobody else.
    busy: HashSet<u32>,
    /// What waits or is being read: asked for once more, it is answered once.
    files: HashSet<FileId>,
    over: bool,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next file of a user none of whose files is being read; `None` at the end.
    fn next(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            if state.over {
                return None;
            }
            let State { waiting, busy, .. } = &mut *state;
            let free = waiting.iter().position(|job| !busy.contains(&job.reader.user()));
            if let Some(job) = free.and_then(|at| waiting.remove(at)) {
                busy.insert(job.reader.user());
                return Some(job);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn done(&self, job: &Job) {
        let mut state = self.state();
        state.busy.remove(&job.reader.user());
        state.files.remove(&job.request.file);
        self.changed.notify_all();
    }

    fn put(&self, job: Job) -> Result<(), Unhashed> {
        let mut state = self.state();
        if state.files.contains(&job.request.file) {
            return Ok(());
        }
        let user = job.reader.user();
        let theirs = state.waiting.iter().filter(|other| other.reader.user() == user).count();
        if theirs >= OF_ONE_USER || state.waiting.len() >= OF_ALL {
            // Asked for again, should it still be wanted.
            return Err(Unhashed::Interrupted);
        }
        state.files.insert(job.request.file);
        state.waiting.push_back(job);
        self.changed.notify_all();
        Ok(())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.queue.state().over = true;
        self.queue.changed.notify_all();
    }
}

impl Served {
    pub(super) fn start(
        worker: &Worker,
        report: &Arc<Report>,
        running: &mut Vec<JoinHandle<()>>,
    ) -> io::Result<Self> {
        let served = Self { queue: Arc::default() };
        let readers = Arc::new(Readers::default());
        for n in 0..THREADS {
            let hasher = Hasher {
                queue: Arc::clone(&served.queue),
                readers: Arc::clone(&readers),
                answers: worker.answers.clone(),
                answered: worker.answered.clone(),
                report: Arc::clone(report),
            };
            running.push(thread::spawn(&format!("hash-as-{n}"), move || hasher.run())?);
        }
        Ok(served)
    }

    /// Has a file hashed as the user who ran it; the answer comes as any other does.
    ///
    /// # Errors
    /// Why that is not possible.
    pub(super) fn ask(&self, request: &FileRequest) -> Result<(), Unhashed> {
        let process = Reader::of_process(request.tgid);
        let reader = process.ok().or_else(|| served_to(request)).ok_or(Unhashed::Gone)?;
        let named = name_executable(request.tgid).ok();
        if named.is_none() && !request.path.starts_with(b"/") {
            return Err(Unhashed::Gone);
        }
        self.queue.put(Job { request: request.clone(), reader, named })
    }
}

/// Of a process that is gone: the user for whom its file system is served.
fn served_to(request: &FileRequest) -> Option<Reader> {
    let mounts = mounts(None).ok()?;
    let mount = mounts.iter().find(|mount| mount.dev == request.file.dev)?;
    mount.served_to.map(|(uid, gid)| Reader::of_user(uid, gid))
}

/// A thread that waits for children.
struct Hasher {
    queue: Arc<Queue>,
    readers: Arc<Readers>,
    answers: Sender<Message>,
    answered: Waker,
    report: Arc<Report>,
}

impl Hasher {
    fn run(self) {
        while let Some(job) = self.queue.next() {
            let file = job.request.file;
            let digest = self.digest(&job).map_or_else(Digest::Missing, Digest::Known);
            self.queue.done(&job);
            match digest {
                Digest::Missing(reason) => self.report.unhashed(reason),
                _ => {
                    let state = "unknown: only its user can read the file".to_owned();
                    let facts = Facts { state, ..Facts::default() };
                    drop(self.answers.send(Message::Facts(file, facts)));
                }
            }
            drop(self.answers.send(Message::Digest(file, digest)));
            self.answered.wake();
        }
    }

    fn digest(&self, Job { request, reader, named }: &Job) -> Result<Sha256, Unhashed> {
        let bytes = Duration::from_secs(request.file.size / BYTES_PER_SECOND);
        let patience = PATIENCE.saturating_add(bytes).min(MOST_PATIENCE);
        let path = Path::new(OsStr::from_bytes(&request.path));
        let source = named.as_ref().map_or(Source::Path(path), |fd| Source::Named(fd.as_fd()));
        let hashed = self.readers.hash(reader, source, patience);
        let hashed = match hashed {
            // Its process runs something else by now.
            Ok(other) if named.is_some() && compare(request, &other.stat) == Match::Other => {
                self.by_path(reader, path, patience, other)
            }
            other => other,
        };
        let Hashed { sha256, len, stat } = hashed.map_err(|error| self.reason(&error, path))?;
        match compare(request, &stat) {
            Match::Same | Match::Unlinked => {
                self.report.hashed(len);
                Ok(Sha256(sha256))
            }
            Match::Touched | Match::Other => Err(Unhashed::Changed),
        }
    }

    fn by_path(
        &self,
        reader: &Reader,
        path: &Path,
        patience: Duration,
        other: Hashed,
    ) -> Result<Hashed, HashError> {
        if !path.is_absolute() {
            return Ok(other);
        }
        self.readers.hash(reader, Source::Path(path), patience).or(Ok(other))
    }

    fn reason(&self, error: &HashError, path: &Path) -> Unhashed {
        tracing::debug!(path = %path.display(), %error, "cannot read a file as its user");
        match error {
            HashError::Changed => Unhashed::Changed,
            HashError::Cancelled => Unhashed::Interrupted,
            HashError::Io(error) => match error.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::ResourceBusy => Unhashed::NoAnswer,
                io::ErrorKind::NotFound | io::ErrorKind::NotConnected => Unhashed::Gone,
                _ => Unhashed::Unreadable,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use femtosnitch_model::FileSystem;

    fn job(user: u32, ino: u64) -> Job {
        let request = FileRequest {
            file: FileId { ino, ..FileId::default() },
            path: Vec::new(),
            tgid: 1,
            mnt_id: 0,
            mntns: 0,
            links: 1,
            system: FileSystem::Fuse,
        };
        Job { request, reader: Reader::of_user(user, user), named: None }
    }

    #[test]
    fn a_user_waits_for_nobody_but_themselves() {
        let queue = Queue::default();
        for (user, ino) in [(1, 10), (1, 11), (2, 20)] {
            queue.put(job(user, ino)).unwrap();
        }
        let first = queue.next().unwrap();
        let second = queue.next().unwrap();
        assert_eq!((first.request.file.ino, second.request.file.ino), (10, 20));
        queue.done(&first);
        assert_eq!(queue.next().unwrap().request.file.ino, 11);
    }

    #[test]
    fn a_file_is_read_once_and_a_user_takes_no_more_than_their_share() {
        let queue = Queue::default();
        for ino in 0..OF_ONE_USER as u64 {
            queue.put(job(1, ino)).unwrap();
            queue.put(job(1, ino)).unwrap();
        }
        assert_eq!(queue.state().waiting.len(), OF_ONE_USER);
        assert_eq!(queue.put(job(1, 1_000)), Err(Unhashed::Interrupted));
        assert_eq!(queue.put(job(2, 1_000)), Ok(()));
    }

    #[test]
    fn the_end_is_told() {
        let queue = Arc::<Queue>::default();
        let waiting = Arc::clone(&queue);
        let thread = std::thread::spawn(move || waiting.next().is_none());
        drop(Served { queue });
        assert!(thread.join().unwrap());
    }
}
