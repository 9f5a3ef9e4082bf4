//! All package databases of one root, asked as one.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::answer::{Answer, Reason, State};
use crate::digest::{self, Digest, Kind};
use crate::image;
use crate::path::Links;
use crate::root::{Root, Stamp};
use crate::source::{Claim, Place, Source};
use crate::{apk, dpkg, pacman, rpm};

/// The package databases of one root directory: the host's, or a container's.
///
/// Nothing is read before the first question. Indexes are kept until [`Packages::trim`] finds them
/// unused, or the databases changed; answers are not kept. All file access is confined to the
/// root: absolute links in it lead to its own files.
pub struct Packages {
    root: Root,
    links: Links,
    sources: Option<Vec<Box<dyn Source>>>,
    stamps: Vec<Option<Stamp>>,
    used: bool,
}

impl Packages {
    /// The databases below a directory: `/`, or `/proc/PID/root` for what that process sees.
    ///
    /// # Errors
    /// When it is no directory, or not accessible.
    pub fn open(root: &Path) -> io::Result<Self> {
        Ok(Self::new(Root::open(root)?))
    }

    /// As [`Packages::open`], for a directory that is open already (`O_PATH` is enough).
    ///
    /// # Errors
    /// When the descriptor is not a directory's.
    pub fn at(root: OwnedFd) -> io::Result<Self> {
        Ok(Self::new(Root::from_fd(root)?))
    }

    fn new(root: Root) -> Self {
        Self { root, links: Links::default(), sources: None, stamps: Vec::new(), used: false }
    }

    /// Whose the file at `path` is (as seen within the root), and whether `file`, which is what
    /// really ran, is what the package shipped. Pass the file's SHA-256 if it is known: then the
    /// file is not read where the package's digest is a SHA-256 too.
    ///
    /// The file is read with `pread(2)`: its offset is neither used nor moved. This takes as long
    /// as reading the file, the first time also as long as reading the databases' lists.
    ///
    /// It is compared with the version that is installed now: ask when the file is run. What was
    /// replaced since is [`Reason::Deleted`] once its last name is gone.
    ///
    /// The databases as they were when they were last looked at decide, unless they find fault
    /// with the file: then it is made sure that they did not change meanwhile.
    pub fn identify(&mut self, path: &Path, file: &File, sha256: Option<[u8; 32]>) -> Answer {
        let path = path.as_os_str().as_bytes();
        if let Some(answer) = image::identify(&self.root, path, file) {
            return answer;
        }
        let answer = self.ask(path, file, sha256);
        if answer.state != State::Intact && self.refresh_if_changed() {
            return self.ask(path, file, sha256);
        }
        answer
    }

    /// Forgets the indexes if a database changed since they were made, and says whether it did.
    /// Costs a stat of some twenty paths; call it once before a burst of questions.
    pub fn refresh_if_changed(&mut self) -> bool {
        if self.sources.is_none() || self.stamps == stamps(&self.root) {
            return false;
        }
        self.sources = None;
        true
    }

    /// Forgets the indexes if nobody asked since the last call; call it from a slow timer.
    pub fn trim(&mut self) {
        if !std::mem::take(&mut self.used) {
            self.sources = None;
        }
    }

