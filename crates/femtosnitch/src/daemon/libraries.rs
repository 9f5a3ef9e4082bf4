//! The `libraries` thread: finds the C libraries that programs use, on the host, in containers and
//! in bundles, and has the kernel watch what they tell.
//!
//! Each program that was not seen before is looked at: what it has mapped is what it uses, wherever
//! that came from. Nobody's path is walked, and no file that somebody serves is read.

mod missed;
mod spaces;

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use femtosnitch_engine::FileRequest;
use femtosnitch_model::ProcInfo;
use femtosnitch_probe::{Library, Watch, Watcher};
use femtosnitch_sys::file::{FileTime, stat};
use femtosnitch_sys::mapped::{self, Mapped};
use femtosnitch_sys::mounts::{MountChanges, all_mounts};
use femtosnitch_sys::{procfs, thread, wait};

use super::Message;
use super::capture::{Waker, waker};
use super::report::Report;
use missed::{Missed, Program};
use spaces::Spaces;

/// Libraries watched at a time: each keeps a file system in use, and costs the kernel ten probes.
const LIBRARIES: usize = 256;
/// Of these found through programs of one user, root aside: who makes up more must not take the room
/// of others.
const OF_USER: usize = 32;
/// Mapped files that were looked at, remembered so that it is done once. Forgotten when there are
/// more.
const LOOKED_AT: usize = 16_384;
/// A program is looked at when it is told of, and again this much later each: its loader may not
/// have come to the library yet.
const AGAIN: [Duration; 3] =
    [Duration::from_millis(3), Duration::from_millis(20), Duration::from_secs(1)];
/// Programs waiting to be looked at again.
const WAITING: usize = 4096;
/// The user of a program that is gone.
const SOMEBODY: u32 = u32::MAX;
/// How often it is looked whether those who use a library, and its mount, still exist: of our own
/// mount namespace the kernel tells.
const UPKEEP: Duration = Duration::from_secs(2);
const OWN_UPKEEP: Duration = Duration::from_secs(60);
/// From one such look to the next, however often something is mounted.
const REST: Duration = Duration::from_millis(100);

/// Watches that are ended at a time.
const SIDE_BY_SIDE: usize = 64;

/// A program to be looked at.
struct Look {
    pid: u32,
    mntns: u32,
    program: Option<Program>,
    attempt: usize,
}

/// The capture thread's end.
pub(super) struct Libraries {
    looks: Option<Sender<Look>>,
    missed: Arc<Missed>,
    waker: Waker,
}

impl Libraries {
    /// Starts the thread; `None`: no library can be watched, and nothing is done.
    pub(super) fn start(
        watcher: Option<Watcher>,
        answers: Sender<Message>,
        answered: Waker,
        report: &Arc<Report>,
    ) -> io::Result<(Self, Option<JoinHandle<()>>)> {
        let (waker, wake) = waker()?;
        let missed = Arc::new(Missed::default());
        let Some(watcher) = watcher else { return Ok((Self { looks: None, missed, waker }, None)) };
        let (looks, inbox) = channel();
        let finder = Finder {
            watcher,
            watched: HashMap::new(),
            looked_at: HashSet::new(),
            spaces: Spaces::default(),
            own: procfs::mount_namespace(std::process::id()).ok(),
            again: Vec::new(),
            missed: Arc::clone(&missed),
            told: HashSet::new(),
            answers,
            answered,
            report: Arc::clone(report),
        };
        let handle = thread::spawn("libraries", move || end(finder.run(&inbox, &wake)))?;
        Ok((Self { looks: Some(looks), missed, waker }, Some(handle)))
    }

    /// Ends the thread, and all watches: the kernel takes its time for that.
    pub(super) fn stop(&mut self) {
        self.looks = None;
        self.waker.wake();
    }

    /// A program that was not seen before is executed.
    pub(super) fn executed(&self, request: &FileRequest) {
        let program = Some((request.file.dev, request.file.ino));
        self.send(request.tgid, request.mntns, program);
    }

