//! What an executable is, besides its digest: its package, its build-id, what running it grants.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{ffi::OsStr, io};

use femtosnitch_engine::FileRequest;
use femtosnitch_model::{Facts, Sha256};
use femtosnitch_packages::{Answer, Packages, State, elf, privilege};
use femtosnitch_sys::file::{FileStat, Target, open_below_root, open_executable, stat};
use femtosnitch_sys::thread;

use crate::daemon::Message;
use crate::daemon::capture::Waker;

/// How long an index of packages is kept that nobody asks.
const TRIM: Duration = Duration::from_secs(120);
/// Roots of containers whose packages are kept at hand.
const ROOTS: usize = 4;

/// A file that was hashed.
pub(super) struct Found {
    pub(super) request: FileRequest,
    pub(super) file: File,
    pub(super) sha256: Sha256,
}

/// Device and inode of a root directory.
type Root = (u64, u64);

/// The `facts` thread.
struct Finder {
    host: Option<Packages>,
    host_root: Option<Root>,
    others: Vec<(Root, Packages)>,
    answers: Sender<Message>,
    answered: Waker,
}

/// Starts it; it ends when nobody can send it anything any more.
pub(super) fn start(
    work: Receiver<Found>,
    answers: Sender<Message>,
    answered: Waker,
) -> io::Result<JoinHandle<()>> {
    thread::spawn("facts", move || {
        let host = Packages::open(Path::new("/")).ok();
        let host_root = identity(std::process::id(), None);
        Finder { host, host_root, others: Vec::new(), answers, answered }.run(&work);
    })
}

impl Finder {
    fn run(mut self, work: &Receiver<Found>) {
        loop {
            let found = match work.recv_timeout(TRIM) {
                Ok(found) => found,
                Err(RecvTimeoutError::Timeout) => {
                    self.trim();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            self.refresh();
            self.tell(&found);
            while let Ok(found) = work.try_recv() {
                self.tell(&found);
            }
        }
    }

    fn trim(&mut self) {
        self.others.clear();
        if let Some(host) = &mut self.host {
            host.trim();
        }
    }

    fn refresh(&mut self) {
        if let Some(host) = &mut self.host {
            host.refresh_if_changed();
        }
        for (_, packages) in &mut self.others {
            packages.refresh_if_changed();
        }
    }

    fn tell(&mut self, found: &Found) {
        let answer = self.package(found);
        let owner = answer.as_ref().and_then(|answer| answer.owner.as_ref());
        let privileges = privilege::Privilege::of(&found.file).ok().filter(|p| !p.is_none());
        let facts = Facts {
            package: owner.map_or_else(String::new, |o| format!("{} {}", o.manager, o.package)),
            version: owner.map_or_else(String::new, |owner| owner.version.clone()),
            state: answer.map_or_else(String::new, |answer| state(&answer)),
            build_id: elf::build_id(&found.file).map_or_else(String::new, |id| id.to_string()),
            privileges: privileges.map_or_else(String::new, |granted| granted.to_string()),
            verity: femtosnitch_sys::verity::digest(found.file.as_fd()).unwrap_or_default(),
            written_by: String::new(),
        };
        drop(self.answers.send(Message::Facts(found.request.file, facts)));
        self.answered.wake();
    }

    /// Asks the databases of whatever root directory the path is below: ours, if the path leads to
    /// that very file here, else the process', as long as it is there.
    fn package(&mut self, found: &Found) -> Option<Answer> {
        let path = Path::new(OsStr::from_bytes(&found.request.path));
        if !path.is_absolute() {
            // It never had a name.
            return Some(Answer { owner: None, state: State::NotPackaged });
        }
        let sha256 = Some(found.sha256.0);
        let own = stat(found.file.as_fd()).ok()?;
        let tgid = found.request.tgid;
        let root = identity(tgid, None);
        if root == self.host_root || (root.is_none() && is_here(path, &own)) {
            return Some(self.host.as_mut()?.identify(path, &found.file, sha256));
        }
        let packages = self.of_root(root?, open_below_root(tgid, None).ok()?)?;
        Some(packages.identify(path, &found.file, sha256))
    }

    fn of_root(&mut self, root: Root, directory: OwnedFd) -> Option<&mut Packages> {
        if let Some(at) = self.others.iter().position(|(known, _)| *known == root) {
            let known = self.others.remove(at);
            self.others.push(known);
        } else {
            if self.others.len() >= ROOTS {
                self.others.remove(0);
            }
            self.others.push((root, Packages::at(directory).ok()?));
        }
        self.others.last_mut().map(|(_, packages)| packages)
    }
}

fn state(answer: &Answer) -> String {
    match &answer.state {
        State::Unknown(reason) => format!("unknown: {reason}"),
        state => state.to_string(),
    }
}

fn identity(pid: u32, path: Option<&Path>) -> Option<Root> {
    let found = open_below_root(pid, path).ok()?;
    stat(found.as_fd()).ok().map(|stat| (stat.dev, stat.ino))
}

fn is_here(path: &Path, own: &FileStat) -> bool {
    open_executable(Target::Path(path)).is_ok_and(|(_, s)| (s.dev, s.ino) == (own.dev, own.ino))
}
