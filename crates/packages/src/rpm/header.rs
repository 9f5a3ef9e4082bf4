//! A package's header as RPM keeps it: an index of tags, then their data, all big-endian.
//!
//! Source: "RPM V4 package format" in RPM's reference manual; numbers of tags from `rpmtag.h`.

use crate::answer::{Manager, Reason};
use crate::bytes::{be16, be32, size, slice};
use crate::digest::{Digest, Kind};

pub(super) const NAME: u32 = 1000;
pub(super) const VERSION: u32 = 1001;
pub(super) const RELEASE: u32 = 1002;
pub(super) const EPOCH: u32 = 1003;
pub(super) const ARCH: u32 = 1022;
const FILE_STATES: u32 = 1029;
const FILE_MODES: u32 = 1030;
const FILE_DIGESTS: u32 = 1035;
const FILE_VERIFY_FLAGS: u32 = 1045;
const DIR_INDEXES: u32 = 1116;
const BASENAMES: u32 = 1117;
const DIRNAMES: u32 = 1118;
const FILE_DIGEST_ALGO: u32 = 5011;

/// `RPMVERIFY_FILEDIGEST`: the package does not expect the contents to change.
const VERIFY_DIGEST: u32 = 1;

/// Bytes of an entry of the index: tag, type, offset, count.
const ENTRY: usize = 16;

/// More tags than RPM itself takes.
const MAX_TAGS: usize = 65_535;

/// A header, its size checked and nothing else.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header<'a> {
    entries: &'a [u8],
    data: &'a [u8],
}

/// A file that a package installed, links included, directories not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PackageFile<'a> {
    /// Which of the package's files, directories included.
    pub(super) number: usize,
    dir: &'a [u8],
    pub(super) base: &'a [u8],
}

impl PackageFile<'_> {
    pub(super) fn path(&self) -> Vec<u8> {
        [self.dir, self.base].concat()
    }
}

impl<'a> Header<'a> {
    /// A header as databases hold it, without the magic number that files have before it.
    pub(super) fn parse(blob: &'a [u8]) -> Option<Self> {
        let (tags, bytes) = (size(be32(blob, 0)?), size(be32(blob, 4)?));
        if tags > MAX_TAGS {
            return None;
        }
        let rest = blob.get(8..)?;
        let (entries, data) = rest.split_at_checked(tags.checked_mul(ENTRY)?)?;
        Some(Self { entries, data: slice(data, 0, bytes)? })
    }

    /// Data of a tag up to the end of the header, and how many elements there should be.
    fn find(&self, tag: u32, types: &[u32]) -> Option<(&'a [u8], usize)> {
        let entry = self.entries.chunks_exact(ENTRY).find(|entry| be32(entry, 0) == Some(tag))?;
        let known = types.contains(&be32(entry, 4)?);
        let data = self.data.get(size(be32(entry, 8)?)..)?;
        known.then_some((data, size(be32(entry, 12)?)))
    }