    /// A program is executed, whether it was seen before or not. Costs next to nothing unless it was
    /// gone before it could be looked at then.
    pub(super) fn executed_again(&self, info: &ProcInfo) {
        if let Some(program) = self.missed.is_due(info.file) {
            self.send(info.key.tgid, info.mntns, Some(program));
        }
    }

    /// Whether a program is waited for that ends before gathered events are read.
    pub(super) fn are_in_a_hurry(&self) -> bool {
        self.missed.is_in_a_hurry()
    }

    fn send(&self, pid: u32, mntns: u32, program: Option<Program>) {
        let Some(looks) = &self.looks else { return };
        if mntns != 0 && looks.send(Look { pid, mntns, program, attempt: 0 }).is_ok() {
            self.waker.wake();
        }
    }
}

/// Which inode: overlayfs gives one of the same several numbers of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Inode { dev: u64, ino: u64 },
    Lower { ino: u64, size: u64, mtime: FileTime, ctime: FileTime },
}

/// A library that is watched.
struct Watched {
    #[expect(dead_code, reason = "dropping it ends the watch")]
    watch: Watch,
    /// The mount namespace through which it was found, and the mount there.
    mntns: u32,
    mount: u64,
    uid: u32,
}

/// The thread.
struct Finder {
    watcher: Watcher,
    watched: HashMap<Key, Watched>,
    /// Mount namespace, device and inode as they are mapped.
    looked_at: HashSet<(u32, u64, u64)>,
    spaces: Spaces,
    /// Our own mount namespace.
    own: Option<u32>,
    again: Vec<(Instant, Look)>,
    missed: Arc<Missed>,
    /// What was warned of.
    told: HashSet<&'static str>,
    answers: Sender<Message>,
    answered: Waker,
    report: Arc<Report>,
}

impl Finder {
    /// Until nobody can tell of programs any more; gives what is watched then.
    fn run(mut self, inbox: &Receiver<Look>, wake: &io::PipeReader) -> Vec<Watched> {
        self.watch(inbox, wake);
        self.watched.into_values().collect()
    }

    fn watch(&mut self, inbox: &Receiver<Look>, wake: &io::PipeReader) {
        let changes = MountChanges::new().ok();
        let mut upkeep = Instant::now() + UPKEEP;
        let mut rested = Instant::now();
        loop {
            let now = Instant::now();
            let changes = changes.as_ref().filter(|_| now >= rested);
            let next = self.again.iter().map(|(due, _)| *due).min();
            let mut next = next.map_or(upkeep, |next| next.min(upkeep));
            if now < rested {
                next = next.min(rested);
            }
            let mut fds = vec![wake.as_fd()];
            fds.extend(changes.map(AsFd::as_fd));
            let pause = next.saturating_duration_since(now);
            let Ok(ready) = wait::readable(&fds, Some(pause)) else { return };
            if ready.first() == Some(&true) && !drain(wake) {
                return;
            }
            loop {
                match inbox.try_recv() {
                    Ok(look) => self.look(look),
                    Err(std::sync::mpsc::TryRecvError::Empty) => break,
                    Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
                }
            }
            let now = Instant::now();
            for look in self.due(now) {
                self.look(look);
            }
            let unmounted = changes.is_some_and(MountChanges::happened);
            if unmounted || now >= upkeep {
                self.let_go();
                rested = Instant::now() + REST;
                upkeep = now + self.pause();
            }
            // Something in another namespace may be watched by now.
            upkeep = upkeep.min(now + self.pause());
        }
    }

    fn pause(&self) -> Duration {
        let foreign = self.watched.values().any(|it| Some(it.mntns) != self.own);
        if foreign { UPKEEP } else { OWN_UPKEEP }
    }

    fn due(&mut self, now: Instant) -> Vec<Look> {
        let all = std::mem::take(&mut self.again);
        let (due, later): (Vec<_>, Vec<_>) = all.into_iter().partition(|(due, _)| *due <= now);
        self.again = later;
        due.into_iter().map(|(_, look)| look).collect()
    }

