//! `Packages.db`: RPM's own format, numbers little-endian. A table of slots at the start says where
//! each header is, in blocks of 16 bytes. Source: `lib/backend/ndb/rpmpkg.c` of RPM.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::{MAX_HEADER, Read, damaged};
use crate::bytes::{le32, size};
use crate::index::MAX_PACKAGES;

const PAGE: usize = 4096;
const SLOT: usize = 16;
const BLOCK: u64 = 16;

/// Pages of slots: as many as packages can be numbered.
const MAX_PAGES: u32 = 1 + 65_536 / 256;

/// Where a header is.
#[derive(Debug, Clone, Copy)]
struct Slot {
    package: u32,
    block: u32,
}

/// The database and its slots.
#[derive(Debug)]
pub(super) struct Ndb {
    file: File,
    slots: Vec<Slot>,
}

impl Ndb {
    pub(super) fn open(file: File) -> Read<Self> {
        let mut head = [0; 32];
        file.read_exact_at(&mut head, 0)?;
        let pages = le32(&head, 12).unwrap_or(0);
        let known = head.starts_with(b"RpmP") && le32(&head, 4) == Some(0);
        if !known || pages == 0 || pages > MAX_PAGES {
            return Err(damaged());
        }
        let mut table = vec![0; size(pages) * PAGE];
        file.read_exact_at(&mut table, 0)?;
        let mut slots = Vec::new();
        // The head takes the place of the first two.
        for slot in table.chunks_exact(SLOT).skip(2) {
            let (Some(package), Some(block)) = (le32(slot, 4), le32(slot, 8)) else { continue };
            if !slot.starts_with(b"Slot") {
                return Err(damaged());
            }
            if block != 0 {
                slots.push(Slot { package, block });
            }
        }
        slots.truncate(MAX_PACKAGES);
        Ok(Self { file, slots })
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn header(&self, position: usize) -> Read<Vec<u8>> {
        let slot = self.slots.get(position).ok_or_else(damaged)?;
        let at = u64::from(slot.block) * BLOCK;
        let mut head = [0; 16];
        self.file.read_exact_at(&mut head, at)?;
        let len = le32(&head, 12).unwrap_or(0);
        if !head.starts_with(b"BlbS") || le32(&head, 4) != Some(slot.package) || len > MAX_HEADER {
            return Err(damaged());
        }
        // Before memory is taken for it.
        let after = at.saturating_add(16).saturating_add(u64::from(len));
        if after > self.file.metadata()?.len() {
            return Err(damaged());
        }
        let mut blob = vec![0; size(len)];
        self.file.read_exact_at(&mut blob, at.saturating_add(16))?;
        Ok(blob)
    }
}