    /// Bytes of memory that the indexes take, roughly.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.sources.iter().flatten().map(|source| source.memory()).sum()
    }

    fn ask(&mut self, path: &[u8], file: &File, sha256: Option<[u8; 32]>) -> Answer {
        self.used = true;
        if self.sources.is_none() {
            // Before anything is read: a change in between is then seen as one.
            self.stamps = stamps(&self.root);
            self.links = Links::of(&self.root);
        }
        let place = Place { root: &self.root, links: &self.links };
        let sources = self.sources.get_or_insert_with(|| find(place));
        if sources.is_empty() {
            return Answer::unknown(Reason::NoDatabase);
        }
        let path = self.links.canon(path);
        let mut trouble = None;
        for source in sources {
            let busy = |source: &dyn Source| {
                source.busy(place.root).then(|| Reason::Busy(source.manager()))
            };
            match source.claims(place, &path) {
                Ok(claims) if claims.is_empty() => {
                    trouble = trouble.or_else(|| busy(source.as_ref()));
                }
                Ok(claims) => {
                    let mut answer = judge(claims, file, sha256);
                    if answer.state == State::Modified {
                        let excuse = busy(source.as_ref()).or_else(|| deleted(file));
                        answer.state = excuse.map_or(State::Modified, State::Unknown);
                    }
                    return answer;
                }
                Err(reason) => trouble = trouble.or_else(|| busy(source.as_ref())).or(Some(reason)),
            }
        }
        match trouble {
            Some(reason) => Answer::unknown(reason),
            None => Answer { owner: None, state: State::NotPackaged },
        }
    }
}

impl std::fmt::Debug for Packages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let managers: Vec<_> =
            self.sources.iter().flatten().map(|source| source.manager()).collect();
        f.debug_struct("Packages").field("root", &self.root).field("read", &managers).finish()
    }
}

/// The databases there are, the one with most packages first: a system may have another manager's
/// as a tool.
fn find(place: Place<'_>) -> Vec<Box<dyn Source>> {
    let mut all: Vec<Box<dyn Source>> = Vec::new();
    all.extend(dpkg::Dpkg::find(place.root).map(|it| Box::new(it) as Box<dyn Source>));
    all.extend(rpm::Rpm::find(place.root).map(|it| Box::new(it) as Box<dyn Source>));
    all.extend(pacman::Pacman::find(place.root).map(|it| Box::new(it) as Box<dyn Source>));
    all.extend(apk::Apk::find(place.root).map(|it| Box::new(it) as Box<dyn Source>));
    if all.len() > 1 {
        all.sort_by_cached_key(|source| std::cmp::Reverse(source.packages(place)));
    }
    all
}

fn stamps(root: &Root) -> Vec<Option<Stamp>> {
    let databases = [&dpkg::WATCHED[..], &rpm::WATCHED, &pacman::WATCHED, &apk::WATCHED];
    databases.into_iter().flatten().map(|path| root.stamp(path)).collect()
}

/// Several packages may list one path, such as those of two architectures: it is the one's that
/// shipped it.
fn judge(claims: Vec<Claim>, file: &File, sha256: Option<[u8; 32]>) -> Answer {
    let kinds: Vec<Kind> =
        claims.iter().filter_map(|claim| Some(claim.expected.as_ref().ok()?.kind)).collect();
    let digests =
        if kinds.is_empty() { Ok(Vec::new()) } else { digest::of_file(file, sha256, &kinds) };
    let states: Vec<(Claim, State)> = claims
        .into_iter()
        .map(|claim| {
            let state = state_of(&claim, digests.as_deref());
            (claim, state)
        })
        .collect();
    let rank = |state: &State| match state {
        State::Intact => 0,
        State::Unknown(_) => 1,
        State::Modified | State::NotPackaged => 2,
    };
    states
        .into_iter()
        .min_by_key(|(_, state)| rank(state))
        .map_or(Answer { owner: None, state: State::NotPackaged }, |(claim, state)| {
            Answer::of(claim.owner, state)
        })
}

/// A database tells of what is installed now; a file that runs on may be older.
fn deleted(file: &File) -> Option<Reason> {
    file.metadata().is_ok_and(|meta| meta.nlink() == 0).then_some(Reason::Deleted)
}

fn state_of(claim: &Claim, digests: Result<&[Digest], &Reason>) -> State {
    match (&claim.expected, digests) {
        (Err(reason), _) | (Ok(_), Err(reason)) => State::Unknown(*reason),
        (Ok(expected), Ok(digests)) if digests.contains(expected) => State::Intact,
        (Ok(_), Ok(_)) => State::Modified,
    }
}
