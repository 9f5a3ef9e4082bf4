//! Just enough of SQLite's file format to find rows: B-trees, overflow pages, records.
//!
//! SQLite itself cannot be pointed at a file in another root by descriptor, and would bring a
//! parser in C before an attacker's bytes. Source: <https://www.sqlite.org/fileformat2.html>.

use std::cmp::Ordering;
use std::fs::File;
use std::os::unix::fs::FileExt;

use super::{MAX_HEADER, Read, damaged};
use crate::bytes::{be16, be32, size, slice};

/// Bytes that one question may read and copy: many headers, and the way there. What takes more is
/// a circle.
const MAX_BYTES: usize = 256 << 20;

/// Levels of a tree; SQLite's own limit.
const MAX_DEPTH: u32 = 20;

/// An open database and what is left of the bytes that may be read.
#[derive(Debug)]
pub(super) struct Btree {
    file: File,
    page_size: usize,
    usable: usize,
    budget: usize,
}

/// Rows, by the page on which their tree begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tree(pub(super) u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    InnerIndex,
    InnerTable,
    LeafIndex,
    LeafTable,
}

struct Page {
    bytes: Vec<u8>,
    /// Where its header begins: after the file's own on the first page.
    start: usize,
    kind: Kind,
}

/// A value of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Null,
    Integer(i64),
    /// Text or blob: RPM has used both for names.
    Bytes(&'a [u8]),
}

impl Btree {
    pub(super) fn open(file: File) -> Read<Self> {
        let mut head = [0; 100];
        file.read_exact_at(&mut head, 0)?;
        let page_size = match be16(&head, 16) {
            Some(1) => 65_536,
            Some(bytes) if bytes >= 512 && bytes.is_power_of_two() => usize::from(bytes),
            _ => return Err(damaged()),
        };
        let reserved = usize::from(head.get(20).copied().unwrap_or(0));
        let usable = page_size - reserved;
        // The text encoding is 1 for UTF-8, the only one that RPM writes.
        let known = head.starts_with(b"SQLite format 3\0") && be32(&head, 56) == Some(1);
        if !known || usable < 480 {
            return Err(damaged());
        }
        Ok(Self { file, page_size, usable, budget: MAX_BYTES })
    }

    fn read(&mut self, number: u32) -> Read<Vec<u8>> {
        self.spend(self.page_size)?;
        let before = u64::from(number.checked_sub(1).ok_or_else(damaged)?);
        let bytes = u64::try_from(self.page_size).map_err(|_| damaged())?;
        let mut page = vec![0; self.page_size];
        self.file.read_exact_at(&mut page, before.saturating_mul(bytes))?;
        Ok(page)
    }

    fn spend(&mut self, bytes: usize) -> Read<()> {
        self.budget = self.budget.checked_sub(bytes).ok_or_else(damaged)?;
        Ok(())
    }

    fn page(&mut self, number: u32) -> Read<Page> {
        let bytes = self.read(number)?;
        let start = if number == 1 { 100 } else { 0 };
        let kind = match bytes.get(start) {
            Some(2) => Kind::InnerIndex,
            Some(5) => Kind::InnerTable,
            Some(10) => Kind::LeafIndex,
            Some(13) => Kind::LeafTable,
            _ => return Err(damaged()),
        };
        Ok(Page { bytes, start, kind })
    }

    /// What a cell holds, collected from its overflow pages.
    fn payload(&mut self, page: &Page, at: usize, len: u64) -> Read<Vec<u8>> {
        let len = u32::try_from(len).map_err(|_| damaged())?;
        if len > MAX_HEADER {
            return Err(damaged());
        }
        let len = size(len);
        self.spend(len)?;
        let local = self.local(page.kind, len);
        let mut out = slice(&page.bytes, at, local).ok_or_else(damaged)?.to_vec();
        if local == len {
            return Ok(out);
        }
        let mut next = be32(&page.bytes, at.saturating_add(local)).ok_or_else(damaged)?;
        while out.len() < len {
            let overflow = self.read(next)?;
            let part = (len - out.len()).min(self.usable - 4);
            out.extend(slice(&overflow, 4, part).ok_or_else(damaged)?);
            next = be32(&overflow, 0).ok_or_else(damaged)?;
        }
        Ok(out)
    }

