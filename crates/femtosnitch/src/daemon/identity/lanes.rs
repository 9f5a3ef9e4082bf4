//! The threads that hash, and what waits for them.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use femtosnitch_engine::FileRequest;
use femtosnitch_model::{Digest, Sha256, Unhashed};
use femtosnitch_sys::file::{FileStat, Target, open_executable};
use femtosnitch_sys::hash::{HashError, hash_fd};
use femtosnitch_sys::thread;

use super::facts::{Finding, Found};
use super::version::{Match, compare};
use crate::daemon::Message;
use crate::daemon::capture::Waker;
use crate::daemon::report::Report;

/// Open files on their way to the threads of one lane. Further requests wait without a descriptor.
const HASHING: usize = 64;

/// Whom a hash thread tells.
#[derive(Clone)]
pub(super) struct Worker {
    pub(super) answers: Sender<Message>,
    pub(super) answered: Waker,
    /// Wakes the thread that opens files.
    pub(super) opener: Waker,
    /// Where what was hashed goes on to.
    pub(super) facts: Finding,
    /// This kernel lets nobody write to a file while it is executed.
    pub(super) protected: bool,
}

/// Hash threads with a queue of their own.
pub(super) struct Lane {
    /// Asked for, while the threads have enough to do.
    pub(super) backlog: VecDeque<FileRequest>,
    hashing: Arc<AtomicUsize>,
    files: Sender<(FileRequest, File)>,
}

impl Lane {
    pub(super) fn start(
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
    pub(super) fn next(&mut self) -> Option<FileRequest> {
        if self.hashing.load(Ordering::Acquire) >= HASHING {
            return None;
        }
        self.backlog.pop_front()
    }

    pub(super) fn send(&self, request: FileRequest, file: File) {
        self.hashing.fetch_add(1, Ordering::AcqRel);
        // The threads live as long as this sender.
        drop(self.files.send((request, file)));
    }
}

/// A hash thread.
struct Hasher {
    work: Arc<Mutex<Receiver<(FileRequest, File)>>>,
    worker: Worker,
    hashing: Arc<AtomicUsize>,
    cancel: Arc<AtomicBool>,
    report: Arc<Report>,
}

impl Hasher {
    fn run(self) {
        loop {
            let next = self.work.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((request, file)) = next else { return };
            let digest = self.digest(&request, &file);
            if let Digest::Missing(reason) = digest {
                self.report.unhashed(reason);
            }
            let id = request.file;
            if let Digest::Known(sha256) = digest {
                // Before the answer: whoever waits for that also waits for what comes of this.
                self.worker.facts.file(Found { request, file, sha256 });
            }
            drop(self.worker.answers.send(Message::Digest(id, digest)));
            self.worker.answered.wake();
            if self.hashing.fetch_sub(1, Ordering::AcqRel) >= HASHING {
                self.worker.opener.wake();
            }
        }
    }

    fn digest(&self, request: &FileRequest, file: &File) -> Digest {
        match hash_fd(file.as_fd(), &self.cancel) {
            Ok(hashed) if self.is_what_ran(request, &hashed.stat) => {
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

    /// Looked at after it was read: what was written to it before shows in `stat`.
    fn is_what_ran(&self, request: &FileRequest, stat: &FileStat) -> bool {
        match compare(request, stat) {
            Match::Same | Match::Unlinked => true,
            // Nobody could write to it from the exec to this moment, if it still runs.
            Match::Touched => self.worker.protected && runs(request.tgid, stat),
            Match::Other => false,
        }
    }
}

/// True if this process executes that inode.
fn runs(tgid: u32, stat: &FileStat) -> bool {
    let running = open_executable(Target::Exe(tgid));
    running.is_ok_and(|(_, now)| (now.dev, now.ino) == (stat.dev, stat.ino))
}
