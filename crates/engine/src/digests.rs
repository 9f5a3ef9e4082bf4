//! What is known of each file's contents, and which version of a file a new process runs.

use std::collections::{HashMap, HashSet};

use femtosnitch_model::{Digest, FileId, FileSystem, Image, Unhashed};

use crate::{Effect, FileRequest};

/// Tells which files somebody runs, or did when launching somebody.
pub(crate) type InUse<'a> = &'a dyn Fn() -> HashSet<FileId>;

#[derive(Debug)]
struct Entry {
    digest: Digest,
    /// Where to find the file; dropped once hashed. Apart, since most are hashed.
    request: Option<Box<FileRequest>>,
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
    pub(crate) fn executed(&mut self, request: FileRequest, in_use: InUse<'_>) -> Option<Effect> {
        self.uses += 1;
        if let Some(entry) = self.entries.get_mut(&request.file) {
            entry.last_used = self.uses;
            if let Some(known) = &mut entry.request {
                // A later process is the better way to a file whose earlier ones are gone.
                known.tgid = request.tgid;
                known.mnt_id = request.mnt_id;
            }
            return None;
        }
        self.admit(request.clone(), in_use);
        Some(Effect::Hold(request))
    }

    fn admit(&mut self, request: FileRequest, in_use: InUse<'_>) {
        if self.entries.len() >= self.max {
            self.make_room(&in_use());
        }
        let file = request.file;
        let (request, last_used) = (Some(Box::new(request)), self.uses);
        let entry = Entry { digest: Digest::Pending, request, asked: false, last_used };
        self.entries.insert(file, entry);
    }

