//! Threads that ask the history. Each has a reader of its own, whose cache stays warm.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use axum::http::StatusCode;
use femtosnitch_store::{Cancel, Reader, StoreError};
use tokio::sync::oneshot;

use crate::answer::Refusal;

/// Questions that are answered at a time; each takes up to 60 MB while it is.
const THREADS: usize = 2;
/// Questions that wait; more are refused.
const WAITING: usize = 48;
/// A question that takes longer than this is given up.
const PATIENCE: Duration = Duration::from_secs(60);

type Work = Box<dyn FnOnce(Result<&Reader, StoreError>) + Send>;

struct Job {
    cancel: Cancel,
    work: Work,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    database: PathBuf,
}

/// Asks the history from async code.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Shared>);

/// Withdraws the question when whoever asked is gone.
struct Withdraw(Cancel);

impl Drop for Withdraw {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Pool {
    /// Starts the threads.
    pub(crate) fn start(database: &Path) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            wake: Condvar::new(),
            database: database.to_owned(),
        });
        for at in 0..THREADS {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name(format!("query-{at}")).spawn(move || serve(&shared))?;
        }
        Ok(Self(shared))
    }

    pub(crate) fn database(&self) -> &Path {
        &self.0.database
    }

    /// Runs `ask` with a reader on one of the threads. If the future is dropped, the question is
    /// withdrawn: it is not begun, or ends soon with [`StoreError::Cancelled`].
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Reader, &Cancel) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (tell, told) = oneshot::channel();
        let cancel = Cancel::default();
        let _withdraw = Withdraw(cancel.clone());
        let token = cancel.clone();
        let work: Work = Box::new(move |reader| {
            let result = reader.map_err(Refusal::from).and_then(|reader| ask(reader, &token));
            // Nobody may be left to hear it.
            drop(tell.send(result));
        });
        self.push(Job { cancel, work })?;
        match tokio::time::timeout(PATIENCE, told).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Refusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "the question could not be answered; the log says why",
            )),
            Err(_) => Err(Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too_slow",
                "the question took longer than a minute; ask for less time, or filter more",
            )),
        }
    }

    fn push(&self, job: Job) -> Result<(), Refusal> {
        let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.jobs.retain(|job| !job.cancel.is_cancelled());
        if queue.closed || queue.jobs.len() >= WAITING {
            return Err(Refusal::busy());
        }
        queue.jobs.push_back(job);
        drop(queue);
        self.0.wake.notify_one();
        Ok(())
    }

    /// Questions that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).jobs.len()
    }

    /// Ends the threads once they are idle.
    pub(crate) fn close(&self) {
        let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.closed = true;
        queue.jobs.clear();
        drop(queue);
        self.0.wake.notify_all();
    }
}

fn next(shared: &Shared) -> Option<Job> {
    let mut queue = shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if queue.closed {
            return None;
        }
        match queue.jobs.pop_front() {
            Some(job) if job.cancel.is_cancelled() => {}
            Some(job) => return Some(job),
            None => queue = shared.wake.wait(queue).unwrap_or_else(PoisonError::into_inner),
        }
    }
}

fn serve(shared: &Shared) {
    let mut open = None;
    while let Some(job) = next(shared) {
        let file = identity(&shared.database);
        // A history that was moved aside is not the history any more.
        if !matches!((&open, file), (Some((known, _)), Some(file)) if *known == file) {
            open = None;
        }
        if open.is_none() {
            match Reader::open(&shared.database) {
                Ok(reader) => open = Some((file.unwrap_or_default(), reader)),
                Err(error) => {
                    (job.work)(Err(error));
                    continue;
                }
            }
        }
        if let Some((_, reader)) = &open {
            // A fault in one answer is not the end of all.
            let done = panic::catch_unwind(AssertUnwindSafe(|| (job.work)(Ok(reader))));
            if done.is_err() {
                open = None;
            }
        }
    }
}

/// Which file it is.
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|data| (data.dev(), data.ino()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::mpsc;

    use femtosnitch_store::{Options, Writer};

    use super::*;

    #[test]
    fn what_nobody_waits_for_is_withdrawn_whether_it_began_or_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.db");
        drop(Writer::open(&path, &Options::default()).unwrap());
        let pool = Pool::start(&path).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (tell, told) = mpsc::channel();
            // As many as are answered at a time, and some that wait: all are let go of.
            let asked: Vec<_> = (0..THREADS + 5)
                .map(|at| {
                    let tell = tell.clone();
                    let ask = move |_: &Reader, cancel: &Cancel| {
                        tell.send((at, "begun")).unwrap();
                        while !cancel.is_cancelled() {
                            thread::sleep(Duration::from_millis(1));
                        }
                        tell.send((at, "ended")).unwrap();
                        Ok(())
                    };
                    Box::pin(pool.ask(ask))
                })
                .collect();
            let all = futures_util::future::join_all(asked);
            assert!(tokio::time::timeout(Duration::from_millis(100), all).await.is_err());
            // The next one is answered, which it would not be behind those.
            pool.ask(|_, _| Ok(())).await.unwrap();
            drop(tell);
            let happened: Vec<_> = told.iter().collect();
            let count = |what| happened.iter().filter(|(_, it)| *it == what).count();
            assert_eq!((count("begun"), count("ended")), (THREADS, THREADS), "{happened:?}");
        });
        pool.close();
    }
}
