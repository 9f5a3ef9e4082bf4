//! What is known of each file's contents, and which version of a file a new process runs.

use std::collections::HashMap;

use femtosnitch_model::{Digest, FileId, Image, Unhashed};

use crate::{Effect, FileRequest};

#[derive(Debug)]
struct Entry {
    digest: Digest,
    /// Where to find the file; dropped once hashed.
    request: Option<FileRequest>,
    asked: bool,
    last_used: u64,
}

/// Digests by version of a file. A version that was hashed is never hashed again; a change makes
/// another version, so that processes still running the old one keep its digest.
#[derive(Debug)]
pub(crate) struct Digests {
    entries: HashMap<FileId, Entry>,
    /// Changes noticed, by (device, inode): time stamps alone may be too coarse to tell.
    epochs: HashMap<(u64, u64), u32>,
    /// Added to all epochs when notifications were lost.
    global_epoch: u32,
    max: usize,
    uses: u64,
}

impl Digests {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            entries: HashMap::new(),
            epochs: HashMap::new(),
            global_epoch: 0,
            max: max.max(16),
            uses: 0,
        }
    }

    /// The version of the file that a process executed right now.
    pub(crate) fn version(&self, mut file: FileId) -> FileId {
        let own = self.epochs.get(&(file.dev, file.ino)).copied().unwrap_or(0);
        file.epoch = own.wrapping_add(self.global_epoch);
        file
    }

    /// Notes where a version may be found. `Some` effect if it is new: it may be gone soon.
    pub(crate) fn executed(&mut self, request: FileRequest) -> Option<Effect> {
        self.uses += 1;
        if let Some(entry) = self.entries.get_mut(&request.file) {
            entry.last_used = self.uses;
            if let Some(known) = &mut entry.request {
                // A later process is the better way to a file whose earlier ones are gone.
                known.tgid = request.tgid;
            }
            return None;
        }
        self.make_room();
        self.entries.insert(
            request.file,
            Entry {
                digest: Digest::Pending,
                request: Some(request.clone()),
                asked: false,
                last_used: self.uses,
            },
        );
        Some(Effect::Hold(request))
    }

    /// The digest of what an image runs, as far as it is known.
    pub(crate) fn of(&self, image: &Image) -> Digest {
        match image.file {
            Some(file) => self
                .entries
                .get(&file)
                .map_or(Digest::Missing(Unhashed::Unknown), |entry| entry.digest),
            None if image.path == crate::processes::KERNEL => Digest::Missing(Unhashed::Kernel),
            None => Digest::Missing(Unhashed::Unknown),
        }
    }

    /// The digest is wanted: asks for it, once.
    pub(crate) fn want(&mut self, image: &Image) -> Option<Effect> {
        let entry = self.entries.get_mut(&image.file?)?;
        self.uses += 1;
        entry.last_used = self.uses;
        if entry.asked {
            return None;
        }
        entry.asked = true;
        Some(Effect::Hash(entry.request.clone()?))
    }

    /// The answer; of no use here if the file was forgotten meanwhile.
    pub(crate) fn done(&mut self, file: FileId, digest: Digest) {
        if let Some(entry) = self.entries.get_mut(&file) {
            entry.digest = digest;
            entry.request = None;
        }
    }

    /// Somebody changed the inode: whoever executes it from now on runs another version.
    pub(crate) fn changed(&mut self, dev: u64, ino: u64) {
        if self.epochs.len() >= self.max {
            // Forgetting one inode's changes would bring old digests back; so all are new.
            self.everything_changed();
        }
        let epoch = self.epochs.entry((dev, ino)).or_default();
        *epoch = epoch.wrapping_add(1);
    }

    /// Notifications were lost: any file may have changed.
    pub(crate) fn everything_changed(&mut self) {
        let highest = self.epochs.values().copied().max().unwrap_or(0);
        self.global_epoch = self.global_epoch.wrapping_add(highest).wrapping_add(1);
        self.epochs.clear();
    }

    /// Files that were asked for and not answered yet.
    pub(crate) fn outstanding(&self) -> usize {
        let waits = |entry: &&Entry| entry.asked && entry.digest == Digest::Pending;
        self.entries.values().filter(waits).count()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Drops the half that was not used for longest.
    fn make_room(&mut self) {
        if self.entries.len() < self.max {
            return;
        }
        let mut ages: Vec<u64> = self.entries.values().map(|entry| entry.last_used).collect();
        let middle = ages.len() / 2;
        let (_, median, _) = ages.select_nth_unstable(middle);
        let median = *median;
        self.entries.retain(|_, entry| entry.last_used > median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use femtosnitch_model::Sha256;

    fn request(ino: u64, digests: &Digests) -> FileRequest {
        let file = digests.version(FileId { ino, ..FileId::default() });
        FileRequest { file, path: b"/bin/x".to_vec(), tgid: 1 }
    }

    #[test]
    fn a_version_is_asked_for_once() {
        let mut digests = Digests::new(100);
        let first = request(1, &digests);
        assert_eq!(digests.executed(first.clone()), Some(Effect::Hold(first.clone())));
        assert_eq!(digests.executed(first.clone()), None);
        let image = Image {
            id: femtosnitch_model::ImageId(0),
            path: String::new(),
            name: String::new(),
            cmdline: String::new(),
            file: Some(first.file),
        };
        assert_eq!(digests.want(&image), Some(Effect::Hash(first.clone())));
        assert_eq!(digests.want(&image), None);
        assert_eq!(digests.of(&image), Digest::Pending);
        let digest = Digest::Known(Sha256([7; 32]));
        digests.done(first.file, digest);
        assert_eq!(digests.of(&image), digest);
    }

    #[test]
    fn a_change_makes_a_new_version_and_keeps_the_old_digest() {
        let mut digests = Digests::new(100);
        let old = request(1, &digests);
        digests.executed(old.clone());
        digests.done(old.file, Digest::Known(Sha256([1; 32])));
        digests.changed(0, 1);
        let new = request(1, &digests);
        assert_ne!(old.file, new.file);
        assert!(digests.executed(new).is_some(), "has to be hashed again");
        assert_eq!(digests.executed(request(1, &digests)), None);
    }

    #[test]
    fn lost_notifications_make_every_file_new() {
        let mut digests = Digests::new(100);
        digests.changed(0, 1);
        digests.changed(0, 1);
        let seen: Vec<_> = (1..4).map(|ino| request(ino, &digests).file).collect();
        digests.everything_changed();
        for (ino, old) in (1..4).zip(seen) {
            assert_ne!(request(ino, &digests).file, old);
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut digests = Digests::new(100);
        for ino in 0..10_000 {
            let wanted = request(ino, &digests);
            digests.executed(wanted);
        }
        assert!(digests.len() <= 100);
    }
}
