//! Reading a file whole, and knowing it again.

use std::fs::File;
use std::fs::Metadata;
use std::io;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::Error;

/// Largest database that is read. Country and ASN files are of 5–60 MiB.
pub(crate) const LARGEST: u64 = 256 << 20;

/// By which a file is known to be the one that was read, or another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    /// Packages set `modified` to a date of their own, perhaps always the same; this nobody sets.
    changed: (i64, i64),
}

impl Stamp {
    /// That of what lies at `path` now, links followed; `None` if nothing does.
    pub(crate) fn of(path: &Path) -> Result<Option<Self>, Error> {
        match std::fs::metadata(path) {
            Ok(found) => Ok(Some(Self::from(&found))),
            Err(error) if is_absence(&error) => Ok(None),
            Err(source) => Err(Error::Unreadable { path: path.into(), source }),
        }
    }
}

impl From<&Metadata> for Stamp {
    fn from(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

/// The bytes of a plain file, and what it is known by.
pub(crate) fn read(path: &Path) -> Result<(Vec<u8>, Stamp), Error> {
    let unreadable = |source| Error::Unreadable { path: path.into(), source };
    // Before it is opened: opening a pipe would wait for its other end.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Error::NotPlain { path: path.into() });
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let before = file.metadata().map_err(unreadable)?;
    let too_large = || Error::TooLarge { path: path.into(), limit: LARGEST };
    if before.len() > LARGEST {
        return Err(too_large());
    }
    let size = usize::try_from(before.len()).map_err(|_| too_large())?;
    // Exactly as much as is needed: a vector that grows takes up to twice that.
    let mut bytes = Vec::with_capacity(size + 1);
    Read::by_ref(&mut file).take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let stamp = Stamp::from(&before);
    let after = Stamp::from(&file.metadata().map_err(unreadable)?);
    if stamp != after || bytes.len() != size {
        return Err(Error::Changed { path: path.into() });
    }
    Ok((bytes, stamp))
}

/// At most `most` bytes from the beginning of a plain file, as text; `None` if there is none.
pub(crate) fn beginning(path: &Path, most: u64) -> Option<String> {
    std::fs::metadata(path).ok().filter(Metadata::is_file)?;
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(most).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
