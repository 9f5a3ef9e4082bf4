//! The database of RPM, in each of the three forms that are in use: SQLite (Fedora, RHEL 9), ndb
//! (openSUSE) and Berkeley DB (RHEL 8). All hold one header for each package.

mod bdb;
mod btree;
mod header;
mod ndb;
mod sqlite;
#[cfg(test)]
mod tests;

use std::fs::File;

use crate::answer::{Manager, Owner, Reason};
use crate::bytes::clean;
use crate::index::{Builder, Index, number};
use crate::root::{Root, join};
use crate::source::{Claim, Place, Source, unreadable};
use bdb::Bdb;
use header::Header;
use ndb::Ndb;
use sqlite::Sqlite;

/// Where the database is; `usr/share/rpm` is where rpm-ostree has it.
const DIRS: [&[u8]; 3] = [b"usr/lib/sysimage/rpm", b"var/lib/rpm", b"usr/share/rpm"];

/// What changes when the database does, a journal that waits included.
pub(crate) const WATCHED: [&[u8]; 12] = [
    b"usr/lib/sysimage/rpm/rpmdb.sqlite",
    b"usr/lib/sysimage/rpm/rpmdb.sqlite-wal",
    b"usr/lib/sysimage/rpm/Packages.db",
    b"usr/lib/sysimage/rpm/Packages",
    b"var/lib/rpm/rpmdb.sqlite",
    b"var/lib/rpm/rpmdb.sqlite-wal",
    b"var/lib/rpm/Packages.db",
    b"var/lib/rpm/Packages",
    b"usr/share/rpm/rpmdb.sqlite",
    b"usr/share/rpm/rpmdb.sqlite-wal",
    b"usr/share/rpm/Packages.db",
    b"usr/share/rpm/Packages",
];

/// Largest header of one package; that of a kernel's sources has some 10 MB.
const MAX_HEADER: u32 = 64 << 20;

/// All headers together that are read to make an index.
const MAX_HEADERS: usize = 2 << 30;

/// Packages with a file of one name that are looked into; licences have more, programs few.
const MAX_CANDIDATES: usize = 256;

/// Damaged, or not read: every form of the database says no more than that.
type Read<T> = std::io::Result<T>;

fn damaged() -> std::io::Error {
    std::io::ErrorKind::InvalidData.into()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Sqlite,
    Ndb,
    Bdb,
}

/// A database without an index of its own that is read here, and the one that was made.
#[derive(Debug)]
enum Store {
    Ndb(Ndb),
    Bdb(Bdb),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Rpm {
    path: Vec<u8>,
    form: Form,
    loaded: Option<(Store, Index)>,
}

impl Rpm {
    pub(crate) fn find(root: &Root) -> Option<Self> {
        let forms: [(&[u8], Form); 3] = [
            (b"rpmdb.sqlite", Form::Sqlite),
            (b"Packages.db", Form::Ndb),
            (b"Packages", Form::Bdb),
        ];
        let paths = DIRS.iter().flat_map(|dir| forms.map(|(name, form)| (join(dir, name), form)));
        let mut found = paths.filter(|(path, _)| root.size(path).is_some_and(|size| size > 0));
        let (path, form) = found.next()?;
        Some(Self { path, form, loaded: None })
    }

    fn file(&self, root: &Root) -> Read<File> {
        root.file(&self.path)
    }

    fn store(&self, root: &Root) -> Read<Option<Store>> {
        Ok(match self.form {
            Form::Sqlite => None,
            Form::Ndb => Some(Store::Ndb(Ndb::open(self.file(root)?)?)),
            Form::Bdb => Some(Store::Bdb(Bdb::open(self.file(root)?)?)),
        })
    }

