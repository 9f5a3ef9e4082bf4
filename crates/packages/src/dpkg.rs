//! The database of dpkg: text files in `/var/lib/dpkg`, as `dpkg(1)` and deb-md5sums(5) have them.
//!
//! Images without a package manager ("distroless") have each package's paragraph and checksums in
//! `status.d` instead.

mod divert;
mod text;

use crate::answer::{Manager, Owner, Reason};
use crate::bytes::clean;
use crate::digest::{Digest, Kind};
use crate::index::{Builder, Index, number};
use crate::root::{Root, join};
use crate::source::{Claim, MAX_DATABASE, Place, Source, unreadable};
use divert::Diversions;

const DIR: &[u8] = b"var/lib/dpkg";
const INFO: &[u8] = b"var/lib/dpkg/info";
const STATUS: &[u8] = b"var/lib/dpkg/status";
const STATUS_D: &[u8] = b"var/lib/dpkg/status.d";
const UPDATES: &[u8] = b"var/lib/dpkg/updates";

/// What changes when the database does.
pub(crate) const WATCHED: [&[u8]; 4] = [STATUS, INFO, STATUS_D, divert::FILE];

/// Largest list of one package; a kernel's is 1 MB.
const MAX_LIST: u64 = 16 << 20;

/// All lists together: ten times those of a large desktop.
const MAX_LISTS: usize = 512 << 20;

/// Where packages' lists are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// `info/NAME[:ARCH].list` and `.md5sums`, one `status` for all.
    Full,
    /// `status.d/NAME` and `NAME.md5sums`, which is the only list.
    StatusD,
}

#[derive(Debug)]
struct Loaded {
    index: Index,
    /// `NAME` or `NAME:ARCH`, by the package's number.
    stems: Vec<Box<[u8]>>,
    diversions: Diversions,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Dpkg {
    layout: Layout,
    loaded: Option<Loaded>,
}

impl Dpkg {
    pub(crate) fn find(root: &Root) -> Option<Self> {
        let layout = if root.size(STATUS).is_some() && root.has_dir(INFO) {
            Layout::Full
        } else if root.has_dir(STATUS_D) {
            Layout::StatusD
        } else {
            return None;
        };
        Some(Self { layout, loaded: None })
    }

    fn load(&mut self, place: Place<'_>) -> Result<&Loaded, Reason> {
        let loaded = match self.loaded.take() {
            Some(loaded) => loaded,
            None => load(self.layout, place)?,
        };
        Ok(self.loaded.insert(loaded))
    }
}

/// The names of all packages that are unpacked or were once.
fn stems(layout: Layout, root: &Root) -> Result<Vec<Box<[u8]>>, Reason> {
    let (dir, suffix) = layout.lists();
    let names = root.names(dir).map_err(unreadable(Manager::Dpkg))?;
    let mut stems: Vec<Box<[u8]>> =
        names.iter().filter_map(|name| name.strip_suffix(suffix)).map(Box::from).collect();
    stems.sort_unstable();
    Ok(stems)
}

fn load(layout: Layout, place: Place<'_>) -> Result<Loaded, Reason> {
    let stems = stems(layout, place.root)?;
    let mut builder = Builder::new(Manager::Dpkg);
    let (mut buffer, mut total) = (Vec::new(), 0usize);
    for (position, stem) in stems.iter().enumerate() {
        let package = number(position, Manager::Dpkg)?;
        layout.read_list(place.root, stem, &mut buffer)?;
        total = total.saturating_add(buffer.len());
        if total > MAX_LISTS {
            return Err(Reason::TooLarge(Manager::Dpkg));
        }
        for path in layout.paths(&buffer) {
            builder.add(&place.links.canon(path), package)?;
        }
    }
    let diversions = Diversions::read(place)?;
    Ok(Loaded { index: builder.build(), stems, diversions })
}

impl Layout {
    /// In which directory the lists are, and how their names end.
    fn lists(self) -> (&'static [u8], &'static [u8]) {
        match self {
            Self::Full => (INFO, b".list"),
            Self::StatusD => (STATUS_D, b".md5sums"),
        }
    }

    fn file(self, stem: &[u8], suffix: &[u8]) -> Vec<u8> {
        let dir = self.lists().0;
        join(dir, &[stem, suffix].concat())
    }

