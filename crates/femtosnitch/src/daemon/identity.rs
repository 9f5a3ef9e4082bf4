//! Getting at the bytes behind each executable: taking hold of files while they are there,
//! hashing them off everybody's way, and hearing of changes.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, PipeReader};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use femtosnitch_engine::FileRequest;
use femtosnitch_model::{Digest, FileId, Sha256, Unhashed};
use femtosnitch_sys::fanotify::{Change, FileKey, Watcher};
use femtosnitch_sys::file::{FileStat, Target, open_executable};
use femtosnitch_sys::hash::{HashError, hash_fd};
use femtosnitch_sys::{thread, wait};

use super::Message;
use super::capture::{Waker, waker};
use super::lookup::file_id;
use super::report::Report;

/// Open files waiting for somebody to want their digest.
const HELD: usize = 256;
/// Open files on their way to the threads of one lane. Further requests wait without a descriptor.
const HASHING: usize = 64;
/// Files larger than this have a lane, and a thread, of their own: they must not hold up the rest.
const LARGE: u64 = 64 << 20;
/// No program is this large; a sparse file costs nothing to make and hours to read.
const TOO_LARGE: u64 = 16 << 30;
/// How long a file is kept open for a digest that nobody wants yet: it keeps its file system busy.
const HOLD: Duration = Duration::from_secs(30);
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

/// Open descriptors by version of a file, the oldest given up first.
#[derive(Default)]
struct Held {
    files: HashMap<FileId, File>,
    order: VecDeque<(FileId, Instant)>,
}

impl Held {
    fn insert(&mut self, id: FileId, file: File) {
        if self.files.insert(id, file).is_none() {
            self.order.push_back((id, Instant::now()));
        }
        while self.files.len() > HELD {
            let Some((oldest, _)) = self.order.pop_front() else { break };
            self.files.remove(&oldest);
        }
        // Files taken out leave their place in the order behind.
        if self.order.len() > 4 * HELD {
            let files = &self.files;
            self.order.retain(|(id, _)| files.contains_key(id));
        }
    }

    fn take(&mut self, id: &FileId) -> Option<File> {
        self.files.remove(id)
    }

