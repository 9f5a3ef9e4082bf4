//! What an executable is, besides its digest: its package, its build-id, what running it grants. And
//! what the containers are called in which programs run.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{ffi::OsStr, io};

use femtosnitch_engine::FileRequest;
use femtosnitch_model::{ContainerFacts, Facts, Sha256, unescape};
use femtosnitch_origin::{Container, Metadata, Origin, Store};
use femtosnitch_packages::{Answer, Packages, Reason, State, elf, privilege};
use femtosnitch_sys::file::{FileStat, Target, open_below_root, open_executable, stat};
use femtosnitch_sys::{procfs, thread};

use crate::daemon::Message;
use crate::daemon::capture::Waker;

/// How long an index of packages is kept that nobody asks.
const TRIM: Duration = Duration::from_secs(120);
/// Roots of containers whose packages are kept at hand.
const ROOTS: usize = 4;
/// When a file is looked at again whose package manager was at work.
const AGAIN: Duration = Duration::from_secs(5);
/// Such files, at most, each with a descriptor.
const BUSY: usize = 64;
/// The state of a file that was in a container, or the like, which is gone.
const NO_ROOT: &str = "unknown: its process is gone, and nobody else sees its files";

/// A file that was hashed.
pub(super) struct Found {
    pub(super) request: FileRequest,
    pub(super) file: File,
    pub(super) sha256: Sha256,
}

/// A container of which a program runs.
pub(in crate::daemon) struct Wanted {
    /// As in [`femtosnitch_model::Place::container`].
    pub(in crate::daemon) container: Arc<str>,
    /// A cgroup in it.
    pub(in crate::daemon) cgroup: Arc<str>,
}

/// What the thread is asked.
enum Job {
    File(Box<Found>),
    Container(Wanted),
}

/// The way to the thread. It ends when nobody has this any more.
#[derive(Clone)]
pub(super) struct Finding {
    jobs: Sender<Job>,
    waiting: Arc<AtomicUsize>,
}

impl Finding {
    pub(super) fn file(&self, found: Found) {
        self.send(Job::File(Box::new(found)));
    }

    pub(super) fn container(&self, wanted: Wanted) {
        self.send(Job::Container(wanted));
    }

    /// Questions that are not answered yet.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    fn send(&self, job: Job) {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        // The thread ends after us.
        drop(self.jobs.send(job));
    }
}

/// Device and inode of a root directory.
type Root = (u64, u64);

/// The `facts` thread.
struct Finder {
    host: Option<Packages>,
    host_root: Option<Root>,
    others: Vec<(Root, Packages)>,
    /// Files whose package manager was at work.
    busy: Vec<Found>,
    containers: Store,
    waiting: Arc<AtomicUsize>,
    answers: Sender<Message>,
    answered: Waker,
}

/// Starts it; it ends when nobody can send it anything any more.
pub(super) fn start(
    answers: Sender<Message>,
    answered: Waker,
) -> io::Result<(Finding, JoinHandle<()>)> {
    let (jobs, work) = channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let finding = Finding { jobs, waiting: Arc::clone(&waiting) };
    let thread = thread::spawn("facts", move || {
        let finder = Finder {
            host: Packages::open(Path::new("/")).ok(),
            host_root: identity(std::process::id(), None),
            others: Vec::new(),
            busy: Vec::new(),
            containers: Store::new("/"),
            waiting,
            answers,
            answered,
        };
        finder.run(&work);
    })?;
    Ok((finding, thread))
}

