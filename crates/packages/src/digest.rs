//! Digests of the kinds that package databases hold, and those of an open file.

use std::fs::File;
use std::os::unix::fs::FileExt;

use sha2::Digest as _;

use crate::answer::Reason;

/// Large enough that system calls do not show.
const CHUNK: usize = 256 * 1024;

/// More than any executable has: above, nothing is read.
const MAX_FILE: u64 = 4 << 30;

/// How often a file is read that changes meanwhile.
const ATTEMPTS: u32 = 3;

/// Which function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Kind {
    /// Bytes of a digest.
    fn len(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// A digest that a database holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digest {
    pub(crate) kind: Kind,
    bytes: Vec<u8>,
}

impl Digest {
    /// `None` where the length is not this kind's.
    pub(crate) fn new(kind: Kind, bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() == kind.len()).then_some(Self { kind, bytes })
    }

    pub(crate) fn from_hex(kind: Kind, digits: &[u8]) -> Option<Self> {
        // Nothing longer is decoded, however long the database says it is.
        if digits.len() != kind.len() * 2 {
            return None;
        }
        Self::new(kind, crate::bytes::from_hex(digits)?)
    }
}

enum Hasher {
    Md5(md5::Md5),
    Sha1(sha1::Sha1),
    Sha224(sha2::Sha224),
    Sha256(sha2::Sha256),
    Sha384(sha2::Sha384),
    Sha512(sha2::Sha512),
}

impl Hasher {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Md5 => Self::Md5(md5::Md5::new()),
            Kind::Sha1 => Self::Sha1(sha1::Sha1::new()),
            Kind::Sha224 => Self::Sha224(sha2::Sha224::new()),
            Kind::Sha256 => Self::Sha256(sha2::Sha256::new()),
            Kind::Sha384 => Self::Sha384(sha2::Sha384::new()),
            Kind::Sha512 => Self::Sha512(sha2::Sha512::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(hasher) => hasher.update(bytes),
            Self::Sha1(hasher) => hasher.update(bytes),
            Self::Sha224(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha384(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> Digest {
        let (kind, bytes) = match self {
            Self::Md5(hasher) => (Kind::Md5, hasher.finalize().to_vec()),
            Self::Sha1(hasher) => (Kind::Sha1, hasher.finalize().to_vec()),
            Self::Sha224(hasher) => (Kind::Sha224, hasher.finalize().to_vec()),
            Self::Sha256(hasher) => (Kind::Sha256, hasher.finalize().to_vec()),
            Self::Sha384(hasher) => (Kind::Sha384, hasher.finalize().to_vec()),
            Self::Sha512(hasher) => (Kind::Sha512, hasher.finalize().to_vec()),
        };
        Digest { kind, bytes }
    }
}

/// The digests of an open file, in one pass from its start; the descriptor's offset is neither
/// used nor moved. Where the caller knows the SHA-256 and nothing else is wanted, nothing is read.
///
/// # Errors
/// What keeps it from being read.
pub(crate) fn of_file(
    file: &File,
    sha256: Option<[u8; 32]>,
    kinds: &[Kind],
) -> Result<Vec<Digest>, Reason> {
    let known = sha256.map(|bytes| Digest { kind: Kind::Sha256, bytes: bytes.to_vec() });
    let mut wanted: Vec<Kind> = Vec::new();
    for &kind in kinds {
        if !wanted.contains(&kind) && known.as_ref().is_none_or(|known| known.kind != kind) {
            wanted.push(kind);
        }
    }
    let mut digests = if wanted.is_empty() { Vec::new() } else { steadily(file, &wanted)? };
    digests.extend(known);
    Ok(digests)
}

fn steadily(file: &File, kinds: &[Kind]) -> Result<Vec<Digest>, Reason> {
    let version = || {
        use std::os::unix::fs::MetadataExt;
        let meta = file.metadata().map_err(|error| Reason::File(error.kind()))?;
        if !meta.is_file() {
            return Err(Reason::NotRegular);
        }
        Ok((meta.len(), meta.mtime(), meta.mtime_nsec()))
    };
    for _ in 0..ATTEMPTS {
        let before = version()?;
        if before.0 > MAX_FILE {
            return Err(Reason::FileTooLarge);
        }
        let (digests, len) = read_through(file, kinds, before.0)?;
        if version()? == before && len == before.0 {
            return Ok(digests);
        }
    }
    Err(Reason::FileChanged)
}

/// Reads no further than `end`, or a file that grows while it is read would never end.
fn read_through(file: &File, kinds: &[Kind], end: u64) -> Result<(Vec<Digest>, u64), Reason> {
    let mut hashers: Vec<Hasher> = kinds.iter().map(|&kind| Hasher::new(kind)).collect();
    let mut buffer = vec![0; CHUNK];
    let mut len = 0u64;
    while len < end {
        let read = match file.read_at(&mut buffer, len) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Reason::File(error.kind())),
        };
        let chunk = buffer.get(..read).unwrap_or_default();
        for hasher in &mut hashers {
            hasher.update(chunk);
        }
        len = len.saturating_add(u64::try_from(read).unwrap_or_default());
    }
    Ok((hashers.into_iter().map(Hasher::finish).collect(), len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek, Write};

    const ALL: [Kind; 6] =
        [Kind::Md5, Kind::Sha1, Kind::Sha224, Kind::Sha256, Kind::Sha384, Kind::Sha512];

    /// The published digests of `abc`: RFC 1321 and FIPS 180-4.
    const ABC: [&str; 6] = [
        "900150983cd24fb0d6963f7d28e17f72",
        "a9993e364706816aba3e25717850c26c9cd0d89d",
        "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
         8086072ba1e7cc2358baeca134c825a7",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
         2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ];

    #[test]
    fn every_kind_is_computed_in_one_pass() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"abc").unwrap();
        let digests = of_file(&file, None, &ALL).unwrap();
        for ((kind, text), digest) in ALL.into_iter().zip(ABC).zip(digests) {
            assert_eq!(Digest::from_hex(kind, text.as_bytes()), Some(digest));
        }
        assert_eq!(file.stream_position().unwrap(), 3);
    }

    #[test]
    fn a_known_digest_saves_the_reading() {
        let dir = File::open("/").unwrap();
        let digests = of_file(&dir, Some([7; 32]), &[Kind::Sha256, Kind::Sha256]).unwrap();
        assert_eq!(digests, [Digest { kind: Kind::Sha256, bytes: vec![7; 32] }]);
        let other = of_file(&dir, Some([7; 32]), &[Kind::Sha256, Kind::Md5]);
        assert_eq!(other, Err(Reason::NotRegular));
    }

    #[test]
    fn what_is_huge_or_changes_is_not_compared() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(MAX_FILE + 1).unwrap();
        assert_eq!(of_file(&file, None, &[Kind::Md5]), Err(Reason::FileTooLarge));
        let device = File::open("/dev/zero").unwrap();
        assert_eq!(of_file(&device, None, &[Kind::Md5]), Err(Reason::NotRegular));
    }

    #[test]
    fn only_digests_of_the_right_length_are_taken() {
        assert_eq!(Digest::from_hex(Kind::Md5, ABC[1].as_bytes()), None);
        assert_eq!(Digest::from_hex(Kind::Md5, &[b'x'; 32]), None);
        assert_eq!(Digest::new(Kind::Sha1, vec![0; 21]), None);
    }
}
