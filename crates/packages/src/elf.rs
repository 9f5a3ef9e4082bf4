//! The build-id of an ELF file: what its builder says it was linked from, whatever is stripped
//! later. It names the debugging symbols that fit; it proves nothing.

use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::bytes::{array, slice};

/// Largest note segment that is read; real ones have a few hundred bytes.
const MAX_NOTES: u64 = 64 * 1024;

/// Program headers that are looked at; real files have a dozen.
const MAX_HEADERS: u16 = 256;

/// Longest identifier: SHA-512 would have 64 bytes, Go's has some 83 characters.
const MAX_ID: usize = 256;

/// Type of a program header: notes.
const PT_NOTE: u32 = 4;

/// What identifies a build.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BuildId {
    /// `NT_GNU_BUILD_ID`, mostly 20 bytes, written by the linker.
    Gnu(Vec<u8>),
    /// What the Go toolchain writes, as `go tool buildid` shows it; printable ASCII.
    Go(String),
}

/// Hexadecimal digits as `readelf -n` shows them; Go's as it is.
impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gnu(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            Self::Go(text) => f.write_str(text),
        }
    }
}

/// The build-id in the notes that are loaded with the program (see `elf(5)`), of either class and
/// byte order. Where there are both kinds, the linker's. `None` if there is none, or the file is
/// not ELF. Reads at most some 16 MB, mostly a few hundred bytes, with `pread(2)`.
#[must_use]
pub fn build_id(file: &File) -> Option<BuildId> {
    let head = read(file, 0, 64)?;
    let order = match slice(&head, 0, 6)? {
        [0x7f, b'E', b'L', b'F', _, 1] => Order::Little,
        [0x7f, b'E', b'L', b'F', _, 2] => Order::Big,
        _ => return None,
    };
    let wide = match head.get(4)? {
        1 => false,
        2 => true,
        _ => return None,
    };
    let (at, entry, count) = if wide {
        (order.n64(&head, 32)?, order.n16(&head, 54)?, order.n16(&head, 56)?)
    } else {
        (order.n32(&head, 28)?.into(), order.n16(&head, 42)?, order.n16(&head, 44)?)
    };
    let fits = if wide { 56 } else { 32 };
    if entry < fits {
        return None;
    }
    let mut go = None;
    for number in 0..count.min(MAX_HEADERS) {
        let at = at.checked_add(u64::from(number) * u64::from(entry))?;
        let header = read(file, at, fits.into())?;
        if order.n32(&header, 0)? != PT_NOTE {
            continue;
        }
        let (start, len, align) = if wide {
            (order.n64(&header, 8)?, order.n64(&header, 32)?, order.n64(&header, 48)?)
        } else {
            let n = |at| order.n32(&header, at).map(u64::from);
            (n(4)?, n(16)?, n(28)?)
        };
        let Some(notes) = read(file, start, len.min(MAX_NOTES)) else { continue };
        match in_notes(&notes, order, if align == 8 { 8 } else { 4 }) {
            Some(BuildId::Gnu(id)) => return Some(BuildId::Gnu(id)),
            other => go = go.or(other),
        }
    }
    go
}

/// Bytes of the file; fewer where it ends.
fn read(file: &File, at: u64, len: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(len).ok()?];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let offset = at.checked_add(u64::try_from(filled).ok()?)?;
        match file.read_at(rest, offset) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    bytes.truncate(filled);
    Some(bytes)
}

/// The first build-id among notes: lengths of name and contents, type, then both, padded.
fn in_notes(notes: &[u8], order: Order, align: usize) -> Option<BuildId> {
    let mut go = None;
    let mut at = 0usize;
    // Each round moves on by twelve bytes at least.
    while let Some((name_len, len, kind)) = note(notes, at, order) {
        let name_at = at.checked_add(12)?;
        let id_at = name_at.checked_add(name_len)?.checked_next_multiple_of(align)?;
        let (Some(name), Some(id)) = (slice(notes, name_at, name_len), slice(notes, id_at, len))
        else {
            break;
        };
        match (name, kind) {
            (b"GNU\0", 3) if (1..=MAX_ID).contains(&len) => {
                return Some(BuildId::Gnu(id.to_vec()));
            }
            (b"Go\0\0", 4) if (1..=MAX_ID).contains(&len) => {
                let text = id.iter().all(u8::is_ascii_graphic).then(|| id.to_vec());
                go = go.or(text.and_then(|text| String::from_utf8(text).ok()).map(BuildId::Go));
            }
            _ => {}
        }
        at = id_at.checked_add(len)?.checked_next_multiple_of(align)?;
    }
    go
}