impl Finder {
    fn run(mut self, work: &Receiver<Job>) {
        loop {
            let pause = if self.busy.is_empty() { TRIM } else { AGAIN };
            match work.recv_timeout(pause) {
                Ok(job) => {
                    self.refresh();
                    self.answer(job);
                    while let Ok(job) = work.try_recv() {
                        self.answer(job);
                    }
                }
                Err(RecvTimeoutError::Timeout) if self.busy.is_empty() => self.trim(),
                Err(RecvTimeoutError::Timeout) => {
                    self.refresh();
                    for found in std::mem::take(&mut self.busy) {
                        self.tell(found);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn answer(&mut self, job: Job) {
        match job {
            Job::File(found) => self.tell(*found),
            Job::Container(wanted) => self.tell_container(wanted),
        }
        // After the answer is on its way.
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        self.answered.wake();
    }

    fn tell_container(&mut self, Wanted { container, cgroup }: Wanted) {
        let origin = Origin::of_cgroup(&unescape(&cgroup));
        // Of nested ones the outermost: the others are known to it alone.
        let Some(outermost) = origin.containers.first() else { return };
        let known = self.containers.lookup(outermost, Instant::now());
        let facts = match (known, &outermost.pod) {
            (Ok(known), _) => Some(container_facts(Arc::clone(&container), &known, outermost)),
            // The name of its cgroup tells that much.
            (Err(_), Some(pod)) => Some(ContainerFacts {
                container: Arc::clone(&container),
                name: String::new(),
                image: String::new(),
                pod: pod.clone(),
            }),
            (Err(_), None) => None,
        };
        drop(self.answers.send(Message::Container(container, facts)));
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

    fn tell(&mut self, found: Found) {
        let answer = self.package(&found);
        let is_busy = answer
            .as_ref()
            .is_some_and(|answer| matches!(answer.state, State::Unknown(Reason::Busy(_))));
        let owner = answer.as_ref().and_then(|answer| answer.owner.as_ref());
        let privileges = privilege::Privilege::of(&found.file).ok().filter(|p| !p.is_none());
        let facts = Facts {
            package: owner.map_or_else(String::new, |o| format!("{} {}", o.manager, o.package)),
            version: owner.map_or_else(String::new, |owner| owner.version.clone()),
            state: answer.map_or_else(|| NO_ROOT.to_owned(), |answer| state(&answer)),
            build_id: elf::build_id(&found.file).map_or_else(String::new, |id| id.to_string()),
            privileges: privileges.map_or_else(String::new, |granted| granted.to_string()),
            verity: femtosnitch_sys::verity::digest(found.file.as_fd()).unwrap_or_default(),
            written_by: String::new(),
        };
        drop(self.answers.send(Message::Facts(found.request.file, facts)));
        self.answered.wake();
        if is_busy && self.busy.len() < BUSY {
            self.busy.push(found);
        }
    }

    /// Asks the databases of whatever root directory the path is below: that of the process, or if it
    /// is gone of another one that sees the same mounts; ours, if the path leads to that very file
    /// here.
    fn package(&mut self, found: &Found) -> Option<Answer> {
        let path = Path::new(OsStr::from_bytes(&found.request.path));
        if !path.is_absolute() {
            // It never had a name.
            return Some(Answer { owner: None, state: State::NotPackaged });
        }
        let sha256 = Some(found.sha256.0);
        let own = stat(found.file.as_fd()).ok()?;
        let FileRequest { tgid, mntns, .. } = found.request;
        let witness =
            Some(tgid).filter(|pid| procfs::mount_namespace(*pid).is_ok()).or_else(|| sees(mntns));
        let root = witness.and_then(|pid| identity(pid, None));
        if root == self.host_root || (root.is_none() && is_here(path, &own)) {
            return Some(self.host.as_mut()?.identify(path, &found.file, sha256));
        }
        let witness = witness?;
        let packages = self.of_root(root?, open_below_root(witness, None).ok()?)?;
        // After chroot(2) the kernel's path still begins above that root.
        let above = procfs::root(witness).ok()?;
        let inside = path.strip_prefix(above).map(|inside| Path::new("/").join(inside));
        Some(packages.identify(inside.as_deref().unwrap_or(path), &found.file, sha256))
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

fn container_facts(container: Arc<str>, known: &Metadata, it: &Container) -> ContainerFacts {
    let name = known.pod.as_ref().map(|pod| format!("{}/{}", pod.namespace, pod.name));
    ContainerFacts {
        container,
        name: known.name.clone().unwrap_or_default(),
        image: known.image.clone().unwrap_or_default(),
        pod: name.or_else(|| it.pod.clone()).unwrap_or_default(),
    }
}

fn identity(pid: u32, path: Option<&Path>) -> Option<Root> {
    let found = open_below_root(pid, path).ok()?;
    stat(found.as_fd()).ok().map(|stat| (stat.dev, stat.ino))
}

/// A process that sees the mounts of this namespace, by our own first.
fn sees(mntns: u32) -> Option<u32> {
    let is_there = |pid: &u32| procfs::mount_namespace(*pid).is_ok_and(|it| it == mntns);
    let own = std::process::id();
    let others = || procfs::pids().ok()?.into_iter().find(is_there);
    if mntns == 0 { None } else { Some(own).filter(is_there).or_else(others) }
}

fn is_here(path: &Path, own: &FileStat) -> bool {
    open_executable(Target::Path(path)).is_ok_and(|(_, s)| (s.dev, s.ino) == (own.dev, own.ino))
}