    /// How many bytes of a payload are in the cell itself.
    fn local(&self, kind: Kind, len: usize) -> usize {
        let most = match kind {
            Kind::LeafTable | Kind::InnerTable => self.usable - 35,
            Kind::LeafIndex | Kind::InnerIndex => (self.usable - 12) * 64 / 255 - 23,
        };
        let least = (self.usable - 12) * 32 / 255 - 23;
        if len <= most {
            return len;
        }
        let even = least + (len - least) % (self.usable - 4);
        if even <= most { even } else { least }
    }

    /// The record of a row of a table.
    pub(super) fn row(&mut self, table: Tree, row: i64) -> Read<Option<Vec<u8>>> {
        let mut next = table.0;
        for _ in 0..MAX_DEPTH {
            let page = self.page(next)?;
            match page.kind {
                Kind::LeafTable => {
                    for at in page.cells() {
                        let (len, at) = varint(&page.bytes, at?).ok_or_else(damaged)?;
                        let (key, at) = varint(&page.bytes, at).ok_or_else(damaged)?;
                        if key.cast_signed() == row {
                            return self.payload(&page, at, len).map(Some);
                        }
                    }
                    return Ok(None);
                }
                Kind::InnerTable => next = page.child_with(row)?,
                Kind::InnerIndex | Kind::LeafIndex => return Err(damaged()),
            }
        }
        Err(damaged())
    }

    /// Calls back with each record of a table, in order.
    pub(super) fn scan(&mut self, table: Tree, each: &mut dyn FnMut(Vec<u8>)) -> Read<()> {
        self.scan_below(table.0, MAX_DEPTH, each)
    }

    fn scan_below(&mut self, at: u32, depth: u32, each: &mut dyn FnMut(Vec<u8>)) -> Read<()> {
        let depth = depth.checked_sub(1).ok_or_else(damaged)?;
        let page = self.page(at)?;
        match page.kind {
            Kind::LeafTable => {
                for at in page.cells() {
                    let (len, at) = varint(&page.bytes, at?).ok_or_else(damaged)?;
                    let (_, at) = varint(&page.bytes, at).ok_or_else(damaged)?;
                    each(self.payload(&page, at, len)?);
                }
                Ok(())
            }
            Kind::InnerTable => {
                for at in page.cells() {
                    let child = be32(&page.bytes, at?).ok_or_else(damaged)?;
                    self.scan_below(child, depth, each)?;
                }
                self.scan_below(page.last_child()?, depth, each)
            }
            Kind::InnerIndex | Kind::LeafIndex => Err(damaged()),
        }
    }

    /// How many rows a table has; what they hold is not read.
    pub(super) fn count(&mut self, table: Tree) -> Read<usize> {
        self.count_below(table.0, MAX_DEPTH)
    }

    fn count_below(&mut self, at: u32, depth: u32) -> Read<usize> {
        let depth = depth.checked_sub(1).ok_or_else(damaged)?;
        let page = self.page(at)?;
        match page.kind {
            Kind::LeafTable => Ok(page.cells().count()),
            Kind::InnerTable => {
                let mut rows = self.count_below(page.last_child()?, depth)?;
                for at in page.cells() {
                    let child = be32(&page.bytes, at?).ok_or_else(damaged)?;
                    rows = rows.saturating_add(self.count_below(child, depth)?);
                }
                Ok(rows)
            }
            Kind::InnerIndex | Kind::LeafIndex => Err(damaged()),
        }
    }

    /// Rows that an index has for a text, at most `limit`.
    pub(super) fn rows_with(&mut self, index: Tree, key: &[u8], limit: usize) -> Read<Vec<i64>> {
        let mut rows = Vec::new();
        self.rows_below(index.0, MAX_DEPTH, key, limit, &mut rows)?;
        Ok(rows)
    }