fn note(notes: &[u8], at: usize, order: Order) -> Option<(usize, usize, u32)> {
    let n = |offset: usize| order.n32(notes, at.checked_add(offset)?);
    Some((crate::bytes::size(n(0)?), crate::bytes::size(n(4)?), n(8)?))
}

#[derive(Debug, Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn n16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes = array(bytes, at)?;
        Some(match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        })
    }

    fn n32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = array(bytes, at)?;
        Some(match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        })
    }

    fn n64(self, bytes: &[u8], at: usize) -> Option<u64> {
        let bytes = array(bytes, at)?;
        Some(match self {
            Self::Little => u64::from_le_bytes(bytes),
            Self::Big => u64::from_be_bytes(bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::{Seek, Write};

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn note(name: &[u8; 4], kind: u32, id: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for number in [4, u32::try_from(id.len()).unwrap(), kind] {
            out.extend(number.to_le_bytes());
        }
        out.extend(name);
        out.extend(id);
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }

    /// A 64-bit little-endian file of one segment with these notes.
    fn elf(notes: &[u8]) -> Vec<u8> {
        let mut out = b"\x7fELF\x02\x01\x01".to_vec();
        out.resize(120, 0);
        out[32] = 64;
        (out[54], out[56]) = (56, 1);
        out[64] = 4;
        out[64 + 8] = 120;
        out[64 + 32..64 + 40].copy_from_slice(&u64::try_from(notes.len()).unwrap().to_le_bytes());
        out[64 + 48] = 4;
        out.extend(notes);
        out
    }

    fn id(bytes: &[u8]) -> Option<String> {
        build_id(&file(bytes)).map(|id| id.to_string())
    }

    #[test]
    fn the_linkers_wins_over_the_go_toolchains() {
        let gnu = note(b"GNU\0", 3, &[0xab; 20]);
        let go = note(b"Go\0\0", 4, b"Ab/c-d_e");
        let other = note(b"GNU\0", 1, &[9; 5]);
        assert_eq!(id(&elf(&[other.clone(), gnu.clone()].concat())), Some("ab".repeat(20)));
        assert_eq!(id(&elf(&[go.clone(), gnu].concat())), Some("ab".repeat(20)));
        assert_eq!(id(&elf(&[other.clone(), go].concat())).as_deref(), Some("Ab/c-d_e"));
        assert_eq!(id(&elf(&other)), None);
        assert_eq!(id(&elf(&note(b"Go\0\0", 4, b"\x1b[31m"))), None);
        assert_eq!(id(&elf(&note(b"GNU\0", 3, &[1; 257]))), None);
        assert_eq!((id(b""), id(b"#!/bin/sh\n")), (None, None));
    }

    #[test]
    fn the_offset_of_the_file_stays() {
        let mut file = file(&elf(&note(b"GNU\0", 3, &[1])));
        file.seek(std::io::SeekFrom::Start(5)).unwrap();
        assert_eq!(build_id(&file).unwrap().to_string(), "01");
        assert_eq!(file.stream_position().unwrap(), 5);
        assert_eq!(build_id(&File::open("/").unwrap()), None);
    }

    #[test]
    fn a_program_of_this_system_is_read() {
        // Whatever libc is linked with has a loadable header; most have an id, of known length.
        let shell = File::open("/bin/sh").unwrap();
        if let Some(BuildId::Gnu(id)) = build_id(&shell) {
            assert!((8..=64).contains(&id.len()), "{id:?}");
        }
    }

    proptest! {
        #[test]
        fn any_damage_is_survived(at in 0usize..150, byte: u8, cut in 0usize..160) {
            let mut bytes = elf(&note(b"GNU\0", 3, &[7; 20]));
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            bytes.truncate(cut);
            id(&bytes);
        }

        #[test]
        fn any_notes_are_survived(notes: Vec<u8>) {
            in_notes(&notes, Order::Little, 4);
            in_notes(&notes, Order::Big, 8);
        }
    }
}
