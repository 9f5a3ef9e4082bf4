//! `rpmdb.sqlite`: a table of headers, and one of file names with an index of SQLite's own, so that
//! none need be made here.
//!
//! It is read without locks. While RPM writes, pages may be of two states; the journal that is
//! there then tells ([`Reason::Busy`](crate::Reason::Busy)).

use std::fs::File;

use super::btree::{Btree, Tree, Value, record_values};
use super::{MAX_CANDIDATES, Read, damaged};

/// The database and where its tables begin.
#[derive(Debug)]
pub(super) struct Sqlite {
    pages: Btree,
    /// `hnum` (which is the row's number), `blob`.
    packages: Tree,
    /// `key`, `hnum`, `idx`.
    basenames: Tree,
    /// From `key` to rows of `basenames`.
    by_key: Tree,
}

impl Sqlite {
    pub(super) fn open(file: File) -> Read<Self> {
        let mut pages = Btree::open(file)?;
        let (mut packages, mut basenames, mut by_key) = (None, None, None);
        pages.scan(Tree(1), &mut |row| {
            // type, name, tbl_name, rootpage, sql
            let values = record_values(&row).unwrap_or_default();
            let (Some(Value::Bytes(kind)), Some(Value::Bytes(name)), Some(Value::Integer(page))) =
                (values.first(), values.get(1), values.get(3))
            else {
                return;
            };
            let tree = u32::try_from(*page).ok().map(Tree);
            match (*kind, *name) {
                (b"table", b"Packages") => packages = tree,
                (b"table", b"Basenames") => basenames = tree,
                (b"index", b"Basenames_key_idx") => by_key = tree,
                _ => {}
            }
        })?;
        match (packages, basenames, by_key) {
            (Some(packages), Some(basenames), Some(by_key)) => {
                Ok(Self { pages, packages, basenames, by_key })
            }
            _ => Err(damaged()),
        }
    }

    pub(super) fn packages(mut self) -> Read<usize> {
        self.pages.count(self.packages)
    }

    /// Packages that have a file of this name in some directory.
    pub(super) fn with_basename(&mut self, name: &[u8]) -> Read<Vec<i64>> {
        let mut packages = Vec::new();
        for row in self.pages.rows_with(self.by_key, name, MAX_CANDIDATES)? {
            let record = self.pages.row(self.basenames, row)?.ok_or_else(damaged)?;
            let values = record_values(&record).ok_or_else(damaged)?;
            match values.get(1) {
                Some(Value::Integer(package)) => packages.push(*package),
                _ => return Err(damaged()),
            }
        }
        packages.sort_unstable();
        packages.dedup();
        Ok(packages)
    }

    /// The header of one of them.
    pub(super) fn header(&mut self, package: i64) -> Read<Vec<u8>> {
        let mut record = self.pages.row(self.packages, package)?.ok_or_else(damaged)?;
        let values = record_values(&record).ok_or_else(damaged)?;
        let Some(Value::Bytes(blob)) = values.get(1) else { return Err(damaged()) };
        let start = record.len().saturating_sub(blob.len());
        Ok(record.split_off(start))
    }
}