    /// The first text of a tag.
    pub(super) fn string(&self, tag: u32) -> Option<&'a [u8]> {
        self.strings(tag).next()
    }

    /// Types 6, 8 and 9: one text, several, or one in several languages; each ends with a NUL.
    fn strings(&self, tag: u32) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (data, count) = self.find(tag, &[6, 8, 9]).unwrap_or_default();
        // What follows the last NUL is not a text.
        let end = data.iter().rposition(|&byte| byte == 0).unwrap_or(0);
        let texts = data.get(..end).unwrap_or_default();
        let some = !data.is_empty();
        texts.split(|&byte| byte == 0).take(if some { count } else { 0 })
    }

    /// Type 4.
    fn numbers(&self, tag: u32) -> impl Iterator<Item = u32> + use<'a> {
        let (data, count) = self.find(tag, &[4]).unwrap_or_default();
        data.chunks_exact(4).take(count).filter_map(|bytes| be32(bytes, 0))
    }

    pub(super) fn number(&self, tag: u32) -> Option<u32> {
        self.numbers(tag).next()
    }

    /// Files that are in place: not those that another package's replaced, that are of an
    /// architecture which was passed over, or left out as documentation.
    pub(super) fn files(&self) -> impl Iterator<Item = PackageFile<'a>> + use<'a> {
        let dirs: Vec<&[u8]> = self.strings(DIRNAMES).collect();
        let states = self.find(FILE_STATES, &[1, 2]).map(|(data, _)| data);
        let modes = self.find(FILE_MODES, &[3]).map(|(data, _)| data);
        let names = self.strings(BASENAMES).zip(self.numbers(DIR_INDEXES)).enumerate();
        names.filter_map(move |(number, (base, dir))| {
            let state = states.and_then(|states| states.get(number)).copied().unwrap_or(0);
            let mode = modes.and_then(|modes| be16(modes, number.checked_mul(2)?)).unwrap_or(0);
            let dir = dirs.get(size(dir)).copied()?;
            (state == 0 && mode & 0o170_000 != 0o040_000).then_some(PackageFile {
                number,
                dir,
                base,
            })
        })
    }

    /// The digest of one of the files.
    pub(super) fn digest(&self, number: usize) -> Result<Digest, Reason> {
        let digits = self.strings(FILE_DIGESTS).nth(number).unwrap_or_default();
        let flags = self.numbers(FILE_VERIFY_FLAGS).nth(number).unwrap_or(VERIFY_DIGEST);
        if digits.is_empty() || flags & VERIFY_DIGEST == 0 {
            return Err(Reason::NotRecorded);
        }
        // RFC 4880 numbers them; without a number it is MD5.
        let kind = match self.number(FILE_DIGEST_ALGO) {
            None | Some(1) => Kind::Md5,
            Some(2) => Kind::Sha1,
            Some(8) => Kind::Sha256,
            Some(9) => Kind::Sha384,
            Some(10) => Kind::Sha512,
            Some(11) => Kind::Sha224,
            Some(_) => return Err(Reason::UnknownDigest),
        };
        Digest::from_hex(kind, digits).ok_or(Reason::Damaged(Manager::Rpm))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Builds headers for this and other tests.
    #[derive(Debug, Default)]
    pub(in crate::rpm) struct Maker {
        entries: Vec<u8>,
        data: Vec<u8>,
    }

    impl Maker {
        pub(in crate::rpm) fn add(
            mut self,
            tag: u32,
            kind: u32,
            count: usize,
            data: &[u8],
        ) -> Self {
            let offset = u32::try_from(self.data.len()).unwrap();
            for number in [tag, kind, offset, u32::try_from(count).unwrap()] {
                self.entries.extend(number.to_be_bytes());
            }
            self.data.extend(data);
            self
        }

        pub(in crate::rpm) fn strings(self, tag: u32, texts: &[&str]) -> Self {
            let data: Vec<u8> =
                texts.iter().flat_map(|text| [text.as_bytes(), b"\0"].concat()).collect();
            self.add(tag, 8, texts.len(), &data)
        }

        pub(in crate::rpm) fn numbers(self, tag: u32, numbers: &[u32]) -> Self {
            let data: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
            self.add(tag, 4, numbers.len(), &data)
        }

        pub(in crate::rpm) fn build(self) -> Vec<u8> {
            let mut out = Vec::new();
            out.extend(u32::try_from(self.entries.len() / ENTRY).unwrap().to_be_bytes());
            out.extend(u32::try_from(self.data.len()).unwrap().to_be_bytes());
            out.extend(self.entries);
            out.extend(self.data);
            out
        }
    }

    /// A package with /usr/bin/NAME, whose digest is given, and a directory.
    pub(in crate::rpm) fn package(name: &str, sha256: &str) -> Vec<u8> {
        Maker::default()
            .strings(NAME, &[name])
            .strings(VERSION, &["1.0"])
            .strings(RELEASE, &["3.fc40"])
            .numbers(EPOCH, &[2])
            .strings(ARCH, &["x86_64"])
            .strings(BASENAMES, &["dir", name])
            .strings(DIRNAMES, &["/usr/share/", "/usr/bin/"])
            .numbers(DIR_INDEXES, &[0, 1])
            .strings(FILE_DIGESTS, &["", sha256])
            .numbers(FILE_DIGEST_ALGO, &[8])
            .add(FILE_MODES, 3, 2, &[0o100, 0, 0o201, 0o355])
            .add(FILE_STATES, 1, 2, &[0, 0])
            .build()
    }

    const SHA: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_header_is_understood() {
        let blob = package("tool", SHA);
        let header = Header::parse(&blob).unwrap();
        assert_eq!(header.string(NAME), Some(&b"tool"[..]));
        assert_eq!(header.number(EPOCH), Some(2));
        assert_eq!((header.string(EPOCH), header.number(NAME)), (None, None));
        let files: Vec<_> = header.files().collect();
        assert_eq!(files.len(), 1, "the directory is not one");
        assert_eq!((files[0].path(), files[0].number), (b"/usr/bin/tool".to_vec(), 1));
        assert_eq!(header.digest(1), Ok(Digest::from_hex(Kind::Sha256, SHA.as_bytes()).unwrap()));
        assert_eq!(header.digest(0), Err(Reason::NotRecorded));
        assert_eq!(header.digest(7), Err(Reason::NotRecorded));
    }

    #[test]
    fn odd_digests_have_reasons() {
        let with = |algo: &[u32], digits: &str| {
            let blob = Maker::default()
                .strings(FILE_DIGESTS, &[digits])
                .numbers(FILE_DIGEST_ALGO, algo)
                .build();
            Header::parse(&blob).unwrap().digest(0).map(|digest| digest.kind)
        };
        assert_eq!(with(&[12], SHA), Err(Reason::UnknownDigest));
        assert_eq!(with(&[8], "12"), Err(Reason::Damaged(Manager::Rpm)));
        assert_eq!(with(&[], "900150983cd24fb0d6963f7d28e17f72"), Ok(Kind::Md5));
        assert_eq!(with(&[10], SHA), Err(Reason::Damaged(Manager::Rpm)));
    }

    #[test]
    fn files_that_are_meant_to_change_are_not_compared() {
        let blob = Maker::default()
            .strings(FILE_DIGESTS, &[SHA, SHA])
            .numbers(FILE_DIGEST_ALGO, &[8])
            .numbers(FILE_VERIFY_FLAGS, &[0xffff_fffe, 0xffff_ffff])
            .build();
        let header = Header::parse(&blob).unwrap();
        assert_eq!(header.digest(0), Err(Reason::NotRecorded));
        assert!(header.digest(1).is_ok());
    }

    #[test]
    fn replaced_files_are_no_claims() {
        let blob = Maker::default()
            .strings(BASENAMES, &["a", "b", "c"])
            .strings(DIRNAMES, &["/"])
            .numbers(DIR_INDEXES, &[0, 0, 9])
            .add(FILE_STATES, 1, 3, &[1, 0, 0])
            .build();
        let header = Header::parse(&blob).unwrap();
        let names: Vec<_> = header.files().map(|file| file.path()).collect();
        assert_eq!(names, [b"/b".to_vec()]);
    }

    fn walk(blob: &[u8]) {
        if let Some(header) = Header::parse(blob) {
            header.files().map(|file| file.path().len()).max();
            for tag in [NAME, VERSION, EPOCH] {
                header.string(tag);
                header.number(tag);
            }
            header.digest(0).ok();
            header.digest(usize::MAX).ok();
        }
    }

    proptest! {
        #[test]
        fn anything_is_survived(blob: Vec<u8>) {
            walk(&blob);
            walk(&[&[0, 0, 0, 2, 0, 0, 0, 9], blob.as_slice()].concat());
        }

        #[test]
        fn any_damage_is_survived(at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
            let mut blob = package("tool", SHA);
            let at = at.index(blob.len());
            blob[at] = byte;
            walk(&blob);
            blob.truncate(cut.index(blob.len()));
            walk(&blob);
        }
    }
}
