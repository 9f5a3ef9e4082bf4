//! The database of apk: one text file, a paragraph for each package, with lines of one letter,
//! a colon and a value. Source: `apk-package(5)` and `apk-v2(5)`.

use crate::answer::{Manager, Owner, Reason};
use crate::bytes::{clean, from_base64};
use crate::digest::{Digest, Kind};
use crate::index::{Builder, Index, number};
use crate::root::Root;
use crate::source::{Claim, MAX_DATABASE, Place, Source, unreadable};

/// Where the database is: of old, and since apk 3.
pub(crate) const WATCHED: [&[u8]; 2] = [b"lib/apk/db/installed", b"usr/lib/apk/db/installed"];

#[derive(Debug)]
struct Loaded {
    index: Index,
    /// Where in the file a package's paragraph begins, by its number.
    starts: Vec<u32>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Apk {
    path: &'static [u8],
    loaded: Option<Loaded>,
}

impl Apk {
    pub(crate) fn find(root: &Root) -> Option<Self> {
        let path = WATCHED.into_iter().find(|path| root.size(path).is_some())?;
        Some(Self { path, loaded: None })
    }

    fn read(&self, root: &Root) -> Result<Vec<u8>, Reason> {
        root.read(self.path, MAX_DATABASE).map_err(unreadable(Manager::Apk))
    }
}

/// A file of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed<'a> {
    path: Vec<u8>,
    /// `Q1` and base64, or empty.
    digest: &'a [u8],
}

/// Where each paragraph begins.
fn starts(text: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let after_gap = text.windows(2).enumerate().filter(|(_, pair)| *pair == b"\n\n");
    std::iter::once(0).chain(after_gap.map(|(at, _)| at + 2)).filter(|&at| at < text.len())
}

/// Letter and value of each line of the paragraph that begins here.
fn lines(text: &[u8], start: usize) -> impl Iterator<Item = (u8, &[u8])> {
    let lines = text.get(start..).unwrap_or_default().split(|&byte| byte == b'\n');
    lines.take_while(|line| !line.is_empty()).filter_map(|line| {
        let (&letter, rest) = line.split_first()?;
        Some((letter, rest.strip_prefix(b":")?))
    })
}

/// The files of a paragraph: `F:` names the directory of the `R:` that follow, `Z:` the digest of
/// the one before.
fn files(text: &[u8], start: usize) -> impl Iterator<Item = Listed<'_>> {
    let mut lines = lines(text, start).peekable();
    let mut dir: &[u8] = b"";
    std::iter::from_fn(move || {
        loop {
            match lines.next()? {
                (b'F', name) => dir = name,
                (b'R', name) => {
                    let mut digest: &[u8] = b"";
                    while let Some((letter, value)) =
                        lines.next_if(|(letter, _)| !matches!(letter, b'F' | b'R'))
                    {
                        if letter == b'Z' {
                            digest = value;
                        }
                    }
                    return Some(Listed { path: [dir, b"/", name].concat(), digest });
                }
                _ => {}
            }
        }
    })
}

fn expected(digest: &[u8]) -> Result<Digest, Reason> {
    let damaged = Reason::Damaged(Manager::Apk);
    let (kind, text) = match digest {
        [] => return Err(Reason::NotRecorded),
        [b'Q', b'1', text @ ..] => (Kind::Sha1, text),
        [b'Q', b'2', text @ ..] => (Kind::Sha256, text),
        [b'Q', ..] => return Err(Reason::UnknownDigest),
        _ => return Err(damaged),
    };
    // 44 characters are the longest of these.
    let bytes = (text.len() <= 44).then(|| from_base64(text)).flatten();
    bytes.and_then(|bytes| Digest::new(kind, bytes)).ok_or(damaged)
}

