//! A C library's file, and where in it the functions lie that tell programs of addresses. The file
//! may be anybody's, and hostile.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd};

use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader, SectionTable, Sym};

use crate::abi;

/// Larger than any C library, with its debugging symbols.
const MAX_LIBRARY: u64 = 32 << 20;
/// Symbols that are looked at; glibc has three thousand.
const MAX_SYMBOLS: usize = 65_536;
/// Functions of one library: each costs the kernel two probes. Some have several versions.
const MAX_FUNCTIONS: usize = 16;

const FUNCTIONS: [(&[u8], u64); 5] = [
    (b"getaddrinfo", abi::LOOKUP_ADDRINFO),
    (b"gethostbyname", abi::LOOKUP_HOST),
    (b"gethostbyname2", abi::LOOKUP_HOST),
    (b"gethostbyname_r", abi::LOOKUP_HOST_R),
    (b"gethostbyname2_r", abi::LOOKUP_HOST2_R),
];

/// One place in the file, and which function begins there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) offset: usize,
    pub(crate) cookie: u64,
}

/// A C library that can be watched: see [`crate::Watcher`].
#[derive(Debug)]
pub struct Library {
    named: Box<dyn Named>,
    functions: Vec<Function>,
}

/// What names an open file.
trait Named: AsFd + Send + std::fmt::Debug {}
impl<T: AsFd + Send + std::fmt::Debug> Named for T {}

impl Library {
    /// Finds the functions in `file`; `None` if this is no library of this machine's 64-bit
    /// programs, or has none of them. Reads at most 32 MiB.
    ///
    /// The kernel will hold on to the mount through which `named` names the file, which need not be
    /// opened for reading, and to its file system, as long as the library is watched.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(
        file: &File,
        named: impl AsFd + Send + std::fmt::Debug + 'static,
    ) -> io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        if file.metadata()?.len() > MAX_LIBRARY {
            return Ok(None);
        }
        file.take(MAX_LIBRARY).read_to_end(&mut bytes)?;
        let functions = functions(&bytes).unwrap_or_default();
        Ok((!functions.is_empty()).then(|| Self { named: Box::new(named), functions }))
    }

    /// How many functions there are to watch.
    #[must_use]
    pub fn functions(&self) -> usize {
        self.functions.len()
    }

    pub(crate) fn places(&self) -> &[Function] {
        &self.functions
    }

    /// As the kernel finds it.
    pub(crate) fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.named.as_fd().as_raw_fd())
    }
}

const MACHINE: elf::Machine =
    if cfg!(target_arch = "x86_64") { elf::EM_X86_64 } else { elf::EM_AARCH64 };

/// `None` if the file is not as it should be.
fn functions(bytes: &[u8]) -> Option<Vec<Function>> {
    type Header = FileHeader64<object::NativeEndian>;
    let header = Header::parse(bytes).ok()?;
    let endian = header.endian().ok()?;
    if header.e_machine(endian) != MACHINE || header.e_type(endian) != elf::ET_DYN {
        return None;
    }
    let segments = header.program_headers(endian, bytes).ok()?;
    // Where in the file an address is, if code is there.
    let offset = |address: u64| {
        let segment = segments.iter().find(|segment| {
            let begin = segment.p_vaddr(endian);
            segment.p_type(endian) == elf::PT_LOAD
                && segment.p_flags(endian).contains(elf::PF_X)
                && address
                    .checked_sub(begin)
                    .is_some_and(|inside| inside < segment.p_filesz(endian))
        })?;
        let inside = address - segment.p_vaddr(endian);
        let offset = segment.p_offset(endian).checked_add(inside)?;
        usize::try_from(offset).ok().filter(|offset| *offset < bytes.len())
    };
    let sections = header.section_headers(endian, bytes).ok()?;
    let sections: SectionTable<'_, Header> =
        SectionTable::new(sections, object::StringTable::default());
    let symbols = sections.symbols(endian, bytes, elf::SHT_DYNSYM).ok()?;
    let mut found: Vec<Function> = Vec::new();
    for symbol in symbols.iter().take(MAX_SYMBOLS) {
        // Not one that is found by calling it (STT_GNU_IFUNC).
        if symbol.is_undefined(endian) || symbol.st_type() != elf::STT_FUNC {
            continue;
        }
        let Ok(name) = symbol.name(endian, symbols.strings()) else { continue };
        let Some((_, cookie)) = FUNCTIONS.iter().find(|(known, _)| *known == name) else {
            continue;
        };
        let Some(offset) = offset(symbol.st_value(endian)) else { continue };
        // Two names of one function, and two versions of a name that are the same.
        if found.iter().all(|function| function.offset != offset) && found.len() < MAX_FUNCTIONS {
            found.push(Function { offset, cookie: *cookie });
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The library that this very test uses.
    fn own_libc() -> Vec<u8> {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let is_libc = |path: &&str| path.contains("/libc.so") || path.contains("/ld-musl");
        let path = maps.lines().filter_map(|line| line.split_whitespace().nth(5)).find(is_libc);
        std::fs::read(path.unwrap()).unwrap()
    }

    #[test]
    fn the_functions_of_this_machines_library_are_found() {
        let found = functions(&own_libc()).unwrap();
        let mut cookies: Vec<u64> = found.iter().map(|function| function.cookie).collect();
        cookies.sort_unstable();
        let all = [
            abi::LOOKUP_ADDRINFO,
            abi::LOOKUP_HOST,
            abi::LOOKUP_HOST,
            abi::LOOKUP_HOST_R,
            abi::LOOKUP_HOST2_R,
        ];
        assert_eq!(cookies, all, "{found:?}");
    }

    #[test]
    fn files_that_are_cut_or_changed_are_no_trouble() {
        let whole = own_libc();
        for len in (0..4096).chain((4096..whole.len()).step_by(30_011)) {
            functions(&whole[..len]);
        }
        // Where headers and tables are told of, each byte is once something else.
        let sections = usize::try_from(u64::from_ne_bytes(whole[40..48].try_into().unwrap()));
        let tables = sections.unwrap()..whole.len();
        for at in (0..1024).chain(tables.step_by(7)) {
            let mut broken = whole[..64].to_vec();
            broken.clear();
            broken.extend_from_slice(&whole);
            broken[at] ^= 0xff;
            for function in functions(&broken).unwrap_or_default() {
                assert!(function.offset < broken.len());
            }
        }
        assert_eq!(functions(b""), None);
        assert_eq!(functions(b"#!/bin/sh\n"), None);
    }

    #[test]
    fn a_program_of_another_kind_is_none_of_ours() {
        let mut other = own_libc();
        other[18] ^= 1; // e_machine
        assert_eq!(functions(&other), None);
        let mut narrow = own_libc();
        narrow[4] = 1; // ELFCLASS32
        assert_eq!(functions(&narrow), None);
    }
}
