//! `Packages`: a hash table of Berkeley DB, in the byte order of the machine that made it. All of
//! its pages are gone through once for where headers are. Source: `dbinc/db_page.h` of Berkeley DB.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::{MAX_HEADER, Read, damaged};
use crate::bytes::{array, size, slice};
use crate::index::MAX_PACKAGES;

const MAGIC: u32 = 0x0006_1561;
/// Before the items of a page.
const HEAD: usize = 26;
/// Types of pages.
const HASH_UNSORTED: u8 = 2;
const OVERFLOW: u8 = 7;
const HASH: u8 = 13;
/// Types of items.
const INLINE: u8 = 1;
const OFFPAGE: u8 = 3;

/// Largest database that is gone through.
const MAX_BYTES: u64 = 2 << 30;

/// Where a header is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    /// On a chain of pages that begins with this one.
    Chain { page: u32, len: u32 },
    /// Between the other items of this page.
    Inline { page: u32, at: u16, len: u16 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

/// The database and where its headers are.
#[derive(Debug)]
pub(super) struct Bdb {
    file: File,
    page_size: usize,
    order: Order,
    items: Vec<Item>,
}

impl Order {
    fn n32(self, bytes: &[u8], at: usize) -> Read<u32> {
        let bytes = array(bytes, at).ok_or_else(damaged)?;
        Ok(match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        })
    }

    fn n16(self, bytes: &[u8], at: usize) -> Read<u16> {
        let bytes = array(bytes, at).ok_or_else(damaged)?;
        Ok(match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        })
    }
}

impl Bdb {
    pub(super) fn open(file: File) -> Read<Self> {
        let mut meta = [0; 72];
        file.read_exact_at(&mut meta, 0)?;
        let order = [Order::Little, Order::Big]
            .into_iter()
            .find(|order| order.n32(&meta, 12).is_ok_and(|magic| magic == MAGIC))
            .ok_or_else(damaged)?;
        let page_size = size(order.n32(&meta, 20)?);
        let encrypted = meta.get(24).is_none_or(|&algorithm| algorithm != 0);
        let known = (512..=65_536).contains(&page_size) && page_size.is_power_of_two();
        let bytes = file.metadata()?.len();
        if !known || encrypted || bytes > MAX_BYTES {
            return Err(damaged());
        }
        let mut bdb = Self { file, page_size, order, items: Vec::new() };
        let last = u64::from(order.n32(&meta, 32)?);
        let pages = last.min(bytes / u64::try_from(page_size).unwrap_or(u64::MAX));
        let mut page = vec![0; page_size];
        for number in 1..=u32::try_from(pages).map_err(|_| damaged())? {
            // The last page may have been announced and not written.
            if bdb.read(number, &mut page).is_err() {
                break;
            }
            if matches!(page.get(25), Some(&(HASH | HASH_UNSORTED))) {
                bdb.collect(number, &page)?;
            }
        }
        Ok(bdb)
    }

    fn read(&self, page: u32, to: &mut [u8]) -> Read<()> {
        let bytes = u64::try_from(self.page_size).unwrap_or(u64::MAX);
        self.file.read_exact_at(to, u64::from(page).saturating_mul(bytes))
    }

    /// Takes note of the values of a page: every second item, the others being keys.
    fn collect(&mut self, number: u32, page: &[u8]) -> Read<()> {
        let count = usize::from(self.order.n16(page, 20)?);
        for item in (1..count).step_by(2) {
            let at = self.order.n16(page, HEAD + item * 2)?;
            let before = self.order.n16(page, HEAD + (item - 1) * 2)?;
            let start = usize::from(at);
            let found = match page.get(start) {
                Some(&OFFPAGE) => Item::Chain {
                    page: self.order.n32(page, start + 4)?,
                    len: self.order.n32(page, start + 8)?,
                },
                // Items lie behind one another from the end of the page.
                Some(&INLINE) => Item::Inline {
                    page: number,
                    at: at.checked_add(1).ok_or_else(damaged)?,
                    len: before
                        .checked_sub(at)
                        .and_then(|len| len.checked_sub(1))
                        .ok_or_else(damaged)?,
                },
                _ => return Err(damaged()),
            };
            // One value is no header but the number that the next package gets.
            if !matches!(found, Item::Inline { len: 0..=8, .. }) {
                self.items.push(found);
            }
            if self.items.len() > MAX_PACKAGES {
                return Err(std::io::ErrorKind::FileTooLarge.into());
            }
        }
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn header(&self, position: usize) -> Read<Vec<u8>> {
        let mut page = vec![0; self.page_size];
        match *self.items.get(position).ok_or_else(damaged)? {
            Item::Inline { page: number, at, len } => {
                self.read(number, &mut page)?;
                Ok(slice(&page, at.into(), len.into()).ok_or_else(damaged)?.to_vec())
            }
            Item::Chain { page: first, len } => self.chain(first, len, &mut page),
        }
    }

    fn chain(&self, first: u32, len: u32, page: &mut [u8]) -> Read<Vec<u8>> {
        if len > MAX_HEADER {
            return Err(damaged());
        }
        let (len, mut next) = (size(len), first);
        let mut out = Vec::new();
        while out.len() < len {
            self.read(next, page)?;
            let here = usize::from(self.order.n16(page, 22)?).min(len - out.len());
            // Each page must bring something, or a circle would never end.
            if page.get(25) != Some(&OVERFLOW) || here == 0 {
                return Err(damaged());
            }
            out.extend(slice(page, HEAD, here).ok_or_else(damaged)?);
            next = self.order.n32(page, 16)?;
        }
        Ok(out)
    }
}
