//! Files kept open until somebody wants their digest: what the kernel handed us when they were
//! executed, and what was found through the process.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use femtosnitch_engine::FileRequest;
use femtosnitch_sys::file::{self, FileStat, FileTime};

use super::version::{Match, compare, is_at_path};

/// Open files at most.
pub(super) const HELD: usize = 4096;
/// How long a file is kept open for a digest that nobody wants yet: it keeps its file system busy.
/// The last bytes of a process that has ended are read within a sample or two.
const HOLD: Duration = Duration::from_secs(10);

/// What no change of name, owner or mode changes.
type Key = (u64, FileTime);

#[derive(Debug)]
struct Waiting {
    number: u64,
    file: File,
    /// When it was opened.
    stat: FileStat,
    /// What it was executed as, if that is known.
    request: Option<FileRequest>,
}

impl Waiting {
    /// As it was when it was opened; or as it is now, if it was changed before the kernel side
    /// looked at it: the kernel opens a file first, and tells of the exec later.
    fn rate(&self, wanted: &FileRequest) -> Match {
        let then = compare(wanted, &self.stat);
        if then > Match::Other || self.stat.ino != wanted.file.ino {
            return then;
        }
        file::stat(self.file.as_fd()).map_or(then, |now| compare(wanted, &now))
    }
}

/// Open descriptors, the oldest given up first.
#[derive(Default)]
pub(super) struct Held {
    files: HashMap<Key, Vec<Waiting>>,
    order: VecDeque<(Key, u64, Instant)>,
    count: usize,
    next: u64,
    limit: usize,
}