    fn read_list(self, root: &Root, stem: &[u8], to: &mut Vec<u8>) -> Result<(), Reason> {
        match root.read_into(&self.file(stem, self.lists().1), MAX_LIST, to) {
            // Removed since the directory was read.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                to.clear();
                Ok(())
            }
            other => other.map_err(unreadable(Manager::Dpkg)),
        }
    }

    /// Paths that a package's list has, directories left out where that is easily seen.
    fn paths(self, list: &[u8]) -> Box<dyn Iterator<Item = &[u8]> + '_> {
        match self {
            Self::Full => Box::new(text::files(list)),
            Self::StatusD => Box::new(text::sums(list).map(|(_, path)| path)),
        }
    }

    /// Version and architecture, as the package's paragraph has them.
    fn owner(self, root: &Root, stem: &[u8]) -> Result<Owner, Reason> {
        let (name, architecture) = text::split_stem(stem);
        let (path, limit) = match self {
            Self::Full => (STATUS.to_vec(), MAX_DATABASE),
            Self::StatusD => (self.file(stem, b""), MAX_LIST),
        };
        let status = root.read(&path, limit).map_err(unreadable(Manager::Dpkg))?;
        let found = match self {
            Self::Full => text::paragraph(&status, name, architecture),
            // The file is named after the package, more or less; it has one paragraph.
            Self::StatusD => text::fields(&status),
        };
        let text = |field: Option<&[u8]>| field.map(clean).unwrap_or_default();
        let found = found.unwrap_or_default();
        Ok(Owner {
            manager: Manager::Dpkg,
            package: clean(found.package.unwrap_or(name)),
            version: text(found.version),
            architecture: text(architecture.or(found.architecture)),
        })
    }

    /// The checksum of a path in the spelling that the package gave it, or another.
    fn expected(self, place: Place<'_>, stem: &[u8], path: &[u8]) -> Result<Digest, Reason> {
        let sums = match place.root.read(&self.file(stem, b".md5sums"), MAX_LIST) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Reason::NoChecksums);
            }
            other => other.map_err(unreadable(Manager::Dpkg))?,
        };
        let (digits, _) = text::sums(&sums)
            .find(|(_, listed)| place.links.canon(listed) == path)
            .ok_or(Reason::NotRecorded)?;
        Digest::from_hex(Kind::Md5, digits).ok_or(Reason::Damaged(Manager::Dpkg))
    }
}

impl Source for Dpkg {
    fn manager(&self) -> Manager {
        Manager::Dpkg
    }

    fn packages(&self, place: Place<'_>) -> usize {
        stems(self.layout, place.root).map_or(0, |stems| stems.len())
    }

    fn claims(&mut self, place: Place<'_>, path: &[u8]) -> Result<Vec<Claim>, Reason> {
        let layout = self.layout;
        let loaded = self.load(place)?;
        let mut claims = Vec::new();
        let mut list = Vec::new();
        for name in loaded.diversions.names_of(path) {
            for package in loaded.index.candidates(name.listed) {
                let Some(stem) = loaded.stems.get(usize::from(package)) else { continue };
                if !name.may_be_of(text::split_stem(stem).0) {
                    continue;
                }
                layout.read_list(place.root, stem, &mut list)?;
                if layout.paths(&list).any(|listed| place.links.canon(listed) == name.listed) {
                    claims.push(Claim {
                        owner: layout.owner(place.root, stem)?,
                        expected: layout.expected(place, stem, name.listed),
                    });
                }
            }
        }
        Ok(claims)
    }

    fn busy(&self, root: &Root) -> bool {
        // dpkg notes there what it is doing, and clears it when it ends.
        let numbered = |name: &Vec<u8>| name.iter().all(u8::is_ascii_digit);
        root.has_dir(DIR) && root.names(UPDATES).is_ok_and(|names| names.iter().any(numbered))
    }

    fn memory(&self) -> usize {
        self.loaded.as_ref().map_or(0, |loaded| {
            let stems: usize = loaded.stems.iter().map(|stem| stem.len() + 32).sum();
            loaded.index.memory() + stems + loaded.diversions.memory()
        })
    }
}
