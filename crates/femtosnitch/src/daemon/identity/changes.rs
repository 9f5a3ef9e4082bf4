//! Hearing of changes of files that were hashed.
//!
//! The `identity` thread marks files, the `capture` thread reads what happened to them: after it
//! has taken an exec from the ring buffer, and before it tells the engine. Whoever changed a file
//! has closed it before it could be executed, so that the change is known by then.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use femtosnitch_model::FileId;
use femtosnitch_sys::fanotify::{Change, FileKey, Watcher};

use crate::daemon::report::Report;

/// Files watched. When there are more all are forgotten, and all count as changed.
const WATCHED: usize = 65_536;
/// Reads at one look, some hundred events each.
const READS: usize = 64;

/// Device and inode as in [`FileId`].
type Inode = (u64, u64);

/// What happened since the last look.
#[derive(Debug, Default)]
pub(in crate::daemon) struct News {
    /// Inodes that were changed, and the process that wrote to each, where it was written to.
    pub(in crate::daemon) changed: HashMap<Inode, Option<u32>>,
    /// Any file may have been.
    pub(in crate::daemon) all: bool,
}

/// See the module's documentation.
pub(in crate::daemon) struct Changes {
    watcher: Option<Watcher>,
    watched: Mutex<HashMap<FileKey, Inode>>,
    forgotten: AtomicBool,
}

impl Changes {
    pub(super) fn new(report: &Report) -> Self {
        let watcher = match Watcher::new() {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                report.warn(&format!(
                    "changes of executables are noticed by their time stamps only: {error}"
                ));
                None
            }
        };
        let (watched, forgotten) = (Mutex::default(), AtomicBool::new(false));
        Self { watcher, watched, forgotten }
    }

    /// Watches the file from now on; before it is read.
    pub(super) fn watch(&self, file: &File, id: FileId) {
        let Some(watcher) = &self.watcher else { return };
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.len() >= WATCHED {
            drop(watcher.clear());
            watched.clear();
            self.forgotten.store(true, Ordering::Release);
        }
        match watcher.watch(file.as_fd()) {
            Ok(key) => {
                watched.insert(key, (id.dev, id.ino));
            }
            // Such a file's versions are told apart by their time stamps.
            Err(error) => tracing::trace!(%error, "cannot watch an executable"),
        }
    }

    /// What happened since the last look.
    pub(in crate::daemon) fn read(&self, report: &Report) -> News {
        let all = self.forgotten.swap(false, Ordering::AcqRel);
        let mut news = News { all, ..News::default() };
        let Some(watcher) = &self.watcher else { return news };
        let mut seen = HashSet::new();
        for _ in 0..READS {
            let changes = match watcher.read() {
                Ok(changes) if !changes.is_empty() => changes,
                _ => break,
            };
            for change in changes {
                match change {
                    Change::Changed { key, gone, writer } => {
                        if seen.insert((key.clone(), gone, writer)) {
                            self.note(&mut news, &key, gone, writer);
                        }
                    }
                    Change::Overflow => {
                        report.changes_lost();
                        news.all = true;
                    }
                }
            }
        }
        news
    }

    fn note(&self, news: &mut News, key: &FileKey, gone: bool, writer: Option<u32>) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let inode = if gone { watched.remove(key) } else { watched.get(key).copied() };
        if let Some(inode) = inode {
            let known = news.changed.entry(inode).or_default();
            *known = writer.or(*known);
        }
    }
}
