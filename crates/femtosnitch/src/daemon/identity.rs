//! Getting at the bytes behind each executable: taking hold of files while they are there,
//! hashing them off everybody's way, and hearing of changes.

mod held;
mod lanes;
mod version;

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, PipeReader};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use femtosnitch_engine::FileRequest;
use femtosnitch_model::{Digest, FileId, Unhashed};
use femtosnitch_sys::fanotify::{Change, FileKey, Watcher};
use femtosnitch_sys::file::{Target, open_executable};
use femtosnitch_sys::{thread, wait};

use super::Message;
use super::capture::{Waker, waker};
use super::report::Report;
use held::Held;
use lanes::{Lane, Worker};
use version::{is_version, mismatch};

/// Files larger than this have a lane, and a thread, of their own: they must not hold up the rest.
const LARGE: u64 = 64 << 20;
/// No program is this large; a sparse file costs nothing to make and hours to read.
const TOO_LARGE: u64 = 16 << 30;
/// Files watched for changes. When there are more all are forgotten, and all count as changed.
const WATCHED: usize = 65_536;

/// Requests that wait; as many as the engine remembers files.
const BACKLOG: usize = 65_536;
/// Between two looks at what changed.
const CHANGES: Duration = Duration::from_millis(100);
/// Reads of the changes at one look, some hundred events each.
const READS: usize = 64;

enum Job {
    Hold(FileRequest),
    Hash(FileRequest),
    Stop,
}

/// The capture thread's end.
pub(super) struct Identity {
    jobs: Sender<Job>,
    waker: Waker,
    cancel: Arc<AtomicBool>,
}

impl Identity {
    /// Starts the thread that opens files and those that hash them; returns them too, since nobody
    /// else would notice the end of one.
    pub(super) fn start(
        threads: Option<usize>,
        answers: Sender<Message>,
        answered: Waker,
        report: &Arc<Report>,
    ) -> io::Result<(Self, Vec<JoinHandle<()>>)> {
        // Never more requests wait than files are remembered: each is asked for once.
        let (jobs, inbox) = channel();
        let (waker, wake) = waker()?;
        let cancel = Arc::new(AtomicBool::new(false));
        let automatic = std::thread::available_parallelism().map_or(1, |cpus| cpus.get().min(4));
        // One for large files, the others for the rest.
        let small = threads.unwrap_or(automatic).saturating_sub(1).max(1);
        let worker = Worker { answers: answers.clone(), answered, opener: waker.clone() };
        let mut running = Vec::new();
        let lanes = [
            Lane::start("hash", small, &worker, &cancel, report, &mut running)?,
            Lane::start("hash-large", 1, &worker, &cancel, report, &mut running)?,
        ];
        let Worker { answered, .. } = worker;
        let watcher = match Watcher::new() {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                report.warn(&format!(
                    "changes of executables are noticed by their time stamps only: {error}"
                ));
                None
            }
        };
        let opener = Opener {
            held: Held::default(),
            watcher,
            watched: HashMap::new(),
            lanes,
            answers,
            answered,
            report: Arc::clone(report),
        };
        running.push(thread::spawn("identity", move || opener.run(&inbox, &wake))?);
        Ok((Self { jobs, waker, cancel }, running))
    }

    pub(super) fn hold(&self, request: FileRequest) {
        self.send(Job::Hold(request));
    }

    pub(super) fn hash(&self, request: FileRequest) {
        self.send(Job::Hash(request));
    }

    fn send(&self, job: Job) {
        // The thread ends only after this end is dropped.
        drop(self.jobs.send(job));
        self.waker.wake();
    }

    /// Gives up what is being hashed. The threads end by themselves.
    pub(super) fn stop(&self) {
        self.cancel.store(true, Ordering::Relaxed);
        self.send(Job::Stop);
    }
}

/// The `identity` thread.
struct Opener {
    held: Held,
    watcher: Option<Watcher>,
    watched: HashMap<FileKey, (u64, u64)>,
    lanes: [Lane; 2],
    answers: Sender<Message>,
    answered: Waker,
    report: Arc<Report>,
}

impl Opener {
    fn run(mut self, inbox: &Receiver<Job>, wake: &PipeReader) {
        let mut quiet_until = Instant::now();
        loop {
            // Between two looks at the changes the kernel merges those of one file: whoever touches
            // a file in a loop costs us ten looks a second.
            let rest = quiet_until.saturating_duration_since(Instant::now());
            let mut fds = vec![wake.as_fd()];
            if rest.is_zero() {
                fds.extend(self.watcher.as_ref().map(AsFd::as_fd));
            }
            let quiet = (!rest.is_zero()).then_some(rest);
            let limit = [quiet, self.held.expire()].into_iter().flatten().min();
            if wait::readable(&fds, limit).is_err() || !self.drain_wake(wake) {
                return;
            }
            if rest.is_zero() && self.read_changes() {
                quiet_until = Instant::now() + CHANGES;
            }
            loop {
                match inbox.try_recv() {
                    Ok(Job::Hold(request)) => self.hold(&request),
                    Ok(Job::Hash(request)) => self.ask(request),
                    Ok(Job::Stop) => return,
                    Err(std::sync::mpsc::TryRecvError::Empty) => break,
                    Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
                }
            }
            self.feed();
        }
    }

