//! Getting at the bytes behind each executable: taking hold of files while they are there,
//! hashing them off everybody's way, and hearing of changes.

mod changes;
pub(super) mod facts;
mod filesystems;
mod held;
mod lanes;
pub(super) mod scripts;
mod served;
mod version;

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
use std::time::Duration;

use femtosnitch_engine::FileRequest;
use femtosnitch_model::{Digest, FileSystem, Unhashed};
use femtosnitch_sys::file::{self, Target, open_executable, running_files_are_protected};
use femtosnitch_sys::{limits, thread, wait};

use super::Message;
use super::capture::{Waker, waker};
use super::report::Report;
use changes::{Changes, News};
use facts::{Finding, Wanted};
use filesystems::FileSystems;
use held::Held;
use lanes::{Lane, Worker};
use scripts::ScriptRequest;
use served::Served;
use version::{Match, compare, mismatch};

/// Files larger than this have a lane, and a thread, of their own: they must not hold up the rest.
const LARGE: u64 = 64 << 20;
/// No program is this large; a sparse file costs nothing to make and hours to read.
const TOO_LARGE: u64 = 16 << 30;
/// Requests that wait; as many as the engine remembers files.
const BACKLOG: usize = 65_536;
/// Reads of what was executed at one look, 128 files each: the rest waits for what is to be hashed.
const READS: usize = 16;
/// Descriptors that are not for files to be hashed.
const RESERVED: usize = 256;

enum Job {
    Hold(FileRequest),
    Hash(FileRequest),
    Script(ScriptRequest),
    Stop,
}

/// The capture thread's end.
pub(super) struct Identity {
    jobs: Sender<Job>,
    waker: Waker,
    cancel: Arc<AtomicBool>,
    changes: Arc<Changes>,
    facts: Finding,
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
        let (facts, finder) = facts::start(answers.clone(), answered.clone())?;
        let mut running = vec![finder];
        let worker = Worker {
            answers: answers.clone(),
            answered,
            opener: waker.clone(),
            facts: facts.clone(),
            protected: running_files_are_protected(),
        };
        let lanes = [
            Lane::start("hash", small, &worker, &cancel, report, &mut running)?,
            Lane::start("hash-large", 1, &worker, &cancel, report, &mut running)?,
        ];
        let served = Served::start(&worker, report, &mut running)?;
        let Worker { answered, .. } = worker;
        let changes = Arc::new(Changes::new(report));
        let room = usize::try_from(limits::raise_descriptors()).unwrap_or(usize::MAX);
        let opener = Opener {
            // As many again may be on their way to the hash threads.
            held: Held::new((room.saturating_sub(RESERVED) / 2).max(16)),
            changes: Arc::clone(&changes),
            systems: FileSystems::watch(report),
            expired: Vec::new(),
            lanes,
            served,
            answers,
            answered,
            report: Arc::clone(report),
        };
        running.push(thread::spawn("identity", move || opener.run(&inbox, &wake))?);
        Ok((Self { jobs, waker, cancel, changes, facts }, running))
    }

    pub(super) fn hold(&self, request: FileRequest) {
        self.send(Job::Hold(request));
    }

    pub(super) fn hash(&self, request: FileRequest) {
        self.send(Job::Hash(request));
    }

    /// Finds out about a script: answered by [`Message::Script`].
    pub(super) fn script(&self, request: ScriptRequest) {
        self.send(Job::Script(request));
    }

    /// Finds out what a container is called: answered by [`Message::Container`].
    pub(super) fn container(&self, wanted: Wanted) {
        self.facts.container(wanted);
    }

    /// Files and containers of which more is being found out.
    pub(super) fn facts_outstanding(&self) -> usize {
        self.facts.waiting()
    }

    /// Changes of files since the last look.
    pub(super) fn changes(&self, report: &Report) -> News {
        self.changes.read(report)
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
    changes: Arc<Changes>,
    systems: Option<FileSystems>,
    /// Held long enough; kept to spare allocations.
    expired: Vec<(File, Option<FileRequest>)>,
    lanes: [Lane; 2],
    served: Served,
    answers: Sender<Message>,
    answered: Waker,
    report: Arc<Report>,
}

impl Opener {
    fn run(mut self, inbox: &Receiver<Job>, wake: &PipeReader) {
        loop {
            let mut fds = vec![wake.as_fd()];
            fds.extend(self.systems.iter().flat_map(FileSystems::fds));
            let limit = self.held.expire(&mut self.expired);
            if wait::readable(&fds, limit).is_err() || !self.drain_wake(wake) {
                return;
            }
            self.settle();
            // What waits unread keeps its file system busy.
            self.take_executed();
            loop {
                match inbox.try_recv() {
                    Ok(Job::Hold(request)) => self.hold(&request),
                    Ok(Job::Hash(request)) => self.ask(request),
                    Ok(Job::Script(request)) => self.script(request),
                    Ok(Job::Stop) => return,
                    Err(std::sync::mpsc::TryRecvError::Empty) => break,
                    Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
                }
            }
            self.feed();
        }
    }

