//! Which file systems tell us of what is executed on them.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use femtosnitch_engine::FileRequest;
use femtosnitch_sys::fanotify::{ExecWatcher, Executed};
use femtosnitch_sys::file::open_below_root;
use femtosnitch_sys::mounts::{Mount, MountChanges, mounts};

use crate::daemon::report::Report;

/// Mount namespaces whose mounts were looked at; forgotten when there are more.
const NAMESPACES: usize = 4096;
/// Mounts looked at in one namespace.
const MOUNTS: usize = 4096;

/// The watch over all of them.
pub(super) struct FileSystems {
    watcher: ExecWatcher,
    changes: Option<MountChanges>,
    /// Those of our own namespace, by device.
    own: HashSet<u64>,
    namespaces: HashSet<u32>,
}

impl FileSystems {
    /// Watches everything that is mounted where we are; `None`, and a warning, without fanotify.
    pub(super) fn watch(report: &Report) -> Option<Self> {
        let watcher = match ExecWatcher::new() {
            Ok(watcher) => watcher,
            Err(error) => {
                report.warn(&format!(
                    "executables that are gone at once stay without a hash: fanotify: {error}"
                ));
                return None;
            }
        };
        let changes = MountChanges::new().ok();
        let (own, namespaces) = (HashSet::new(), HashSet::new());
        let mut systems = Self { watcher, changes, own, namespaces };
        systems.mark_own();
        Some(systems)
    }

    /// What to wait for.
    pub(super) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        std::iter::once(self.watcher.as_fd()).chain(self.changes.as_ref().map(AsFd::as_fd))
    }

    /// Files that were executed since, some at a time.
    pub(super) fn executed(&mut self) -> io::Result<Executed> {
        if self.changes.as_ref().is_some_and(MountChanges::happened) {
            self.mark_own();
        }
        self.watcher.read()
    }

    /// What is in this file is known: not to be told of it until it is written to.
    pub(super) fn ignore(&self, file: &File) {
        // Else we are told of it once more with each exec, which costs a microsecond.
        drop(self.watcher.ignore(file.as_fd()));
    }

    /// A new version of a file was executed: its file system may be new as well, and so may be
    /// those that its mount namespace has.
    pub(super) fn seen(&mut self, request: &FileRequest, file: Option<&File>) {
        if let Some(file) = file
            && !self.own.contains(&request.file.dev)
        {
            self.mark(file.as_fd(), &"an executable");
        }
        if request.mntns == 0 || self.namespaces.contains(&request.mntns) {
            return;
        }
        if self.namespaces.len() >= NAMESPACES {
            self.namespaces.clear();
        }
        let Ok(there) = mounts(Some(request.tgid)) else { return };
        self.namespaces.insert(request.mntns);
        let mut devices = HashSet::new();
        for mount in worth_it(&there) {
            if self.own.contains(&mount.dev) || !devices.insert(mount.dev) {
                continue;
            }
            if let Ok(found) = open_below_root(request.tgid, Some(&mount.point)) {
                self.mark(found.as_fd(), &mount.point.display());
            }
        }
    }

    fn mark_own(&mut self) {
        let Ok(here) = mounts(None) else { return };
        self.own.clear();
        for mount in worth_it(&here) {
            // Again and again: a device's number may be that of another file system by now.
            if let Ok(found) = open_path(mount)
                && self.mark(found.as_fd(), &mount.point.display())
            {
                self.own.insert(mount.dev);
            }
        }
    }

    fn mark(&self, on: BorrowedFd<'_>, name: &dyn std::fmt::Display) -> bool {
        match self.watcher.watch_file_system(on) {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(%name, %error, "cannot watch a file system");
                false
            }
        }
    }
}

/// Mounts whose file systems can be looked at without waiting for anybody. The others are watched
/// from the first program on that is executed there.
fn worth_it(mounts: &[Mount]) -> impl Iterator<Item = &Mount> {
    mounts.iter().take(MOUNTS).filter(|mount| mount.may_have_programs() && !mount.may_hang())
}

fn open_path(mount: &Mount) -> io::Result<OwnedFd> {
    open_below_root(std::process::id(), Some(&mount.point))
}