impl Held {
    /// At most `limit` files, and at most [`HELD`].
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit.min(HELD), ..Self::default() }
    }

    /// Keeps a file; the same version of it is kept once.
    pub(super) fn insert(&mut self, file: File, stat: FileStat, request: Option<FileRequest>) {
        let key = (stat.size, stat.mtime);
        let same = self.files.entry(key).or_default();
        let known =
            |held: &&mut Waiting| held.stat.same_contents(&stat) && held.stat.mnt_id == stat.mnt_id;
        if let Some(held) = same.iter_mut().find(known) {
            held.request = request.or_else(|| held.request.take());
            return;
        }
        let number = self.next;
        self.next += 1;
        same.push(Waiting { number, file, stat, request });
        self.count += 1;
        self.order.push_back((key, number, Instant::now()));
        while self.count > self.limit {
            let Some((key, number, _)) = self.order.pop_front() else { break };
            drop(self.remove(key, number));
        }
        // Files taken out leave their place in the order behind.
        if self.order.len() > 4 * self.limit.max(64) {
            let files = &self.files;
            self.order.retain(|(key, number, _)| {
                files.get(key).is_some_and(|same| same.iter().any(|held| held.number == *number))
            });
        }
    }

    /// The file that was executed, if it is here.
    pub(super) fn take(&mut self, wanted: &FileRequest) -> Option<File> {
        let time = wanted.file.mtime;
        let key = (wanted.file.size, FileTime { sec: time.sec, nsec: time.nsec });
        let same = self.files.get(&key)?;
        let rated = same.iter().map(|held| (held.rate(wanted), held));
        let (_, best) = rated
            .filter(|(rating, _)| *rating > Match::Other)
            .filter(|(_, held)| is_at_path(&held.file, &wanted.path))
            // Where numbers of inodes cannot be relied on, another file of the same mount may
            // compare as well: one that was put in its place within the same tick of the clock.
            .max_by_key(|(rating, held)| {
                (held.stat.ino == wanted.file.ino, *rating, held.number)
            })?;
        let number = best.number;
        self.remove(key, number).map(|held| held.file)
    }

    /// A file that is at this path as the kernel sees it.
    pub(super) fn at_path(&self, path: &[u8]) -> Option<(File, FileStat)> {
        let all = self.files.values().flatten();
        let newest = all.filter(|held| is_at_path(&held.file, path)).max_by_key(|h| h.number)?;
        Some((newest.file.try_clone().ok()?, newest.stat))
    }

    fn remove(&mut self, key: Key, number: u64) -> Option<Waiting> {
        let same = self.files.get_mut(&key)?;
        let at = same.iter().position(|held| held.number == number)?;
        let held = same.swap_remove(at);
        if same.is_empty() {
            self.files.remove(&key);
        }
        self.count -= 1;
        Some(held)
    }

    /// Takes out what was held long enough, with what it was executed as; when to come back for the
    /// next.
    pub(super) fn expire(
        &mut self,
        gone: &mut Vec<(File, Option<FileRequest>)>,
    ) -> Option<Duration> {
        while let Some((key, number, since)) = self.order.front().copied() {
            let left = HOLD.saturating_sub(since.elapsed());
            if !left.is_zero() {
                return Some(left);
            }
            self.order.pop_front();
            gone.extend(self.remove(key, number).map(|held| (held.file, held.request)));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::lookup::file_id;
    use femtosnitch_model::FileSystem;

    fn wanted(stat: &FileStat) -> FileRequest {
        FileRequest {
            file: file_id(stat),
            path: Vec::new(),
            tgid: 1,
            mnt_id: 0,
            mntns: 0,
            links: stat.nlink,
            system: FileSystem::Other,
        }
    }

    fn invented(ino: u64) -> FileStat {
        let time = FileTime { sec: 1, nsec: u32::try_from(ino % 7).unwrap() };
        FileStat { dev: 0x801, ino, mtime: time, ctime: time, nlink: 1, ..FileStat::default() }
    }

    #[test]
    fn held_files_are_bounded() {
        let mut held = Held::new(256);
        for ino in 0..3000 {
            held.insert(File::open("/dev/null").unwrap(), invented(ino), None);
            if ino % 3 == 0 {
                assert!(held.take(&wanted(&invented(ino))).is_some());
            }
        }
        assert!(held.count <= 256 && held.order.len() <= 4 * 256 + 1);
        assert_eq!(held.count, held.files.values().map(Vec::len).sum::<usize>());
        assert!(held.take(&wanted(&invented(2998))).is_some());
        assert!(held.take(&wanted(&invented(2998))).is_none(), "once");
    }

    #[test]
    fn a_file_that_was_removed_meanwhile_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tool");
        std::fs::write(&path, "contents").unwrap();
        let file = File::open(&path).unwrap();
        let wanted = wanted(&file::stat(file.as_fd()).unwrap());
        std::fs::remove_file(&path).unwrap();
        let now = file::stat(file.as_fd()).unwrap();
        let mut held = Held::new(8);
        held.insert(file, now, None);
        assert!(held.take(&wanted).is_some());
    }

    #[test]
    fn a_file_that_was_removed_before_the_exec_was_told_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tool");
        std::fs::write(&path, "contents").unwrap();
        let file = File::open(&path).unwrap();
        let opened = file::stat(file.as_fd()).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        std::fs::remove_file(&path).unwrap();
        let wanted = wanted(&file::stat(file.as_fd()).unwrap());
        let mut held = Held::new(8);
        held.insert(file, opened, None);
        assert!(held.take(&wanted).is_some());
    }

    #[test]
    fn what_took_its_place_within_a_tick_is_not_taken_for_it() {
        let mut held = Held::new(8);
        let in_memory = |ino| FileStat { dev: 0x2b, ino, mnt_id: Some(30), ..invented(7) };
        let (old, new) = (in_memory(1), in_memory(2));
        for stat in [old, new] {
            held.insert(File::open("/dev/null").unwrap(), stat, None);
        }
        // As if it were an overlay, whose numbers cannot be relied on.
        let wanted = FileRequest { mnt_id: 30, system: FileSystem::Overlay, ..wanted(&old) };
        assert!(held.take(&wanted).is_some());
        let left: Vec<u64> = held.files.values().flatten().map(|held| held.stat.ino).collect();
        assert_eq!(left, [2]);
    }

    #[test]
    fn the_better_of_two_is_taken() {
        let mut held = Held::new(8);
        let (old, new) = (invented(1), FileTime { sec: 9, nsec: 0 });
        for stat in [old, FileStat { ctime: new, ..old }] {
            held.insert(File::open("/dev/null").unwrap(), stat, None);
        }
        assert!(held.take(&wanted(&old)).is_some());
        let left = held.files.values().flatten().next().unwrap();
        assert_eq!(left.stat.ctime, new);
    }
}