    /// Sees to files that nobody has wanted in all that time. The next run of the same version may
    /// be over at once, and its file removed: so programs are hashed now, when there is time. What
    /// was not executed by itself is most likely `ld.so`.
    fn settle(&mut self) {
        for (file, request) in std::mem::take(&mut self.expired) {
            match request {
                None => {
                    if let Some(systems) = &self.systems {
                        systems.ignore(&file);
                    }
                }
                Some(request) => {
                    // What has no name any more is nowhere else to be had.
                    let nameless = file::stat(file.as_fd()).is_ok_and(|stat| stat.nlink == 0);
                    let [small, _] = &self.lanes;
                    if request.file.size <= LARGE && (nameless || small.backlog.is_empty()) {
                        self.send(0, request, file);
                    }
                }
            }
        }
    }

    /// To a hash thread.
    fn send(&self, lane: usize, request: FileRequest, file: File) {
        // Before it is read: what is written to it from here on will be known.
        self.changes.watch(&file, request.file);
        if let Some(systems) = &self.systems {
            systems.ignore(&file);
        }
        if let Some(lane) = self.lanes.get(lane) {
            lane.send(request, file);
        }
    }

    /// Files that the kernel hands us because they were executed. False once none is left.
    fn take_executed(&mut self) -> bool {
        let Some(systems) = &mut self.systems else { return false };
        for _ in 0..READS {
            let executed = match systems.executed() {
                Ok(executed) => executed,
                Err(error) => {
                    tracing::debug!(%error, "cannot take hold of what is executed");
                    return false;
                }
            };
            self.report.executables_lost(executed.lost);
            if executed.files.is_empty() && executed.lost == 0 {
                return false;
            }
            for file in executed.files {
                if let Ok(stat) = file::stat(file.as_fd()) {
                    self.held.insert(file, stat, None);
                }
            }
        }
        true
    }

    /// What was executed, from what the kernel hands us: before it tells of an exec it has told of
    /// the file.
    fn handed(&mut self, request: &FileRequest) -> Option<File> {
        loop {
            let held = self.held.take(request);
            if held.is_some() || !self.take_executed() {
                return held.or_else(|| self.held.take(request));
            }
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

    /// A version not seen before was executed. Most likely the kernel has handed it to us.
    fn hold(&mut self, request: &FileRequest) {
        if request.system == FileSystem::Fuse {
            if let Some(systems) = &mut self.systems {
                systems.seen(request, None);
            }
            // Such a file is not kept open: that would keep its user from unmounting it.
            self.ask_its_user(request);
            return;
        }
        let file = self.handed(request).or_else(|| self.open(request).ok());
        if let Some(systems) = &mut self.systems {
            systems.seen(request, file.as_ref());
        }
        if let Some(file) = file
            && let Ok(stat) = file::stat(file.as_fd())
        {
            self.held.insert(file, stat, Some(request.clone()));
        }
    }

    fn script(&mut self, request: ScriptRequest) {
        let scripts::Opened { key, path, file } = scripts::open(request, &self.held);
        let version = file.map(|(version, file, stat)| {
            self.held.insert(file, stat, None);
            version
        });
        self.answer(Message::Script(key, path, version));
    }

    /// Has a file read as the user who ran it.
    fn ask_its_user(&self, request: &FileRequest) {
        if let Err(reason) = self.served.ask(request) {
            self.report.unhashed(reason);
            self.answer(Message::Digest(request.file, Digest::Missing(reason)));
        }
    }

    /// A digest is wanted. What waits is bounded by the files that the engine remembers.
    fn ask(&mut self, request: FileRequest) {
        if request.system == FileSystem::Fuse {
            self.ask_its_user(&request);
            return;
        }
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
                match self.handed(&request).map_or_else(|| self.open(&request), Ok) {
                    Ok(file) => self.send(n, request, file),
                    // What a server does not let root read (NFS), or was found later (FUSE).
                    Err(Unhashed::Unreadable) => self.ask_its_user(&request),
                    Err(reason) => {
                        self.report.unhashed(reason);
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
    /// directory, or from here, whichever leads to that very version, names and owners aside.
    fn open(&self, request: &FileRequest) -> Result<File, Unhashed> {
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
                    if compare(request, &stat) > Match::Other {
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
        Err(reason)
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
