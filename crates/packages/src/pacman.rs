//! The local database of pacman: a directory for each package in `/var/lib/pacman/local`, with a
//! description, a list of files, and an mtree(5) of them.

mod desc;
mod mtree;

use crate::answer::{Manager, Owner, Reason};
use crate::bytes::clean;
use crate::index::{Builder, Index, number};
use crate::root::{Root, join};
use crate::source::{Claim, Place, Source, unreadable};

const LOCAL: &[u8] = b"var/lib/pacman/local";
const LOCK: &[u8] = b"var/lib/pacman/db.lck";

/// What changes when the database does: each version of a package has a directory of its own.
pub(crate) const WATCHED: [&[u8]; 2] = [LOCAL, LOCK];

/// Largest file of one package.
const MAX_FILE: u64 = 32 << 20;

/// All lists together.
const MAX_LISTS: usize = 512 << 20;

#[derive(Debug)]
struct Loaded {
    index: Index,
    /// `NAME-VERSION-RELEASE`, by the package's number.
    packages: Vec<Box<[u8]>>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Pacman {
    loaded: Option<Loaded>,
}

impl Pacman {
    pub(crate) fn find(root: &Root) -> Option<Self> {
        root.has_dir(LOCAL).then_some(Self { loaded: None })
    }
}

fn packages(root: &Root) -> Result<Vec<Box<[u8]>>, Reason> {
    let names = root.names(LOCAL).map_err(unreadable(Manager::Pacman))?;
    Ok(names
        .iter()
        .filter(|name| *name != b"ALPM_DB_VERSION")
        .map(|name| (**name).into())
        .collect())
}

/// A package's file; a package that was removed meanwhile has none.
fn read(root: &Root, package: &[u8], name: &[u8], to: &mut Vec<u8>) -> Result<bool, Reason> {
    match root.read_into(&join(&join(LOCAL, package), name), MAX_FILE, to) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            to.clear();
            Ok(false)
        }
        Err(error) => Err(unreadable(Manager::Pacman)(error)),
    }
}

fn load(place: Place<'_>) -> Result<Loaded, Reason> {
    let packages = packages(place.root)?;
    let mut builder = Builder::new(Manager::Pacman);
    let (mut list, mut total) = (Vec::new(), 0usize);
    for (position, package) in packages.iter().enumerate() {
        let numbered = number(position, Manager::Pacman)?;
        read(place.root, package, b"files", &mut list)?;
        total = total.saturating_add(list.len());
        if total > MAX_LISTS {
            return Err(Reason::TooLarge(Manager::Pacman));
        }
        for path in desc::files(&list) {
            builder.add(&place.links.canon(path), numbered)?;
        }
    }
    Ok(Loaded { index: builder.build(), packages })
}

/// The claim of a package, if it has the path.
fn claim(place: Place<'_>, package: &[u8], path: &[u8]) -> Result<Option<Claim>, Reason> {
    let mut text = Vec::new();
    read(place.root, package, b"files", &mut text)?;
    if !desc::files(&text).any(|listed| place.links.canon(listed) == path) {
        return Ok(None);
    }
    read(place.root, package, b"desc", &mut text)?;
    let field = |name| desc::values(&text, name).next().map(clean).unwrap_or_default();
    let owner = Owner {
        manager: Manager::Pacman,
        package: field(b"%NAME%"),
        version: field(b"%VERSION%"),
        architecture: field(b"%ARCH%"),
    };
    let expected = if read(place.root, package, b"mtree", &mut text)? {
        match mtree::unpack(&text) {
            Some(plain) => mtree::digest(&plain, |listed| place.links.canon(listed) == path),
            None => Err(Reason::Damaged(Manager::Pacman)),
        }
    } else {
        Err(Reason::NoChecksums)
    };
    Ok(Some(Claim { owner, expected }))
}

impl Source for Pacman {
    fn manager(&self) -> Manager {
        Manager::Pacman
    }

    fn packages(&self, place: Place<'_>) -> usize {
        packages(place.root).map_or(0, |packages| packages.len())
    }

    fn claims(&mut self, place: Place<'_>, path: &[u8]) -> Result<Vec<Claim>, Reason> {
        let loaded = match self.loaded.take() {
            Some(loaded) => loaded,
            None => load(place)?,
        };
        let loaded = self.loaded.insert(loaded);
        let candidates = loaded.index.candidates(path);
        let packages = candidates.filter_map(|number| loaded.packages.get(usize::from(number)));
        packages.filter_map(|package| claim(place, package, path).transpose()).collect()
    }

    fn busy(&self, root: &Root) -> bool {
        root.size(LOCK).is_some()
    }

    fn memory(&self) -> usize {
        self.loaded.as_ref().map_or(0, |loaded| {
            let names: usize = loaded.packages.iter().map(|name| name.len() + 32).sum();
            loaded.index.memory() + names
        })
    }
}