    /// Makes the index, where the database has none that is read here.
    fn load(&mut self, place: Place<'_>) -> Result<(), Reason> {
        if self.loaded.is_none()
            && let Some(store) = self.store(place.root).map_err(unreadable(Manager::Rpm))?
        {
            let index = store.index(place)?;
            self.loaded = Some((store, index));
        }
        Ok(())
    }
}

impl Store {
    fn len(&self) -> usize {
        match self {
            Self::Ndb(ndb) => ndb.len(),
            Self::Bdb(bdb) => bdb.len(),
        }
    }

    fn header(&self, package: usize) -> Read<Vec<u8>> {
        match self {
            Self::Ndb(ndb) => ndb.header(package),
            Self::Bdb(bdb) => bdb.header(package),
        }
    }

    fn index(&self, place: Place<'_>) -> Result<Index, Reason> {
        let mut builder = Builder::new(Manager::Rpm);
        let mut total = 0usize;
        for position in 0..self.len() {
            let package = number(position, Manager::Rpm)?;
            let blob = self.header(position).map_err(unreadable(Manager::Rpm))?;
            total = total.saturating_add(blob.len());
            if total > MAX_HEADERS {
                return Err(Reason::TooLarge(Manager::Rpm));
            }
            let header = Header::parse(&blob).ok_or(Reason::Damaged(Manager::Rpm))?;
            for file in header.files() {
                builder.add(&place.links.canon(&file.path()), package)?;
            }
        }
        Ok(builder.build())
    }
}

/// The last part of a path.
fn base(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}

/// The claim of a package, if it has the path.
fn claim(header: &Header<'_>, place: Place<'_>, path: &[u8]) -> Option<Claim> {
    let mut files = header.files().filter(|file| file.base == base(path));
    let file = files.find(|file| place.links.canon(&file.path()) == path)?;
    let text = |tag| header.string(tag).map(clean).unwrap_or_default();
    let release = text(header::RELEASE);
    let mut version = text(header::VERSION);
    if !release.is_empty() {
        version = format!("{version}-{release}");
    }
    if let Some(epoch) = header.number(header::EPOCH) {
        version = format!("{epoch}:{version}");
    }
    let owner = Owner {
        manager: Manager::Rpm,
        package: text(header::NAME),
        version,
        architecture: text(header::ARCH),
    };
    Some(Claim { owner, expected: header.digest(file.number) })
}

impl Source for Rpm {
    fn manager(&self) -> Manager {
        Manager::Rpm
    }

    fn packages(&self, place: Place<'_>) -> usize {
        let count = || match self.store(place.root)? {
            Some(store) => Ok(store.len()),
            None => Sqlite::open(self.file(place.root)?)?.packages(),
        };
        count().unwrap_or(0)
    }

    fn claims(&mut self, place: Place<'_>, path: &[u8]) -> Result<Vec<Claim>, Reason> {
        let failed = unreadable(Manager::Rpm);
        self.load(place)?;
        let mut claims = Vec::new();
        // One header at a time: they may be large.
        let mut look = |blob: Vec<u8>| {
            let header = Header::parse(&blob).ok_or_else(damaged)?;
            claims.extend(claim(&header, place, path));
            Ok(())
        };
        let looked: Read<()> = match &self.loaded {
            Some((store, index)) => {
                let mut found = index.candidates(path);
                found.try_for_each(|package| look(store.header(package.into())?))
            }
            None => self.file(place.root).and_then(Sqlite::open).and_then(|mut sqlite| {
                let packages = sqlite.with_basename(base(path))?;
                packages.into_iter().try_for_each(|package| look(sqlite.header(package)?))
            }),
        };
        looked.map_err(failed)?;
        Ok(claims)
    }

    fn busy(&self, root: &Root) -> bool {
        // What is in the journal is not in the database yet.
        let waits = |suffix: &[u8]| {
            root.size(&[self.path.as_slice(), suffix].concat()).is_some_and(|size| size > 0)
        };
        self.form == Form::Sqlite && (waits(b"-wal") || waits(b"-journal"))
    }

    fn memory(&self) -> usize {
        self.loaded.as_ref().map_or(0, |(store, index)| index.memory() + store.len() * 12)
    }
}