    /// The digest of a version of a file, if the file is remembered.
    pub(crate) fn of_file(&self, file: FileId) -> Option<Digest> {
        self.entries.get(&file).map(|entry| entry.digest)
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

    /// The digest of what `tgid`, or who launched it, runs is wanted: asks for it, once. What was
    /// forgotten for want of room is asked for again; only the very version answers.
    pub(crate) fn want(&mut self, image: &Image, tgid: u32, in_use: InUse<'_>) -> Option<Effect> {
        let file = image.file?;
        self.uses += 1;
        if !self.entries.contains_key(&file) {
            let path = path_of(image);
            let request = FileRequest {
                file,
                path,
                tgid,
                mnt_id: 0,
                mntns: 0,
                links: 0,
                system: FileSystem::Other,
            };
            self.admit(request, in_use);
        }
        let entry = self.entries.get_mut(&file)?;
        entry.last_used = self.uses;
        if entry.asked {
            return None;
        }
        let request = FileRequest::clone(entry.request.as_ref()?);
        entry.asked = true;
        entry.digest = Digest::Pending;
        Some(Effect::Hash(request))
    }

    /// The answer; of no use here if the file was forgotten meanwhile.
    pub(crate) fn done(&mut self, file: FileId, digest: Digest) {
        let Some(entry) = self.entries.get_mut(&file) else { return };
        if matches!(entry.digest, Digest::Known(_)) {
            // Asked for twice: a version has one digest, and what is known stays so.
            return;
        }
        entry.digest = digest;
        if digest == Digest::Missing(Unhashed::Interrupted) {
            // There was too much to do, which may pass.
            entry.asked = false;
        } else {
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

    /// Drops what was not used for longest, down to a half, of what nobody runs; in any case a
    /// quarter, so that this is seldom, then rather what was never asked for.
    fn make_room(&mut self, in_use: &HashSet<FileId>) {
        let rank = |file: &FileId, entry: &Entry| {
            let answer_due = entry.asked && entry.digest == Digest::Pending;
            let used = answer_due || in_use.contains(file);
            (used, entry.asked, entry.last_used)
        };
        let mut ranks: Vec<_> = self.entries.iter().map(|(file, e)| rank(file, e)).collect();
        let unused = ranks.iter().filter(|(used, ..)| !used).count();
        let drop = unused.min(ranks.len() / 2).max(ranks.len() / 4);
        if drop < ranks.len() {
            let (_, first_kept, _) = ranks.select_nth_unstable(drop);
            let first_kept = *first_kept;
            self.entries.retain(|file, entry| rank(file, entry) >= first_kept);
        }
    }
}

/// The path as the kernel gave it; empty, as for a file without a name, if it is not all there.
fn path_of(image: &Image) -> Vec<u8> {
    if image.path.starts_with('…') { Vec::new() } else { unescape(&image.path) }
}

/// Undoes [`femtosnitch_model::escape_bytes`].
fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        out.extend(plain.as_bytes());
        let byte = escaped.strip_prefix('x').and_then(|hex| hex.get(..2));
        if let Some(byte) = byte.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            out.push(byte);
            rest = escaped.get(3..).unwrap_or_default();
        } else {
            out.push(b'\\');
            rest = escaped.strip_prefix('\\').unwrap_or(escaped);
        }
    }
    out.extend(rest.as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use femtosnitch_model::{Sha256, escape_bytes};
    use proptest::prelude::*;

    const NONE: InUse<'static> = &HashSet::new;

    fn request(ino: u64, digests: &Digests) -> FileRequest {
        let file = digests.version(FileId { ino, ..FileId::default() });
        FileRequest {
            file,
            path: b"/bin/x".to_vec(),
            tgid: 1,
            mnt_id: 0,
            mntns: 0,
            links: 0,
            system: FileSystem::Other,
        }
    }

    fn image(file: FileId, path: &str) -> Image {
        Image {
            id: femtosnitch_model::ImageId(0),
            path: path.to_owned(),
            name: String::new(),
            cmdline: String::new(),
            file: Some(file),
        }
    }

    fn many(digests: &mut Digests, in_use: InUse<'_>) {
        for ino in 1_000..2_000 {
            let wanted = request(ino, digests);
            digests.executed(wanted, in_use);
            assert!(digests.len() <= 100);
        }
    }

    #[test]
    fn a_version_is_asked_for_once() {
        let mut digests = Digests::new(100);
        let first = request(1, &digests);
        assert_eq!(digests.executed(first.clone(), NONE), Some(Effect::Hold(first.clone())));
        assert_eq!(digests.executed(first.clone(), NONE), None);
        let image = image(first.file, "/bin/x");
        assert_eq!(digests.want(&image, 1, NONE), Some(Effect::Hash(first.clone())));
        assert_eq!(digests.want(&image, 1, NONE), None);
        assert_eq!(digests.of(&image), Digest::Pending);
        let digest = Digest::Known(Sha256([7; 32]));
        digests.done(first.file, digest);
        assert_eq!(digests.of(&image), digest);
        assert_eq!(digests.want(&image, 1, NONE), None);
        digests.done(first.file, Digest::Missing(Unhashed::Gone));
        assert_eq!(digests.of(&image), digest, "a second answer takes nothing away");
    }

    #[test]
    fn what_was_not_hashed_for_want_of_time_is_asked_for_again() {
        let mut digests = Digests::new(100);
        let first = request(1, &digests);
        digests.executed(first.clone(), NONE);
        let image = image(first.file, "/bin/x");
        digests.want(&image, 1, NONE);
        digests.done(first.file, Digest::Missing(Unhashed::Interrupted));
        assert_eq!(digests.of(&image), Digest::Missing(Unhashed::Interrupted));
        assert_eq!(digests.outstanding(), 0);
        assert_eq!(digests.want(&image, 1, NONE), Some(Effect::Hash(first)));
        assert_eq!(digests.of(&image), Digest::Pending);
    }

    #[test]
    fn a_change_makes_a_new_version_and_keeps_the_old_digest() {
        let mut digests = Digests::new(100);
        let old = request(1, &digests);
        digests.executed(old.clone(), NONE);
        digests.done(old.file, Digest::Known(Sha256([1; 32])));
        digests.changed(0, 1);
        let new = request(1, &digests);
        assert_ne!(old.file, new.file);
        assert!(digests.executed(new, NONE).is_some(), "has to be hashed again");
        assert_eq!(digests.executed(request(1, &digests), NONE), None);
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
    fn what_somebody_runs_is_kept() {
        let mut digests = Digests::new(100);
        let held = request(1, &digests);
        digests.executed(held.clone(), NONE);
        let digest = Digest::Known(Sha256([1; 32]));
        digests.done(held.file, digest);
        many(&mut digests, &|| HashSet::from([held.file]));
        assert_eq!(digests.of(&image(held.file, "/bin/x")), digest);
    }

    #[test]
    fn memory_is_bounded_even_if_all_of_it_is_in_use() {
        let mut digests = Digests::new(100);
        let first = request(1, &digests);
        digests.executed(first.clone(), NONE);
        many(&mut digests, &|| {
            (0..2_000).map(|ino| request(ino, &Digests::new(16)).file).collect()
        });
        assert!(digests.len() > 70, "seldom: a quarter at a time");
        let image = image(first.file, "/bin/x");
        let asked = FileRequest { tgid: 7, ..first };
        assert_eq!(digests.want(&image, 7, NONE), Some(Effect::Hash(asked)));
        assert_eq!(digests.want(&image, 7, NONE), None);
        assert_eq!(digests.of(&image), Digest::Pending);
    }

    #[test]
    fn what_nobody_runs_is_forgotten_and_can_be_asked_for_again() {
        let mut digests = Digests::new(100);
        let first = request(1, &digests);
        digests.executed(first.clone(), NONE);
        many(&mut digests, NONE);
        let cut = image(first.file, "…/x");
        let asked = FileRequest { tgid: 7, path: Vec::new(), ..first };
        assert_eq!(digests.want(&cut, 7, NONE), Some(Effect::Hash(asked)));
    }

    #[test]
    fn an_answer_that_is_due_is_waited_for() {
        let mut digests = Digests::new(100);
        let asked = request(1, &digests);
        digests.executed(asked.clone(), NONE);
        digests.want(&image(asked.file, "/bin/x"), 1, NONE);
        for ino in 1_000..2_000 {
            let file = request(ino, &digests).file;
            digests.want(&image(file, "/bin/y"), 1, NONE);
            digests.done(file, Digest::Known(Sha256([1; 32])));
        }
        assert_eq!(digests.outstanding(), 1);
    }

    proptest! {
        #[test]
        fn a_path_survives_being_shown(
            path in prop::collection::vec(prop::sample::select(b"\\\\xf4/\xff\xc3\xa9".to_vec()), 0..20)
        ) {
            prop_assert_eq!(unescape(&escape_bytes(&path)), path);
        }
    }
}