    /// Closes what was held long enough; when to come back for the next.
    fn expire(&mut self) -> Option<Duration> {
        while let Some((id, since)) = self.order.front() {
            let left = HOLD.saturating_sub(since.elapsed());
            if !left.is_zero() {
                return Some(left);
            }
            self.files.remove(id);
            self.order.pop_front();
        }
        None
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
                    reason = worse(reason, Unhashed::Changed);
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

/// True if an open file is the version that was executed. ctime too: the owner can write to the
/// file and set mtime back, but not that.
///
/// On file systems with device numbers of their own making (major 0: btrfs, overlay) `stat(2)`
/// reports another one than the kernel's superblock has; inode, size and times decide there.
fn is_version(wanted: &FileId, stat: &FileStat) -> bool {
    let found = file_id(stat);
    let same_device = found.dev == wanted.dev || found.dev >> 8 & 0xfff == 0;
    same_device
        && found.ino == wanted.ino
        && found.size == wanted.size
        && found.mtime == wanted.mtime
        && found.ctime == wanted.ctime
}

/// Whom a hash thread tells.
#[derive(Clone)]
struct Worker {
    answers: Sender<Message>,
    answered: Waker,
    /// Wakes the thread that opens files.
    opener: Waker,
}

/// Hash threads with a queue of their own.
struct Lane {
    /// Asked for, while the threads have enough to do.
    backlog: VecDeque<FileRequest>,
    hashing: Arc<AtomicUsize>,
    files: Sender<(FileId, File)>,
}

impl Lane {
    fn start(
        name: &str,
        threads: usize,
        worker: &Worker,
        cancel: &Arc<AtomicBool>,
        report: &Arc<Report>,
        running: &mut Vec<JoinHandle<()>>,
    ) -> io::Result<Self> {
        let (files, work) = channel();
        let work = Arc::new(Mutex::new(work));
        let hashing = Arc::new(AtomicUsize::new(0));
        for n in 0..threads {
            let hasher = Hasher {
                work: Arc::clone(&work),
                worker: worker.clone(),
                hashing: Arc::clone(&hashing),
                cancel: Arc::clone(cancel),
                report: Arc::clone(report),
            };
            running.push(thread::spawn(&format!("{name}-{n}"), move || hasher.run())?);
        }
        Ok(Self { backlog: VecDeque::new(), hashing, files })
    }

    /// The next request, if the threads may have one more file.
    fn next(&mut self) -> Option<FileRequest> {
        if self.hashing.load(Ordering::Acquire) >= HASHING {
            return None;
        }
        self.backlog.pop_front()
    }

    fn send(&self, id: FileId, file: File) {
        self.hashing.fetch_add(1, Ordering::AcqRel);
        // The threads live as long as this sender.
        drop(self.files.send((id, file)));
    }
}

/// A hash thread.
struct Hasher {
    work: Arc<Mutex<Receiver<(FileId, File)>>>,
    worker: Worker,
    hashing: Arc<AtomicUsize>,
    cancel: Arc<AtomicBool>,
    report: Arc<Report>,
}

impl Hasher {
    fn run(self) {
        loop {
            let next = self.work.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((id, file)) = next else { return };
            let digest = self.digest(&id, &file);
            drop(file);
            if let Digest::Missing(reason) = digest {
                self.report.unhashed(reason);
            }
            drop(self.worker.answers.send(Message::Digest(id, digest)));
            self.worker.answered.wake();
            if self.hashing.fetch_sub(1, Ordering::AcqRel) >= HASHING {
                self.worker.opener.wake();
            }
        }
    }

    fn digest(&self, id: &FileId, file: &File) -> Digest {
        match hash_fd(file.as_fd(), &self.cancel) {
            Ok(hashed) if is_version(id, &hashed.stat) => {
                self.report.hashed(hashed.len);
                Digest::Known(Sha256(hashed.sha256))
            }
            Ok(_) | Err(HashError::Changed) => Digest::Missing(Unhashed::Changed),
            Err(HashError::Cancelled) => Digest::Missing(Unhashed::Interrupted),
            Err(HashError::Io(error)) => {
                tracing::debug!(%error, "cannot read an executable");
                Digest::Missing(Unhashed::Unreadable)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use femtosnitch_model::Timestamp;
    use femtosnitch_sys::file::FileTime;

    fn stat() -> FileStat {
        FileStat {
            dev: 0x801,
            ino: 7,
            size: 10,
            mtime: FileTime { sec: 1, nsec: 2 },
            ctime: FileTime { sec: 3, nsec: 4 },
            ..FileStat::default()
        }
    }

    #[test]
    fn a_version_is_recognised() {
        let id = file_id(&stat());
        assert!(is_version(&id, &stat()));
        assert!(!is_version(&FileId { ino: 8, ..id }, &stat()));
        assert!(!is_version(&FileId { size: 11, ..id }, &stat()));
        assert!(!is_version(&FileId { mtime: Timestamp::default(), ..id }, &stat()));
        assert!(!is_version(&FileId { dev: 0x802, ..id }, &stat()));
    }

    #[test]
    fn a_file_written_to_with_its_mtime_set_back_is_another() {
        let rewritten = FileStat { ctime: FileTime { sec: 9, nsec: 9 }, ..stat() };
        assert!(!is_version(&file_id(&stat()), &rewritten));
    }

    #[test]
    fn anonymous_devices_differ_between_kernel_and_stat() {
        let on_btrfs = FileStat { dev: 0x2a, ..stat() };
        assert!(is_version(&file_id(&stat()), &on_btrfs));
    }

    #[test]
    fn held_files_are_bounded() {
        let mut held = Held::default();
        for ino in 0..2000 {
            let file = File::open("/dev/null").unwrap();
            held.insert(FileId { ino, ..FileId::default() }, file);
            if ino % 3 == 0 {
                held.take(&FileId { ino, ..FileId::default() });
            }
        }
        assert!(held.files.len() <= HELD && held.order.len() <= 4 * HELD + 1);
        assert!(held.take(&FileId { ino: 1999, ..FileId::default() }).is_some());
    }
}