fn load(text: &[u8], place: Place<'_>) -> Result<Loaded, Reason> {
    let mut builder = Builder::new(Manager::Apk);
    let mut all = Vec::new();
    for (position, start) in starts(text).enumerate() {
        let package = number(position, Manager::Apk)?;
        all.push(u32::try_from(start).map_err(|_| Reason::TooLarge(Manager::Apk))?);
        for file in files(text, start) {
            builder.add(&place.links.canon(&file.path), package)?;
        }
    }
    Ok(Loaded { index: builder.build(), starts: all })
}

/// The claim of the package whose paragraph begins here, if it has the path.
fn claim(text: &[u8], start: usize, place: Place<'_>, path: &[u8]) -> Option<Claim> {
    let file = files(text, start).find(|file| place.links.canon(&file.path) == path)?;
    let field = |letter| {
        let found = lines(text, start).find(|(found, _)| *found == letter);
        found.map(|(_, value)| clean(value)).unwrap_or_default()
    };
    let owner = Owner {
        manager: Manager::Apk,
        package: field(b'P'),
        version: field(b'V'),
        architecture: field(b'A'),
    };
    Some(Claim { owner, expected: expected(file.digest) })
}

impl Source for Apk {
    fn manager(&self) -> Manager {
        Manager::Apk
    }

    fn packages(&self, place: Place<'_>) -> usize {
        self.read(place.root).map_or(0, |text| starts(&text).count())
    }

    fn claims(&mut self, place: Place<'_>, path: &[u8]) -> Result<Vec<Claim>, Reason> {
        let text = self.read(place.root)?;
        let loaded = match self.loaded.take() {
            Some(loaded) => loaded,
            None => load(&text, place)?,
        };
        let loaded = self.loaded.insert(loaded);
        let candidates = loaded.index.candidates(path);
        let starts = candidates.filter_map(|number| loaded.starts.get(usize::from(number)));
        Ok(starts
            .filter_map(|&start| claim(&text, crate::bytes::size(start), place, path))
            .collect())
    }

    fn busy(&self, _: &Root) -> bool {
        // Its lock file is always there, and to ask who holds the lock would be to take it.
        false
    }

    fn memory(&self) -> usize {
        self.loaded.as_ref().map_or(0, |loaded| loaded.index.memory() + loaded.starts.len() * 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &[u8] = b"C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\nF:lib\nR:ld.so\na:0:0:755\n\
        Z:Q1qZk+NkcGgWq6PiVxeFDCbJzQ2J0=\nR:plain\nF:\nR:top\n\nP:busybox\nV:1\nF:bin\nM:0:0:1777\n\
        R:\x1b[31m\xff\nZ:Q2\nR:busybox\nZ:zip\n";

    #[test]
    fn paragraphs_are_understood() {
        let starts: Vec<usize> = starts(TEXT).collect();
        assert_eq!(starts.len(), 2);
        let first: Vec<_> = files(TEXT, starts[0]).collect();
        let paths: Vec<&[u8]> = first.iter().map(|file| file.path.as_slice()).collect();
        assert_eq!(paths, [&b"lib/ld.so"[..], b"lib/plain", b"/top"]);
        let abc = Digest::from_hex(Kind::Sha1, b"a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(expected(first[0].digest).ok(), abc);
        assert_eq!(expected(first[1].digest), Err(Reason::NotRecorded));
        let second: Vec<_> = files(TEXT, starts[1]).collect();
        assert_eq!(second[0].path, b"bin/\x1b[31m\xff");
        assert_eq!(expected(second[0].digest), Err(Reason::Damaged(Manager::Apk)));
        assert_eq!(expected(second[1].digest), Err(Reason::Damaged(Manager::Apk)));
        assert_eq!(expected(b"Q9"), Err(Reason::UnknownDigest));
    }

    proptest! {
        #[test]
        fn anything_is_survived(text: Vec<u8>, cut: prop::sample::Index) {
            let end = cut.index(TEXT.len());
            for text in [&text[..], &TEXT[..end]] {
                for start in starts(text) {
                    for file in files(text, start) {
                        expected(file.digest).ok();
                    }
                }
            }
        }
    }
}