    /// False once nobody is left who could wake us.
    fn drain_wake(&self, mut wake: &PipeReader) -> bool {
        use std::io::Read;
        let ready = wait::readable(&[wake.as_fd()], Some(Duration::ZERO));
        if ready.is_ok_and(|ready| ready == [true]) {
            return wake.read(&mut [0; 256]).is_ok_and(|n| n > 0);
        }
        true
    }

    fn hold(&mut self, request: &FileRequest) {
        if let Ok(file) = self.open(request) {
            self.held.insert(request.file, file);
        }
    }

    /// A digest is wanted. What waits is bounded by the files that the engine remembers.
    fn ask(&mut self, request: FileRequest) {
        let reason = if request.file.size > TOO_LARGE {
            Some(Unhashed::TooLarge)
        } else if self.lanes.iter().map(|lane| lane.backlog.len()).sum::<usize>() >= BACKLOG {
            Some(Unhashed::Interrupted)
        } else {
            None
        };
        if let Some(reason) = reason {
            self.report.unhashed(reason);
            self.answer(Message::Digest(request.file, Digest::Missing(reason)));
            return;
        }
        let [small, large] = &mut self.lanes;
        let lane = if request.file.size > LARGE { large } else { small };
        lane.backlog.push_back(request);
    }

    /// Gives the hash threads as much as they may have at a time.
    fn feed(&mut self) {
        for n in 0..self.lanes.len() {
            while let Some(request) = self.lanes.get_mut(n).and_then(Lane::next) {
                match self.held.take(&request.file).map_or_else(|| self.open(&request), Ok) {
                    Ok(file) => {
                        if let Some(lane) = self.lanes.get(n) {
                            lane.send(request.file, file);
                        }
                    }
                    Err(reason) => {
                        self.answer(Message::Digest(request.file, Digest::Missing(reason)));
                    }
                }
            }
        }
    }

    fn answer(&self, message: Message) {
        drop(self.answers.send(message));
        self.answered.wake();
    }

    /// Opens the file that the kernel saw executed: through the process, through its root
    /// directory, or from here, whichever leads to that very version.
    fn open(&mut self, request: &FileRequest) -> Result<File, Unhashed> {
        let path = Path::new(OsStr::from_bytes(&request.path));
        let exe = Target::Exe(request.tgid);
        let ways: &[Target<'_>] = if path.is_absolute() {
            &[exe, Target::In(request.tgid, path), Target::Path(path)]
        } else {
            &[exe]
        };
        let mut reason = Unhashed::Gone;
        for way in ways {
            match open_executable(*way) {
                Ok((file, stat)) => {
                    if is_version(&request.file, &stat) {
                        self.watch(&file, request.file);
                        return Ok(file);
                    }
                    let through_process = matches!(way, Target::Exe(_));
                    reason = worse(reason, mismatch(&request.file, &stat, through_process));
                }
                Err(error) => {
                    let gone = matches!(
                        error.raw_os_error(),
                        Some(libc_errno::ENOENT | libc_errno::ESRCH)
                    );
                    if !gone {
                        tracing::debug!(path = %path.display(), %error, "cannot open an executable");
                        reason = worse(reason, Unhashed::Unreadable);
                    }
                }
            }
        }
        self.report.unhashed(reason);
        Err(reason)
    }

    fn watch(&mut self, file: &File, id: FileId) {
        let Some(watcher) = &self.watcher else { return };
        if self.watched.len() >= WATCHED {
            drop(watcher.clear());
            self.watched.clear();
            self.answer(Message::AllChanged);
        }
        let Some(watcher) = &self.watcher else { return };
        match watcher.watch(file.as_fd()) {
            Ok(key) => {
                self.watched.insert(key, (id.dev, id.ino));
            }
            // Such a file's versions are told apart by their time stamps.
            Err(error) => tracing::trace!(%error, "cannot watch an executable"),
        }
    }

    /// True if there were any.
    fn read_changes(&mut self) -> bool {
        let Some(watcher) = &self.watcher else { return false };
        let mut changes = Vec::new();
        for _ in 0..READS {
            match watcher.read() {
                Ok(more) if !more.is_empty() => changes.extend(more),
                _ => break,
            }
        }
        let any = !changes.is_empty();
        let mut changed = HashSet::new();
        for change in changes {
            match change {
                Change::Changed { key, gone } => {
                    let known = if gone {
                        self.watched.remove(&key)
                    } else {
                        self.watched.get(&key).copied()
                    };
                    changed.extend(known);
                }
                Change::Overflow => {
                    self.report.changes_lost();
                    self.answer(Message::AllChanged);
                }
            }
        }
        for (dev, ino) in changed {
            self.answer(Message::Changed { dev, ino });
        }
        any
    }
}

/// Linux' numbers, which `std::io::ErrorKind` does not keep apart.
mod libc_errno {
    pub(super) const ENOENT: i32 = 2;
    pub(super) const ESRCH: i32 = 3;
}

/// Of two reasons the one that tells more.
fn worse(a: Unhashed, b: Unhashed) -> Unhashed {
    let rank = |reason| match reason {
        Unhashed::Unreadable => 2,
        Unhashed::Changed => 1,
        _ => 0,
    };
    if rank(b) > rank(a) { b } else { a }
}