    fn look(&mut self, look: Look) {
        let Ok(found) = mapped::executable(look.pid, &is_c_library) else {
            look.program.into_iter().for_each(|program| self.missed.note(program));
            return;
        };
        if found.is_empty() {
            // Most likely a static program.
            if let Some(pause) = AGAIN.get(look.attempt)
                && self.again.len() < WAITING
            {
                let next = Look { attempt: look.attempt + 1, ..look };
                self.again.push((Instant::now() + *pause, next));
            }
            return;
        }
        look.program.into_iter().for_each(|program| self.missed.forget(program));
        self.spaces.seen(look.mntns, look.pid);
        if self.looked_at.len() >= LOOKED_AT {
            self.looked_at.clear();
        }
        for mapped in found {
            if !self.looked_at.contains(&(look.mntns, mapped.dev, mapped.ino)) {
                let known = (look.mntns, mapped.dev, mapped.ino);
                match self.found(&look, &mapped) {
                    // Gone meanwhile: there will be others.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        look.program.into_iter().for_each(|program| self.missed.note(program));
                        continue;
                    }
                    Err(error) => {
                        tracing::debug!(%error, pid = look.pid, "cannot watch a C library");
                        self.tell(
                            "some C libraries cannot be watched: names that they tell are \
                                   known only as far as they are seen on the wire",
                        );
                    }
                    Ok(()) => {}
                }
                self.looked_at.insert(known);
            }
        }
    }

    fn found(&mut self, look: &Look, mapped: &Mapped) -> io::Result<()> {
        let named = mapped.name()?;
        let mount = mapped::mount_of(named.as_fd())?;
        // From here on the program may end: whoever sees the same mounts will do.
        let uid = procfs::status(look.pid).map_or(SOMEBODY, |status| status.uid);
        let witness = self.spaces.somebody(look.mntns, look.pid).ok_or(io::ErrorKind::NotFound)?;
        let Some(place) = all_mounts(witness)?.into_iter().find(|it| it.id == mount) else {
            // Unmounted, or of another namespace: nobody could tell when it is gone.
            return Ok(());
        };
        if place.may_hang() {
            self.tell(
                "C libraries on FUSE and on network file systems are not watched, since these \
                       may keep whoever reads them waiting: names that they tell are known only as \
                       far as they are seen on the wire",
            );
            return Ok(());
        }
        let key = key(&named, place.kind == "overlay")?;
        self.spaces.has(look.mntns, key);
        if self.watched.contains_key(&key) {
            return Ok(());
        }
        let of_user = self.watched.values().filter(|it| it.uid == uid).count();
        if uid != 0 && of_user >= OF_USER {
            self.tell(
                "a user has more than 32 C libraries of their own: names that the others tell \
                       are known only as far as they are seen on the wire",
            );
            return Ok(());
        }
        if self.watched.len() >= LIBRARIES {
            self.tell(
                "more than 256 C libraries are in use: names that the others tell are known \
                       only as far as they are seen on the wire",
            );
            return Ok(());
        }
        let file = mapped::read(named.as_fd())?;
        let apart = mapped::apart(witness, named.as_fd())?;
        drop(named);
        let Some(library) = Library::read(&file, apart)? else { return Ok(()) };
        drop(file);
        let watch = self.watcher.watch(&library)?;
        let (mntns, mount) = self.ours(place.dev).unwrap_or((look.mntns, mount));
        self.watched.insert(key, Watched { watch, mntns, mount, uid });
        self.count();
        Ok(())
    }

    /// A mount of this file system in our own namespace, if there is one: whatever became of the one
    /// through which a library was found, the file system is still in use.
    fn ours(&mut self, dev: u64) -> Option<(u32, u64)> {
        let own = self.own?;
        let mount =
            all_mounts(std::process::id()).ok()?.into_iter().find(|mount| mount.dev == dev)?;
        self.spaces.seen(own, std::process::id());
        Some((own, mount.id))
    }

    /// Ends the watch over libraries whose mount or mount namespace is gone: until then the kernel
    /// keeps their file system.
    fn let_go(&mut self) {
        let gone = self.spaces.without_processes();
        let own: HashSet<u32> = self.watched.values().map(|it| it.mntns).collect();
        let mut there: HashSet<(u32, u64)> = HashSet::new();
        for mntns in own.into_iter().filter(|mntns| !gone.contains(mntns)) {
            let Some(pid) = self.spaces.witness(mntns) else { continue };
            // Its last process may just have ended: the next look tells.
            let Ok(mounts) = all_mounts(pid) else { continue };
            there.extend(mounts.into_iter().map(|mount| (mntns, mount.id)));
            there.insert((mntns, u64::MAX));
        }
        let is_there = |it: &Watched| {
            !gone.contains(&it.mntns)
                && (there.contains(&(it.mntns, it.mount)) || !there.contains(&(it.mntns, u64::MAX)))
        };
        let lost: Vec<Key> =
            self.watched.iter().filter(|(_, it)| !is_there(it)).map(|(key, _)| *key).collect();
        self.looked_at.retain(|(mntns, ..)| !gone.contains(mntns));
        if lost.is_empty() {
            return;
        }
        end(lost.iter().filter_map(|key| self.watched.remove(key)).collect());
        // Others may see the same inode through a mount of theirs.
        let others = self.spaces.with_any(&lost);
        self.looked_at.retain(|(mntns, ..)| !others.contains(mntns));
        for (pid, mntns) in Spaces::processes(&others) {
            self.look(Look { pid, mntns, program: None, attempt: AGAIN.len() });
        }
        self.count();
    }

    fn count(&self) {
        drop(self.answers.send(Message::Libraries(self.watched.len())));
        self.answered.wake();
    }

    /// Once.
    fn tell(&mut self, what: &'static str) {
        if self.told.insert(what) {
            self.report.warn(what);
        }
    }
}