    fn rows_below(
        &mut self,
        at: u32,
        depth: u32,
        key: &[u8],
        limit: usize,
        rows: &mut Vec<i64>,
    ) -> Read<()> {
        let depth = depth.checked_sub(1).ok_or_else(damaged)?;
        let page = self.page(at)?;
        let inner = match page.kind {
            Kind::InnerIndex => true,
            Kind::LeafIndex => false,
            Kind::InnerTable | Kind::LeafTable => return Err(damaged()),
        };
        for at in page.cells() {
            let mut at = at?;
            let child = be32(&page.bytes, at).ok_or_else(damaged)?;
            if inner {
                at = at.saturating_add(4);
            }
            let (len, at) = varint(&page.bytes, at).ok_or_else(damaged)?;
            let record = self.payload(&page, at, len)?;
            let mut values = record_values(&record).ok_or_else(damaged)?.into_iter();
            let order = match values.next() {
                Some(Value::Bytes(found)) => found.cmp(key),
                _ => Ordering::Less,
            };
            if inner && order.is_ge() {
                self.rows_below(child, depth, key, limit, rows)?;
            }
            if order.is_gt() || rows.len() >= limit {
                return Ok(());
            }
            if let (Ordering::Equal, Some(Value::Integer(row))) = (order, values.next()) {
                rows.push(row);
            }
        }
        if inner { self.rows_below(page.last_child()?, depth, key, limit, rows) } else { Ok(()) }
    }
}

impl Page {
    /// Where the cells begin.
    fn cells(&self) -> impl Iterator<Item = Read<usize>> + '_ {
        let first = self.start + self.head();
        let count = be16(&self.bytes, self.start + 3).map_or(0, usize::from);
        // No more than fit between here and the end, whatever the page says.
        let fits = self.bytes.len().saturating_sub(first) / 2;
        (0..count.min(fits)).map(move |cell| {
            be16(&self.bytes, first + cell * 2).map(usize::from).ok_or_else(damaged)
        })
    }

    fn head(&self) -> usize {
        match self.kind {
            Kind::InnerIndex | Kind::InnerTable => 12,
            Kind::LeafIndex | Kind::LeafTable => 8,
        }
    }

    fn last_child(&self) -> Read<u32> {
        be32(&self.bytes, self.start + 8).ok_or_else(damaged)
    }

    /// The page below on which a row of a table is.
    fn child_with(&self, row: i64) -> Read<u32> {
        for at in self.cells() {
            let at = at?;
            let child = be32(&self.bytes, at).ok_or_else(damaged)?;
            let (largest, _) = varint(&self.bytes, at.saturating_add(4)).ok_or_else(damaged)?;
            if row <= largest.cast_signed() {
                return Ok(child);
            }
        }
        self.last_child()
    }
}

/// One to nine bytes, seven bits each but for the ninth; the number and where it ends.
fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut number = 0u64;
    for (count, &byte) in bytes.get(at..)?.iter().take(9).enumerate() {
        let after = at + count + 1;
        if count == 8 {
            return Some((number << 8 | u64::from(byte), after));
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((number, after));
        }
    }
    None
}

/// The values of a record; no row that is read here has more than a few.
pub(super) fn record_values(record: &[u8]) -> Option<Vec<Value<'_>>> {
    const MOST: usize = 16;
    let (head, mut at) = varint(record, 0)?;
    let head = usize::try_from(head).ok()?;
    let mut body = head;
    let mut values = Vec::new();
    while at < head && values.len() < MOST {
        let (kind, after) = varint(record, at)?;
        at = after;
        let len = usize::try_from(match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            _ => (kind - 12) / 2,
        })
        .ok()?;
        let bytes = slice(record, body, len)?;
        body = body.checked_add(len)?;
        values.push(match kind {
            0 | 7 => Value::Null,
            8 => Value::Integer(0),
            9 => Value::Integer(1),
            1..=6 => Value::Integer(integer(bytes)),
            _ => Value::Bytes(bytes),
        });
    }
    Some(values)
}

/// Big-endian, the first bit being the sign.
fn integer(bytes: &[u8]) -> i64 {
    let sign = bytes.first().map_or(0, |&byte| if byte & 0x80 == 0 { 0 } else { -1 });
    bytes.iter().fold(sign, |number, &byte| number << 8 | i64::from(byte))
}