/// Ends watches side by side, a few at a time: the kernel waits for each of them.
fn end(watches: Vec<Watched>) {
    let mut rest = watches.into_iter();
    loop {
        let some: Vec<Watched> = rest.by_ref().take(SIDE_BY_SIDE).collect();
        if some.is_empty() {
            return;
        }
        std::thread::scope(|scope| {
            for watched in some {
                scope.spawn(move || drop(watched));
            }
        });
    }
}

fn key(named: &OwnedFd, overlay: bool) -> io::Result<Key> {
    let stat = stat(named.as_fd())?;
    Ok(if overlay {
        Key::Lower { ino: stat.ino, size: stat.size, mtime: stat.mtime, ctime: stat.ctime }
    } else {
        Key::Inode { dev: stat.dev, ino: stat.ino }
    })
}

/// As glibc and musl call theirs, and distributions of musl.
fn is_c_library(name: &[u8]) -> bool {
    let between = |begin: &[u8], end: &[u8]| name.starts_with(begin) && name.ends_with(end);
    matches!(name, b"libc.so.6" | b"libc.so")
        || between(b"libc-2.", b".so")
        || between(b"ld-musl-", b".so.1")
        || between(b"libc.musl-", b".so.1")
}

/// False once nobody is left who could wake us.
fn drain(mut wake: &io::PipeReader) -> bool {
    use std::io::Read;
    wake.read(&mut [0; 256]).is_ok_and(|n| n > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_libraries_are_known_by_their_names() {
        for name in [
            "libc.so.6",
            "libc-2.31.so",
            "libc.so",
            "ld-musl-x86_64.so.1",
            "libc.musl-aarch64.so.1",
        ] {
            assert!(is_c_library(name.as_bytes()), "{name}");
        }
        for name in ["libc.so.7", "libcurl.so.4", "ld-linux-x86-64.so.2", "libc-2.so.bak", ""] {
            assert!(!is_c_library(name.as_bytes()), "{name}");
        }
    }
}
